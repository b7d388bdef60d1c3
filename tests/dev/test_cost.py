from __future__ import annotations

import pytest

from dev.bench import cost
from dev.bench.cost import Taken, Used, Workload, always_on, monthly

NOTHING = Used()


def test_each_thing_has_its_price() -> None:
    """A million of each, by hand; a second of a whole core is 3.5 of the half gigabyte that we have."""
    assert (Used(reads=4) * 1e6).usd == pytest.approx(0.5)
    assert (Used(writes=2) * 1e6).usd == pytest.approx(1.25)
    assert (Used(api=1, sqs=1) * 1e6).usd == pytest.approx(3.9)
    assert (Used(invocations=1) * 1e6).usd == pytest.approx(0.2 + 0.5)
    assert Used(cpu_seconds=1).billed_seconds == pytest.approx(3.538)
    assert Used(calls=2, cloud_calls=1).billed_seconds == pytest.approx(0.06)
    assert (Used(cloud_calls=20) * 1e6).usd == pytest.approx(6.667, rel=1e-3)


def test_what_is_used_adds_up() -> None:
    assert Used(reads=1, sqs=2) + Used(reads=3, api=1) == Used(reads=4, sqs=2, api=1)


def test_a_month_grows_with_the_groups_and_idles_for_little() -> None:
    taken = Taken(
        tick=Used(invocations=17),
        decision=Used(api=1),
        samples=Used(api=1),
        alarm=Used(reads=1),
        round=Used(writes=8),
    )
    none, some, many = (monthly(taken, Workload(), groups) for groups in (0, 10, 1000))
    assert [what for what, used in none.items() if used != NOTHING] == ["ticks"]
    assert none["ticks"] == some["ticks"] == many["ticks"]
    assert some["samples"].api == 10 * 4 * 43_800
    assert some["alarms"].reads == 10 * 2 * 43_800
    assert some["rounds"].writes == pytest.approx(8 * 10 * (43_800 / 5 + 2 * 3 * 730 / 24))
    assert many["decisions"].usd == pytest.approx(100 * some["decisions"].usd)


def test_who_is_always_on_needs_three_machines_and_more_for_many() -> None:
    few, many = (always_on(Workload(), groups, cost.VM_HOUR) for groups in (10, 100_000))
    assert (few.machines, many.machines) == (3, 43)
    assert few.usd == pytest.approx(3 * (0.0816 * 730 + 4))
