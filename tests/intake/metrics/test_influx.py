from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from influxdb_client import Point

from chalicelib.core.errors import Forbidden, Invalid, NotFound, TooLarge, TooOften, Unavailable
from chalicelib.core.sample import Batch, Rejection, Sample
from chalicelib.intake.metrics import influx
from chalicelib.intake.metrics.reading import VALUES_MAX
from tests.intake.metrics.expected import AT, AT_UNIX_NANOSECONDS, NOW, reasons, sample, samples

NS = AT_UNIX_NANOSECONDS


def parsed(body: str | bytes, **query: str) -> Batch:
    return influx.parse(body if isinstance(body, bytes) else body.encode(), {}, query, NOW)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"cpu,host=web-1 usage_idle=93.5 {NS}", [sample("cpu.usage_idle", 93.5, "web-1")]),
        (f"queue value=3i {NS}", [sample("queue", 3)]),
        (
            f"m,server_id=s-1,host=h,zone=a f=1 {NS}",
            [sample("m.f", 1, "s-1", zone="a")],
        ),
        (f"m,z=2,a=1 f=1 {NS}", [sample("m.f", 1, z="2", a="1")]),
        ("m f=1", [sample("m.f", 1, at=NOW)]),
        (f"m f=1   {NS}  ", [sample("m.f", 1)]),
        (f"  m f=1 {NS}\r\n", [sample("m.f", 1)]),
        (
            f"a\\ b\\,c,k\\=1=v\\ 2\\,3 x\\ y=1 {NS}",
            [replace(sample("a b,c.x y", 1), dimensions=(("k=1", "v 2,3"),))],
        ),
        (f"a\\=b=c f=1 {NS}", [sample("a\\=b=c.f", 1)]),  # a measurement's equals signs are its own
        (f"c:\\dir,path=c:\\x f=1 {NS}", [sample("c:\\dir.f", 1, path="c:\\x")]),
        (f'm text="a b,c=1 \\" # d",f=1,ok=true,no=F {NS}', [sample("m.f", 1)]),
        (f'm text="two\nlines",f=1 {NS}\nm f=2 {NS}', [sample("m.f", 1), sample("m.f", 2)]),
        (f'm text="only text" {NS}', []),
        ("", []),
        ("\n\r\n  \n# a comment, f=1\n   # another", []),
        (f"温度,都市=東京 値=1 {NS}", [sample("温度.値", 1, 都市="東京")]),
    ],
)
def test_what_a_line_says(line: str, expected: list[Sample]) -> None:
    batch = parsed(line)
    assert not batch.rejected
    assert samples(batch) == expected


def test_numbers_of_all_kinds() -> None:
    batch = parsed("m a=1,b=-2.5e-3,c=+.5,d=7i,e=8u,f=1.,g=-9223372036854775808i")
    assert [each.measure.sum for each in samples(batch)] == [1, -0.0025, 0.5, 7, 8, 1, -(2.0**63)]


@pytest.mark.parametrize(
    ("precision", "time"),
    [
        ("", NS),
        ("ns", NS),
        ("n", NS),
        ("us", NS // 10**3),
        ("u", NS // 10**3),
        ("ms", NS // 10**6),
        ("s", NS // 10**9),
    ],
)
def test_the_time_is_in_the_unit_that_the_query_names(precision: str, time: int) -> None:
    assert samples(parsed(f"m f=1 {time}", precision=precision)) == [sample("m.f", 1)]


def test_minutes_and_hours_of_influxdb_1() -> None:
    hour = datetime(2026, 11, 22, 9, tzinfo=UTC)
    for precision, seconds in (("m", 60), ("h", 3600)):
        batch = parsed(f"m f=1 {int(hour.timestamp()) // seconds}", precision=precision)
        assert samples(batch)[0].at == hour


@pytest.mark.parametrize(
    "line",
    [
        "m",
        "m ",
        "m f",
        "m f=",
        "m =1",
        ",a=b f=1",
        "m, f=1",
        "m,a f=1",
        "m,a= f=1",
        "m,=b f=1",
        "m,a=b=c f=1",
        "m,a=b,a=b f=1",
        "m f=1,",
        "m f=1 g=2",
        "m f=1 soon",
        "m f=1 1.5",
        "m f=1 99999999999999999999",
        'm f="open',
        "m f=one",
        "m f=1ii",
        "m f=1.5i",
        "m f=-1u",
        "m f=0x1",
        "m f=1_000",
        "m f=\u0661",
        "m f=NaN",
        "m f=inf",
        "m f=1e999",
        "m g=1,f=nope",
        "m f=1 \u0661",
    ],
)
def test_a_line_that_makes_no_sense_is_rejected_whole_and_alone(line: str) -> None:
    batch = parsed(f"before f=1\n{line}\nafter f=2")
    assert [each.metric for each in samples(batch)] == ["before.f", "after.f"]
    assert list(reasons(batch)) == [1]


def test_each_sample_has_a_place_of_its_own_and_so_has_a_rejected_line() -> None:
    batch = parsed('# one\n\na f=1,g=2\nb s="x\ny",f=1\nbad\nc f=1')
    assert [(index, each.metric) for index, each in batch.samples] == [
        (0, "a.f"),
        (1, "a.g"),
        (2, "b.f"),
        (4, "c.f"),
    ]
    assert reasons(batch)[3].startswith("line 6: ")


def test_a_time_outside_of_the_calendar_is_rejected() -> None:
    batch = parsed("m f=1 9223372036854775807", precision="h")
    assert reasons(batch) == {0: "line 1: the time is outside of the calendar"}


@pytest.mark.parametrize(
    ("body", "query", "code"),
    [
        (b"m f=1\xff", {}, "intake.body"),
        (b"m f=1", {"precision": "d"}, "intake.precision"),
    ],
)
def test_what_is_refused_whole(body: bytes, query: dict[str, str], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parsed(body, **query)
    assert refused.value.code == f"autoscaling.{code}"


@pytest.mark.parametrize("line", ["m f=1\n", "bad\n", f"m {','.join(f'f{i}=1' for i in range(100))}\n"])
def test_there_are_only_so_many_values(line: str) -> None:
    with pytest.raises(TooLarge):
        parsed(line * (VALUES_MAX + 1))


@pytest.mark.parametrize(
    "body", ['m f="' + "\\" * 10**6, "m" + ",a=b" * 10**5, "m " + "f=1," * 10**5, " " * 10**6, "\\ " * 10**6]
)
@pytest.mark.timeout(5)
def test_a_hostile_line_is_given_up_in_one_pass(body: str) -> None:
    assert not parsed(body).samples


words = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\\\x85"), min_size=1
)
names = words.filter(lambda word: not word.startswith("#"))
finite = st.floats(allow_nan=False, allow_infinity=False)
fields = st.dictionaries(
    words,
    finite
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.booleans(),
)


@given(
    measurement=names,
    tags=st.dictionaries(words, words),
    fields=fields,
    at=st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001
)
def test_what_influxs_own_client_writes_is_read(
    measurement: str, tags: dict[str, str], fields: dict[str, object], at: datetime
) -> None:
    point = Point(measurement).time(at)
    for tag in tags.items():
        point.tag(*tag)
    for field in fields.items():
        point.field(*field)
    numbers = {
        measurement if name == "value" else f"{measurement}.{name}": float(value)
        for name, value in fields.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    source = tags.get("server_id", tags.get("host"))
    dimensions = {name: value for name, value in tags.items() if name not in ("server_id", "host")}
    batch = parsed(point.to_line_protocol())
    assert not batch.rejected
    assert {each.metric: each.measure.sum for each in samples(batch)} == numbers
    for each in samples(batch):
        assert (each.source, dict(each.dimensions), each.at) == (source, dimensions, at.replace(tzinfo=UTC))


pieces = st.sampled_from(
    [
        "m",
        "f",
        "=",
        ",",
        " ",
        "\n",
        "\\",
        '"',
        "1",
        "-",
        ".",
        "e9",
        "i",
        "u",
        "t",
        "#",
        "\r",
        "\t",
        "9" * 19,
        "é",
    ]
)


@given(
    body=st.binary() | st.text().map(str.encode) | st.lists(pieces).map(lambda some: "".join(some).encode()),
    precision=st.sampled_from(["", "s", "h", "x"]),
)
@example(body=b"m f=1 -9223372036854775808", precision="h")
def test_whatever_comes_it_is_samples_or_refused(body: bytes, precision: str) -> None:
    try:
        batch = parsed(body, precision=precision)
    except Invalid:
        return
    for index, each in batch.samples:
        assert index >= 0
        assert each.metric
        assert math.isfinite(each.measure.sum)


def test_all_counted_is_204_without_a_body() -> None:
    answer = influx.answer(3, [], {})
    assert (answer.status, answer.body) == (204, b"")


def test_lines_that_are_rejected_are_told_in_the_words_that_keep_telegraf_from_trying_again() -> None:
    answer = influx.answer(1, [Rejection(index=4, reason="why"), Rejection(index=9, reason="why")], {})
    document = json.loads(answer.body)
    assert answer.status == 400
    assert document["code"] == "invalid"
    assert document["message"] == document["error"] == "partial write: sample 5 and 1 more: why dropped=2"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid("x", "No."), 400, "invalid"),
        (NotFound("x", "No."), 404, "not found"),
        (TooLarge("x", "No."), 413, "request too large"),
        (Forbidden("x", "No."), 403, "forbidden"),
        (TooOften("x", "No.", retry_after_seconds=7), 429, "too many requests"),
        (Unavailable("x", "No.", retry_after_seconds=7), 503, "unavailable"),
    ],
)
def test_refusals(error: Invalid, status: int, code: str) -> None:
    refusal = influx.refusal(error, {})
    document = json.loads(refusal.body)
    assert (refusal.status, document["code"]) == (status, code)
    assert document["message"] == ("unable to parse: No." if status == 400 else "No.")
    assert refusal.headers == ({"Retry-After": "7"} if status in (429, 503) else {})


def test_the_sample_times_are_in_utc() -> None:
    assert samples(parsed(f"m f=1 {NS}"))[0].at.utcoffset() == AT.utcoffset()
