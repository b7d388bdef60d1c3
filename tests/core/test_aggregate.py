from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from ddsketch import DDSketch
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.aggregate import BINS_MAX, RELATIVE_ERROR, Aggregate, aggregate, merged
from chalicelib.core.sample import Measure, one

thorough = settings(max_examples=300, derandomize=True, deadline=None)
quantiles = st.floats(0, 1)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-1000, 1000).map(float)
samples = st.lists(numbers, min_size=1, max_size=200)


def of(values: Sequence[float]) -> Aggregate:
    return aggregate(one(value) for value in values)


def exact(values: Sequence[float], quantile: float) -> float:
    return sorted(values)[math.floor(quantile * (len(values) - 1))]


def test_it_counts_adds_and_bounds() -> None:
    total = of([2.0, -1.0, 0.0, 5.0])
    assert (total.count, total.sum, total.minimum, total.maximum) == (4, 6.0, -1.0, 5.0)
    assert total.average == 1.5


@thorough
@given(samples, quantiles)
def test_a_percentile_is_within_one_percent_of_the_sample_of_its_rank(
    values: list[float], quantile: float
) -> None:
    true = exact(values, quantile)
    assert of(values).quantile(quantile) == pytest.approx(true, rel=RELATIVE_ERROR * 1.000001, abs=1e-299)


@thorough
@given(samples, quantiles)
def test_a_percentile_is_the_librarys_within_the_bounds_of_the_samples(
    values: list[float], quantile: float
) -> None:
    library = DDSketch(RELATIVE_ERROR)
    for value in values:
        library.add(value)
    found = library.get_quantile_value(quantile)
    assert found is not None
    theirs = min(max(found, min(values)), max(values))
    # Both are within 1 % of the same sample; where they round a boundary apart, 2 % of each other.
    assert of(values).quantile(quantile) == pytest.approx(theirs, rel=2.05 * RELATIVE_ERROR, abs=1e-37)


@thorough
@given(st.lists(samples, min_size=1, max_size=6), quantiles)
def test_merging_parts_is_the_same_as_having_seen_everything(
    parts: list[list[float]], quantile: float
) -> None:
    together, whole = merged(map(of, parts)), of([value for part in parts for value in part])
    assert together.sum == pytest.approx(whole.sum, rel=1e-9, abs=1e-9)
    assert (together.count, together.minimum, together.maximum) == (whole.count, whole.minimum, whole.maximum)
    assert together.quantile(quantile) == whole.quantile(quantile)


@pytest.mark.parametrize("sign", [1, -1])
def test_too_many_bins_lose_those_nearest_to_zero(sign: int) -> None:
    values = [sign * 1.05**exponent for exponent in range(3 * BINS_MAX)]
    total = of(values)
    assert len(total.positive) + len(total.negative) == BINS_MAX
    far = [0.7, 0.9, 1.0] if sign > 0 else [0.0, 0.1, 0.3]
    for quantile in far:
        assert total.quantile(quantile) == pytest.approx(exact(values, quantile), rel=0.0101)
    assert sum(total.positive.values()) + sum(total.negative.values()) == len(values)
    assert min(values) <= total.quantile(0.5) <= max(values)


def test_a_summary_counts_as_often_as_it_says() -> None:
    histogram = Measure(count=100, sum=1000.0, minimum=1.0, maximum=91.0, spread=((1.0, 90), (91.0, 10)))
    total = aggregate([histogram])
    assert total.average == 10
    assert total.quantile(0.5) == pytest.approx(1, rel=0.01)
    assert total.quantile(0.95) == pytest.approx(91, rel=0.01)


def test_a_summary_without_a_spread_counts_with_its_mean() -> None:
    summary = Measure(count=4, sum=40.0, minimum=5.0, maximum=20.0, spread=())
    assert aggregate([summary]).quantile(0.5) == pytest.approx(10, rel=0.01)


def test_what_is_tiny_is_zero() -> None:
    assert of([5e-324, -5e-324]).zeros == 2
