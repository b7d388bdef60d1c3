"""InfluxDB's line protocol, as Telegraf and the clients of InfluxDB 1 and 2 write it.

    cpu,host=web-1,cpu=cpu-total usage_idle=93.5,usage_user=4.1 1795600000000000000

A field is a metric: ``cpu.usage_idle``; one that is called ``value`` has the name of its measurement. The
tag ``server_id``, or else ``host``, is the source; other tags are dimensions. Text and booleans are no
metrics and are passed over, for Telegraf sends some with everything. A line is rejected whole, and then has
one place among the samples.

Answers are InfluxDB's: 204, or 400 when lines were rejected though the others were counted (so do InfluxDB 1
and InfluxDB Cloud). Telegraf's plugin for InfluxDB 1 sends a batch again and again unless the error says
"partial write" or "unable to parse", so those words are part of the protocol.

The parser is our own: of those on PyPI one is in C, to be built for each platform, and reads a single line
(text may hold a line feed); others are general grammars, or are no longer looked after.

Source:
    InfluxDB documentation, "Line protocol reference" and "Troubleshoot issues writing data".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus

from chalicelib.core.errors import Invalid, ThermostatError
from chalicelib.core.sample import Batch, Rejection, Sample, one
from chalicelib.intake.metrics.answer import Answer
from chalicelib.intake.metrics.reading import (
    NO_SUCH_TIME,
    NOT_FINITE,
    Rejected,
    check_count,
    check_parts,
    retry_after,
    status_of,
    summed_up,
    time_of,
)

_NANOSECONDS: Mapping[str, int] = {
    "ns": 1,
    "n": 1,
    "us": 10**3,
    "u": 10**3,
    "µ": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_LINE_MAX_CHARACTERS = 1024 * 1024
"""While a line is matched, it takes forty times its length of memory."""
_SOURCE_TAGS = ("server_id", "host")

# A backslash escapes only what it must; before anything else it is itself. Quantifiers are possessive (++),
# so a line that does not match is given up in one pass.
_KEY = r"(?:\\[,= ]|[^,= \n])++"
_FIELD = rf'{_KEY}=(?:"(?:\\.|[^"\\])*+"|[^", \r\n]++)'
_LINE = re.compile(
    rf"[ \t]*+(?P<measurement>(?:\\[, ]|[^, \n])++)(?P<tags>(?:,{_KEY}={_KEY})*+)"
    rf"[ ]++(?P<fields>{_FIELD}(?:,{_FIELD})*+)(?:[ ]++(?P<time>-?\d{{1,19}}))?+[ ]*+\r?(?:\n|\Z)",
    re.DOTALL | re.ASCII,
)
_NOTHING = re.compile(r"[ \t\r]*+(?:#[^\n]*+)?(?:\n|\Z)")
_TAG = re.compile(rf",({_KEY})=({_KEY})")
_EACH_FIELD = re.compile(rf'({_KEY})=("(?:\\.|[^"\\])*+"|[^", \r\n]++),?', re.DOTALL)
_NUMBER = re.compile(
    r"([-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?)|(-?\d++)i|(\d++)u",
    re.ASCII,
)
_BOOLEANS = frozenset({"t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"})
_ESCAPED_IN_A_MEASUREMENT = re.compile(r"\\([, ])")
_ESCAPED = re.compile(r"\\([,= ])")

_CODES: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "invalid",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not found",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request too large",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}


def parse(body: bytes, headers: Mapping[str, str], query: Mapping[str, str], now: datetime) -> Batch:
    """Return the samples of the lines; a line without a time is of ``now``.

    Args:
        query: ``precision`` is the unit of the times, nanoseconds unless said otherwise.

    Raises:
        Invalid: the body is not UTF-8, or there is no such precision.
        TooLarge: there are too many values, or lines.
    """
    del headers  # the protocol has no other form
    unit = _NANOSECONDS.get(query.get("precision") or "ns")
    if unit is None:
        raise Invalid("intake.precision", f"A precision is one of {', '.join(_NANOSECONDS)}.")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Invalid("intake.body", "The body is not UTF-8.") from error
    samples: list[tuple[int, Sample]] = []
    rejected: list[Rejection] = []
    for number, line in _lines(text):
        place = len(samples) + len(rejected)
        try:
            samples += enumerate(_samples(line, unit, now), place)
        except Rejected as error:
            rejected.append(Rejection(index=place, reason=f"line {number}: {error}"))
        check_count(len(samples) + len(rejected))
    return Batch(samples=tuple(samples), rejected=tuple(rejected))


def _lines(text: str) -> Iterator[tuple[int, re.Match[str] | None]]:
    """Yield each line that says something, with its number, or None when it makes no sense or is too long."""
    position, number, looked_at = 0, 1, 0
    while position < len(text):
        check_parts(looked_at := looked_at + 1)
        nothing = _NOTHING.match(text, position)
        found = nothing or _whole_line(text, position)
        if not nothing:
            yield number, found
        after = found.end() if found else text.find("\n", position) + 1 or len(text)
        number += text.count("\n", position, after)  # quoted text may hold line feeds
        position = after


def _whole_line(text: str, position: int) -> re.Match[str] | None:
    """Return the line that begins at ``position``, None where there is none, or it goes on for too long."""
    end = position + _LINE_MAX_CHARACTERS
    found = _LINE.match(text, position, end)
    cut_off = found and found.end() == end < len(text) and text[end - 1] != "\n"
    return None if cut_off else found


def _samples(line: re.Match[str] | None, unit: int, now: datetime) -> list[Sample]:
    if line is None:
        raise Rejected("this is no line protocol: measurement,tag=value field=value time")
    measurement, tags, fields, time = line.groups()
    at = now if time is None else time_of(int(time) * unit)
    if at is None:
        raise Rejected(NO_SUCH_TIME)
    source, dimensions = _source_and_dimensions(tags)
    measurement = _plain(measurement, _ESCAPED_IN_A_MEASUREMENT)
    values = [(name, _number(text)) for name, text in _EACH_FIELD.findall(fields)]
    return [
        Sample(
            metric=measurement if name == "value" else f"{measurement}.{_plain(name)}",
            at=at,
            measure=one(value),
            source=source,
            dimensions=dimensions,
            timed=time is not None,
        )
        for name, value in values
        if value is not None
    ]


def _source_and_dimensions(tags: str) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    pairs = [(_plain(name), _plain(value)) for name, value in _TAG.findall(tags)]
    plain = dict(pairs)
    if len(plain) < len(pairs):
        raise Rejected("a tag stands twice")
    sources = [plain.pop(name) for name in _SOURCE_TAGS if name in plain]
    return (sources[0] if sources else None), tuple(sorted(plain.items()))


def _plain(escaped: str, pattern: re.Pattern[str] = _ESCAPED) -> str:
    return pattern.sub(r"\1", escaped) if "\\" in escaped else escaped


def _number(text: str) -> float | None:
    """Return the value of a field, None if it is text or a boolean."""
    if text.startswith('"') or text in _BOOLEANS:
        return None
    number = _NUMBER.fullmatch(text)
    if not number:
        raise Rejected("a field's value is a number, text in quotes, or a boolean")
    value = float(number[number.lastindex or 0])
    if value - value != 0:
        raise Rejected(NOT_FINITE)
    return value


def answer(accepted: int, rejected: Sequence[Rejection], headers: Mapping[str, str]) -> Answer:
    """Return 204, or 400 with what was rejected though the others are counted."""
    del accepted, headers
    if not rejected:
        return Answer(status=HTTPStatus.NO_CONTENT)
    message = f"partial write: {summed_up(rejected, 'sample')} dropped={len(rejected)}"
    return _error(HTTPStatus.BAD_REQUEST, message, {})


def refusal(error: ThermostatError, headers: Mapping[str, str]) -> Answer:
    """Return InfluxDB's error document: nothing of the request was counted."""
    del headers
    status = status_of(error)
    malformed = status is HTTPStatus.BAD_REQUEST
    return _error(
        status, f"unable to parse: {error.detail}" if malformed else error.detail, retry_after(error)
    )


def _error(status: HTTPStatus, message: str, headers: Mapping[str, str]) -> Answer:
    """Return an error that both the senders of InfluxDB 2 (``message``) and of 1 (``error``) find."""
    document = {"code": _CODES.get(status, "internal error"), "message": message, "error": message}
    return Answer(status=status, body=json.dumps(document).encode(), headers=headers)
