from __future__ import annotations

import bisect
import math
import sys
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.core.sample import Measure
from chalicelib.intake.metrics.histograms import Bucket, explicit, exponential, measure
from chalicelib.intake.metrics.reading import Rejected

INF = math.inf


@pytest.mark.parametrize(
    ("bounds", "counts", "buckets"),
    [
        ([], [], []),
        ([], [5], []),
        ([10], [0, 0], []),
        ([10], [1, 2], [(-INF, 10, 1), (10, INF, 2)]),
        ([0, 5, 10], [0, 3, 0, 4], [(0, 5, 3), (10, INF, 4)]),
    ],
)
def test_explicit_buckets(bounds: Sequence[float], counts: Sequence[int], buckets: list[Bucket]) -> None:
    assert explicit(bounds, counts) == buckets


@pytest.mark.parametrize(
    ("bounds", "counts"),
    [
        ([10], []),
        ([10], [1]),
        ([10], [1, 2, 3]),
        ([], [1, 2]),
        ([10, 10], [1, 1, 1]),
        ([10, 5], [1, 1, 1]),
        ([math.nan], [1, 1]),
        ([INF], [1, 1]),
        ([-INF, 0], [1, 1, 1]),
    ],
)
def test_bounds_that_make_no_sense(bounds: Sequence[float], counts: Sequence[int]) -> None:
    with pytest.raises(Rejected):
        explicit(bounds, counts)


@pytest.mark.parametrize(
    ("scale", "offset", "counts", "buckets"),
    [
        (0, 0, [1, 0, 2], [(1, 2, 1), (4, 8, 2)]),
        (0, -2, [1], [(0.25, 0.5, 1)]),
        (1, 1, [1], [(math.sqrt(2), 2, 1)]),
        (-1, 0, [1, 1], [(1, 4, 1), (4, 16, 1)]),
        (-10, 0, [1], [(1, sys.float_info.max, 1)]),
        (-10, -1, [1], [(2.0**-1024, 1, 1)]),
        (0, 1023, [1], [(2.0**1023, sys.float_info.max, 1)]),
        (0, -1100, [1], [(0, 0, 1)]),
    ],
)
def test_exponential_buckets(scale: int, offset: int, counts: Sequence[int], buckets: list[Bucket]) -> None:
    nothing: tuple[int, list[int]] = (0, [])
    found = exponential(scale, nothing, (0, 0), (offset, counts))
    assert [pytest.approx(bucket) for bucket in buckets] == found
    mirrored = exponential(scale, (offset, counts), (0, 0), nothing)
    assert mirrored == [(-high, -low, count) for low, high, count in reversed(found)]


def test_zeros_stand_in_the_middle() -> None:
    assert exponential(0, (0, [1]), (0.5, 3), (0, [2])) == [(-2, -1, 1), (-0.5, 0.5, 3), (1, 2, 2)]


@pytest.mark.parametrize(("scale", "threshold"), [(33, 0), (-33, 0), (0, -1), (0, math.nan), (0, INF)])
def test_exponents_that_make_no_sense(scale: int, threshold: float) -> None:
    with pytest.raises(Rejected):
        exponential(scale, (0, []), (threshold, 1), (0, [1]))


def summary(of: Measure) -> tuple[int, float, float, float]:
    return of.count, of.sum, of.minimum, of.maximum


@pytest.mark.parametrize(
    ("buckets", "said", "expected", "values"),
    [
        # narrowed by what is said of the outermost
        ([(-INF, 10, 1), (10, INF, 3)], (60.0, 5.0, 40.0), (4, 60, 5, 40), [math.sqrt(50), 20]),
        # or open: from zero, and to where it begins
        ([(-INF, 10, 1), (10, INF, 3)], (60.0, None, None), (4, 60, 0, 10), [5, 10]),
        ([(-INF, -10, 2)], (-30.0, None, None), (2, -30, -10, -10), [-10]),
        ([(-5, INF, 2)], (1.0, None, None), (2, 1, -5, 0), [-2.5]),
        # the middle is geometric, but across zero
        ([(1, 4, 1), (4, 16, 1)], (10.0, None, None), (2, 10, 1, 16), [2, 8]),
        ([(-16, -4, 1), (-4, 4, 1)], (-8.0, None, None), (2, -8, -16, 4), [-8, 0]),
        # the sum is estimated where it is not said
        ([(1, 4, 2), (4, 16, 1)], (None, None, None), (3, 12, 1, 16), [2, 8]),
        # buckets that contradict the minimum are put right
        ([(0, 5, 1), (5, 10, 1)], (20.0, 8.0, 12.0), (2, 20, 8, 12), [8, math.sqrt(80)]),
    ],
)
def test_a_value_for_each_bucket(
    buckets: list[Bucket],
    said: tuple[float | None, float | None, float | None],
    expected: tuple[int, float, float, float],
    values: list[float],
) -> None:
    made = measure(buckets, sum(count for _, _, count in buckets), *said)
    assert summary(made) == expected
    assert [value for value, _ in made.spread] == pytest.approx(values)


def test_without_buckets_the_mean_stands_for_all() -> None:
    assert measure([], 4, 10.0, None, None) == Measure(
        count=4, sum=10, minimum=2.5, maximum=2.5, spread=((2.5, 4),)
    )
    assert measure([], 4, 10.0, 1.0, 5.0) == Measure(
        count=4, sum=10, minimum=1, maximum=5, spread=((2.5, 4),)
    )


@pytest.mark.parametrize(
    ("buckets", "count", "said"),
    [
        ([], 1, (None, 1.0, 1.0)),
        ([], 1, (1.0, 3.0, 2.0)),
        ([(0, 5, 1)], 2, (1.0, None, None)),
        ([(0, 5, 1)], 1, (math.nan, None, None)),
        ([(0, 5, 1)], 1, (1.0, INF, None)),
        ([(0, 5, 1)], 1, (1.0, None, -INF)),
        ([(0, 5, 1)], 1, (1.0, 3.0, 2.0)),
        ([(1e300, 1e308, 10**10)], 10**10, (None, None, None)),
    ],
)
def test_what_contradicts_itself_is_rejected(
    buckets: list[Bucket], count: int, said: tuple[float | None, float | None, float | None]
) -> None:
    with pytest.raises(Rejected):
        measure(buckets, count, *said)


finite = st.floats(-1e9, 1e9)


@given(
    values=st.lists(finite, min_size=1, max_size=50),
    bounds=st.lists(finite, max_size=15, unique=True).map(sorted),
    said=st.booleans(),
)
@example(values=[5e-324], bounds=[0.0], said=True)
def test_each_value_is_taken_for_one_of_its_own_bucket(
    values: list[float], bounds: list[float], said: bool
) -> None:
    """So the k-th smallest of the values and of the spread are never further apart than a bucket is wide."""
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect.bisect_left(bounds, value)] += 1
    outermost = (min(values), max(values)) if said else (None, None)
    made = measure(explicit(bounds, counts), len(values), math.fsum(values), *outermost)
    assert made.count == len(values) == sum(count for _, count in made.spread)
    assert all(made.minimum <= value <= made.maximum for value, _ in made.spread)
    edges = [-INF, *bounds, INF]
    taken = [value for value, count in sorted(made.spread) for _ in range(count)]
    for true, value in zip(sorted(values), taken, strict=True):
        index = bisect.bisect_left(bounds, true)
        assert not bounds or edges[index] <= value <= edges[index + 1]


@given(
    scale=st.integers(-40, 40),
    offset=st.integers(-(2**31), 2**31 - 1),
    counts=st.lists(st.integers(0, 2**64 - 1), max_size=5),
    zeros=st.tuples(st.floats(), st.integers(0, 10)),
    said=st.tuples(*[st.none() | st.floats()] * 3),
)
def test_whatever_comes_it_is_a_measure_or_rejected(
    scale: int,
    offset: int,
    counts: list[int],
    zeros: tuple[float, int],
    said: tuple[float | None, float | None, float | None],
) -> None:
    try:
        buckets = exponential(scale, (offset, counts), zeros, (offset, counts))
        made = measure(buckets, 2 * sum(counts) + zeros[1] or 1, *said)
    except Rejected:
        return
    numbers = [made.sum, made.minimum, made.maximum, *(value for value, _ in made.spread)]
    assert all(map(math.isfinite, numbers))
    assert all(made.minimum <= value <= made.maximum for value, _ in made.spread)
