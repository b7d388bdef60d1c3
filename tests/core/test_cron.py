"""When cron expressions are due: worked tables for the days on which clocks move, and laws for all others.

The days are real ones of IANA's database: Ljubljana and New York move by an hour in spring and autumn,
Lord Howe by half an hour and in the other half of the year, Santiago and Havana at midnight.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.cron import Cron, occurrences, parsed_cron, zone_of
from chalicelib.core.errors import Invalid

thorough = settings(max_examples=150, derandomize=True, deadline=None)

LJUBLJANA, NEW_YORK, LORD_HOWE = "Europe/Ljubljana", "America/New_York", "Australia/Lord_Howe"


def utc(text: str) -> datetime:
    """Return a time in UTC, as "2026-03-29 01:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(expression: str, timezone: str, begin: str, end: str) -> list[str]:
    """Return when the expression is due later than ``begin`` and before ``end``, in local time."""
    cron, zone = parsed_cron(expression, timezone, end=utc(end)), ZoneInfo(timezone)
    return [f"{moment.astimezone(zone):%d %H:%M %z}" for moment in occurrences(cron, utc(begin))]


@pytest.mark.parametrize(
    ("expression", "begin", "end", "expected"),
    [
        # An ordinary week: the first of March 2026 is a Sunday.
        ("0 7 * * 1-5", "2026-03-01 00:00", "2026-03-08 00:00", ["02", "03", "04", "05", "06"]),
        ("0 7 * * 0", "2026-03-01 00:00", "2026-03-09 00:00", ["01", "08"]),
        ("0 7 * * 7", "2026-03-01 00:00", "2026-03-09 00:00", ["01", "08"]),
        ("0 7 * * MON", "2026-03-01 00:00", "2026-03-09 00:00", ["02"]),
        ("0 7 3,5 * *", "2026-03-01 00:00", "2026-03-09 00:00", ["03", "05"]),
        # Both kinds of day are restricted: either will do. One begins with a star: both must.
        ("0 7 3 * 5", "2026-03-01 00:00", "2026-03-09 00:00", ["03", "06"]),
        ("0 7 */2 * 5", "2026-03-01 00:00", "2026-03-31 00:00", ["13", "27"]),
        ("0 7 L * *", "2026-02-01 00:00", "2026-03-30 00:00", ["28"]),
        ("0 7 * * 5#2", "2026-03-01 00:00", "2026-03-31 00:00", ["13"]),
        ("0 7 29 2 *", "2026-03-01 00:00", "2028-03-01 00:00", ["29"]),
    ],
)
def test_days(expression: str, begin: str, end: str, expected: list[str]) -> None:
    assert due(expression, "UTC", begin, end) == [f"{day} 07:00 +0000" for day in expected]


SPRING = ("2026-03-28 23:00", "2026-03-29 22:00")  # Ljubljana: 02:00 becomes 03:00 on the 29th
AUTUMN = ("2026-10-24 22:00", "2026-10-25 23:00")  # and 03:00 becomes 02:00 on the 25th


@pytest.mark.parametrize(
    ("expression", "timezone", "window", "expected"),
    [
        # A fixed time that is skipped: once, at the end of the gap.
        ("30 2 * * *", LJUBLJANA, SPRING, ["29 03:00 +0200"]),
        ("0,15,30 2 * * *", LJUBLJANA, SPRING, ["29 03:00 +0200"]),
        ("0 2,3 * * *", LJUBLJANA, SPRING, ["29 03:00 +0200"]),
        ("30 1-3 * * *", LJUBLJANA, SPRING, ["29 01:30 +0100", "29 03:00 +0200", "29 03:30 +0200"]),
        # A fixed time that comes twice: once, the first time.
        ("30 2 * * *", LJUBLJANA, AUTUMN, ["25 02:30 +0200"]),
        ("0 2,3 * * *", LJUBLJANA, AUTUMN, ["25 02:00 +0200", "25 03:00 +0100"]),
        # Wildcards go by the clock on the wall.
        ("0 */2 * * *", LJUBLJANA, ("2026-03-28 23:00", "2026-03-29 04:00"), ["29 04:00 +0200"]),
        ("*/30 2 * * *", LJUBLJANA, SPRING, []),
        (
            "*/30 2 * * *",
            LJUBLJANA,
            AUTUMN,
            ["25 02:00 +0200", "25 02:30 +0200", "25 02:00 +0100", "25 02:30 +0100"],
        ),
        ("30 2 * * *", NEW_YORK, ("2026-03-08 05:00", "2026-03-09 04:00"), ["08 03:00 -0400"]),
        ("30 1 * * *", NEW_YORK, ("2026-11-01 04:00", "2026-11-02 05:00"), ["01 01:30 -0400"]),
        (
            "30 * * * *",
            NEW_YORK,
            ("2026-11-01 05:00", "2026-11-01 07:00"),
            ["01 01:30 -0400", "01 01:30 -0500"],
        ),
        # Lord Howe: 02:00 becomes 01:30 in April, 02:00 becomes 02:30 in October.
        ("45 1 * * *", LORD_HOWE, ("2026-04-04 13:00", "2026-04-05 13:00"), ["05 01:45 +1100"]),
        ("0 */2 * * *", LORD_HOWE, ("2026-04-04 13:00", "2026-04-04 16:00"), ["05 02:00 +1030"]),
        (
            "*/15 1 * * *",
            LORD_HOWE,
            ("2026-04-04 13:30", "2026-04-05 13:00"),
            [
                *("05 01:00 +1100", "05 01:15 +1100", "05 01:30 +1100", "05 01:45 +1100"),
                *("05 01:30 +1030", "05 01:45 +1030"),
            ],
        ),
        ("15 2 * * *", LORD_HOWE, ("2026-10-03 13:30", "2026-10-04 13:00"), ["04 02:30 +1100"]),
        (
            "*/15 2 * * *",
            LORD_HOWE,
            ("2026-10-03 13:30", "2026-10-04 13:00"),
            ["04 02:30 +1100", "04 02:45 +1100"],
        ),
        # Clocks that move at midnight.
        ("0 0 * * *", "America/Havana", ("2026-03-08 04:00", "2026-03-09 04:00"), ["08 01:00 -0400"]),
        ("0 0 * * *", "America/Santiago", ("2026-09-06 03:00", "2026-09-07 03:00"), ["06 01:00 -0300"]),
        ("30 23 * * *", "America/Santiago", ("2026-04-04 22:00", "2026-04-05 22:00"), ["04 23:30 -0300"]),
        # No clock moves here.
        ("30 2 * * *", "Asia/Kolkata", ("2026-03-28 18:30", "2026-03-29 18:30"), ["29 02:30 +0530"]),
    ],
)
def test_days_on_which_the_clock_moves(
    expression: str, timezone: str, window: tuple[str, str], expected: list[str]
) -> None:
    assert due(expression, timezone, *window) == expected


def test_a_fixed_time_is_not_repeated_for_who_asks_in_the_repeated_hour() -> None:
    """01:10 UTC is 02:10 there, for the second time: half past two was an hour ago."""
    cron = parsed_cron("30 2 * * *", LJUBLJANA)
    assert next(occurrences(cron, utc("2026-10-25 01:10"))) == utc("2026-10-26 01:30")


def test_it_starts_and_ends() -> None:
    cron = parsed_cron("0 7 * * *", "UTC", start=utc("2026-03-03 07:00"), end=utc("2026-03-05 07:00"))
    found = list(occurrences(cron, utc("2026-03-01 00:00")))
    assert found == [utc("2026-03-03 07:00"), utc("2026-03-04 07:00")]


def test_what_never_matches_ends() -> None:
    assert list(occurrences(parsed_cron("0 0 */31 2 5L", "UTC"), utc("2026-01-01 00:00"))) == []


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_at_the_end_of_the_calendar_it_ends(timezone: str) -> None:
    cron = parsed_cron("0 0 1 * *", timezone)
    assert len(list(occurrences(cron, utc("9999-10-15 00:00")))) <= 2
    assert len(list(occurrences(cron, utc("9999-12-31 23:59")))) <= 1


@pytest.mark.parametrize(
    "expression",
    [
        *("", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *"),
        *("* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "-1 * * * *", "1.5 * * * *", "x * * * *"),
        *("0 0 31 4,6 *", "0 0 30 2 *", "? * * * *", ", * * * *", "1/ * * * *", "٣ * * * *", "0 " * 500),
        "0," * 200 + "0 * * * *",
    ],
)
def test_what_is_no_cron_expression(expression: str) -> None:
    with pytest.raises(Invalid) as refused:
        parsed_cron(expression, "UTC")
    assert refused.value.code == "autoscaling.schedule.cron"


@thorough
@given(st.text(alphabet="0123456789*/,-#LWMONsun? ", max_size=30))
def test_whatever_is_written_is_understood_or_refused(expression: str) -> None:
    try:
        cron = parsed_cron(expression, "UTC")
    except Invalid:
        return
    assert all(moment.second == 0 for moment in islice(occurrences(cron, utc("2026-01-01 00:00")), 3))


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "Mars/Olympus",
            "Europe",
            "Europe/",
            "/etc/localtime",
            "../UTC",
            "europe/ljubljana",
            "localtime",
        ),
        *("posixrules", "Factory", "UTC\n", "a\0b", "x" * 5000, "Europe/../UTC", "+01:00"),
    ],
)
def test_what_is_no_time_zone(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        zone_of(name)
    assert refused.value.code == "autoscaling.schedule.timezone"


@pytest.mark.parametrize(
    "name",
    ["UTC", LJUBLJANA, "America/Argentina/Buenos_Aires", "Etc/GMT+12", "EST5EDT", "America/Port-au-Prince"],
)
def test_what_is_one(name: str) -> None:
    assert zone_of(name).key == name


def test_it_ends_after_it_starts() -> None:
    with pytest.raises(Invalid) as refused:
        parsed_cron("* * * * *", "UTC", start=utc("2026-03-03 07:00"), end=utc("2026-03-03 07:00"))
    assert refused.value.code == "autoscaling.schedule.end"


def test_spaces_are_single() -> None:
    assert parsed_cron(" 0  7 *\t* 1-5 ", "UTC").expression == "0 7 * * 1-5"


# Laws.

DAYS = [utc(f"2026-{day} 12:00") for day in ("03-08", "03-28", "04-04", "09-05", "10-03", "10-24", "10-31")]
"""About when clocks move in the zones below; the windows reach two days from there."""
ZONES = [LJUBLJANA, NEW_YORK, LORD_HOWE, "America/Santiago", "America/Havana", "Africa/Casablanca", "UTC"]


def a_field(low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=1, max_size=4, unique=True).map(sorted)


def written(values: list[int]) -> str:
    return ",".join(map(str, values))


@thorough
@given(a_field(0, 59), a_field(0, 23), st.sampled_from(ZONES), st.sampled_from(DAYS))
def test_fixed_times_come_once_each_at_their_local_time_or_at_the_end_of_the_gap(
    minutes: list[int], hours: list[int], timezone: str, begin: datetime
) -> None:
    zone, end = ZoneInfo(timezone), begin + timedelta(days=2)
    expected: set[datetime] = set()
    clock = (begin - timedelta(days=2)).replace(tzinfo=None)
    while clock < end.replace(tzinfo=None) + timedelta(days=2):
        if clock.hour in hours and clock.minute in minutes:
            shown = clock
            while (real := shown.replace(tzinfo=zone).astimezone(UTC)).astimezone(zone).replace(
                tzinfo=None
            ) != shown:
                shown += timedelta(minutes=1)
            expected.add(real)
        clock += timedelta(minutes=1)
    cron = parsed_cron(f"{written(minutes)} {written(hours)} * * *", timezone, end=end)
    assert list(occurrences(cron, begin)) == sorted(m for m in expected if begin < m < end)


@thorough
@given(
    st.sampled_from(["*", "*/7", "*/20", "0", "30", "5,45"]),
    st.sampled_from(["*", "*/2", "*/3", "2", "1,2,3"]),
    st.sampled_from(ZONES),
    st.sampled_from(DAYS),
)
def test_wildcards_come_whenever_the_clock_shows_their_time(
    minute: str, hour: str, timezone: str, begin: datetime
) -> None:
    if not (minute + hour).count("*"):
        minute = "*/15"
    elif not minute.startswith("*") and not hour.startswith("*"):
        hour = "*"
    zone, end = ZoneInfo(timezone), begin + timedelta(days=2)
    instants = (begin + timedelta(minutes=n) for n in range(1, 2 * 24 * 60))
    expected = [
        m
        for m in instants
        if shows(m.astimezone(zone).minute, minute) and shows(m.astimezone(zone).hour, hour)
    ]
    cron = parsed_cron(f"{minute} {hour} * * *", timezone, end=end)
    assert list(occurrences(cron, begin)) == expected


def shows(value: int, field: str) -> bool:
    """Return whether a field of the few kinds above allows a value."""
    if field.startswith("*"):
        return value % int(field.partition("/")[2] or 1) == 0
    return value in map(int, field.split(","))


@thorough
@given(
    st.sampled_from(["0 7 * * 1-5", "*/5 * * * *", "30 2 * * *", "0 0 1 * *", "15 */6 * * SAT,SUN"]),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_they_come_in_order_none_twice_and_the_same_from_wherever_one_asks(
    expression: str, timezone: str, begin: datetime
) -> None:
    cron = Cron(expression=expression, timezone=timezone)
    found = list(islice(occurrences(cron, begin), 30))
    assert all(moment.tzinfo is UTC for moment in found)
    assert begin < found[0]
    assert all(earlier < later for earlier, later in pairwise(found))
    for earlier, later in pairwise(found):
        assert next(occurrences(cron, earlier)) == later
        assert next(occurrences(cron, later - timedelta(microseconds=1))) == later
