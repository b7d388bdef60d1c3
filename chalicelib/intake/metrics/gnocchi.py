"""Gnocchi's batches of measures, as gnocchiclient and Ceilometer's publisher send them.

    POST …/v1/batch/resources/metrics/measures  {"<server id>": {"cpu": [{"timestamp": "…", "value": 71.5}]}}
                                                {"<server id>": {"cpu": {"measures": […], "unit": "%"}}}
    POST …/v1/batch/metrics/measures            {"<metric>": [{"timestamp": "…", "value": 71.5}]}

The resource is the source. In the second form Gnocchi wants ids of metrics that were made before; there are
none here, so the key is the metric's name, whatever it is, and the samples are about the group as a whole.
The two are told apart by what they hold. There are no archive policies or units either: what is said of them
is passed over.

A timestamp is ISO 8601 (in UTC unless it says otherwise), seconds since 1970, or relative to now, as "-10
seconds". As with Gnocchi, a body with anything that cannot be read is refused whole; a measure that is not
finite is rejected alone.

Source:
    Gnocchi documentation, "REST API Usage": Measures batching; Timestamp format. Seen with gnocchiclient 7.2.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import msgspec

from chalicelib.core.errors import Invalid, ThermostatError
from chalicelib.core.sample import Batch, Rejection, Sample, one
from chalicelib.intake.metrics.answer import Answer
from chalicelib.intake.metrics.reading import (
    NOT_FINITE,
    check_count,
    retry_after,
    status_of,
    summed_up,
    time_of,
)

_RELATIVE = re.compile(r"([-+]?)\s*(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]+)", re.ASCII)
_UNITS: Mapping[str, timedelta] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "wk", "week", "weeks"), timedelta(weeks=1)),
}

_RETRY_AFTER_IS_READ = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS)


class _Measure(msgspec.Struct, gc=False):
    timestamp: str | int | float
    value: float


class _Measures(msgspec.Struct):
    measures: list[_Measure]


_Named = dict[str, list[_Measure] | _Measures]

_DECODER = msgspec.json.Decoder(dict[str, list[_Measure] | _Named], strict=False)


def parse(body: bytes, headers: Mapping[str, str], query: Mapping[str, str], now: datetime) -> Batch:
    """Return the samples, their places counted through the body.

    Args:
        query: ``create_metrics`` is of no consequence: there is nothing to be created first.

    Raises:
        Invalid: the body is no batch of measures, or has a timestamp that cannot be read.
        TooLarge: there are too many measures.
    """
    del headers, query
    samples: list[tuple[int, Sample]] = []
    rejected: list[Rejection] = []
    for index, (source, metric, measure) in enumerate(_measures(body)):
        check_count(index + 1)
        if math.isfinite(measure.value):
            sample = Sample(
                metric=metric,
                at=_time(measure.timestamp, now),
                measure=one(measure.value),
                source=source,
                timed=_relative(measure.timestamp) is None,
            )
            samples.append((index, sample))
        else:
            rejected.append(Rejection(index=index, reason=NOT_FINITE))
    return Batch(samples=tuple(samples), rejected=tuple(rejected))


def _measures(body: bytes) -> Iterator[tuple[str | None, str, _Measure]]:
    try:
        document = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise Invalid("intake.gnocchi", f"The body is no batch of measures: {error}") from error
    except (ValueError, RecursionError) as error:
        raise Invalid("intake.gnocchi", "The body is not JSON.") from error
    for key, held in document.items():
        if isinstance(held, list):
            yield from ((None, key, measure) for measure in held)
        else:
            for metric, listed in held.items():
                measures = listed if isinstance(listed, list) else listed.measures
                yield from ((key, metric, measure) for measure in measures)


def _time(said: str | float, now: datetime) -> datetime:
    try:
        at = time_of(round(float(said) * 10**6) * 1000)
    except (ValueError, OverflowError):
        at = _time_of_text(str(said), now)
    if at is None:
        raise Invalid(
            "intake.timestamp", 'A timestamp is ISO 8601, seconds since 1970, or relative like "-10 seconds".'
        )
    return at


def _relative(said: str | float) -> re.Match[str] | None:
    """Return the parts of a time that counts from now, None where it is another."""
    return _RELATIVE.fullmatch(said.strip().lower()) if isinstance(said, str) else None


def _time_of_text(said: str, now: datetime) -> datetime | None:
    relative = _relative(said)
    try:
        if relative and relative[3] in _UNITS:
            ago = float(relative[2]) * _UNITS[relative[3]]
            return now - ago if relative[1] == "-" else now + ago
        at = datetime.fromisoformat(said)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def answer(accepted: int, rejected: Sequence[Rejection], headers: Mapping[str, str]) -> Answer:
    """Return 202 and no body; or what was rejected, with 400 if that is all there was.

    Gnocchi's protocol has no partial success. After 400 a sender may send the batch again, so that is not
    said where anything was counted.
    """
    del headers
    if not rejected:
        return Answer(status=HTTPStatus.ACCEPTED)
    reason = summed_up(rejected, "measure")
    if not accepted:
        return _error(HTTPStatus.BAD_REQUEST, {"cause": "Invalid input", "reason": reason, "detail": []}, {})
    document = {"accepted": accepted, "rejected": len(rejected), "reason": reason}
    return Answer(status=HTTPStatus.ACCEPTED, body=json.dumps(document).encode())


def refusal(error: ThermostatError, headers: Mapping[str, str]) -> Answer:
    """Return Gnocchi's error document: nothing of the request was counted.

    Retry-After is sent only with the statuses at which gnocchiclient looks for it: at others, as 503, version
    7.2 takes it for an argument that none of its exceptions has, and dies of that.
    """
    del headers
    status = status_of(error)
    if status is HTTPStatus.BAD_REQUEST:
        return _error(status, {"cause": "Invalid input", "reason": error.detail, "detail": []}, {})
    return _error(status, error.detail, retry_after(error) if status in _RETRY_AFTER_IS_READ else {})


def _error(status: HTTPStatus, description: object, headers: Mapping[str, str]) -> Answer:
    document = {"code": status, "title": status.phrase, "description": description}
    return Answer(status=status, body=json.dumps(document).encode(), headers=headers)
