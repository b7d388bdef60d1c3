from __future__ import annotations

from chalicelib.recent import Recent
from tests.openstack.site import Clock


def test_a_value_is_kept_for_its_time_and_not_a_moment_longer() -> None:
    clock = Clock()
    kept: Recent[str, int] = Recent(seconds=60, at_most=10, clock=clock)
    kept.put("a", 1)
    clock.seconds += 59.9
    assert kept.get("a") == 1
    clock.seconds += 0.1
    assert kept.get("a") is None


def test_reading_a_value_does_not_keep_it_longer() -> None:
    clock = Clock()
    kept: Recent[str, int] = Recent(seconds=60, at_most=10, clock=clock)
    kept.put("a", 1)
    for _ in range(3):
        clock.seconds += 25
        last = kept.get("a")
    assert last is None


def test_of_too_many_the_least_lately_used_goes() -> None:
    kept: Recent[str, int] = Recent(seconds=60, at_most=2, clock=Clock())
    kept.put("a", 1)
    kept.put("b", 2)
    kept.get("a")
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)


def test_what_is_dropped_is_gone_and_dropping_it_again_does_no_harm() -> None:
    kept: Recent[str, int] = Recent(seconds=60, at_most=2, clock=Clock())
    kept.put("a", 1)
    kept.drop("a")
    kept.drop("a")
    assert kept.get("a") is None
