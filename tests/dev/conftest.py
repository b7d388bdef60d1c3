"""A simulated cloud whose time the test moves by hand, and people who call it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller
from tests.dev.stacks import OwnStack, complete


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cloud(clock: ManualClock) -> Iterator[SimCloud]:
    with SimCloud(now=clock, build_seconds=10, delete_seconds=5) as running:
        yield running


@pytest.fixture
def demo(cloud: SimCloud) -> Caller:
    return Caller.named(cloud, "demo", "demo")


@pytest.fixture
def admin(cloud: SimCloud) -> Caller:
    return Caller.named(cloud, "admin", "admin")


@pytest.fixture
def thermostat(cloud: SimCloud) -> Caller:
    return Caller.named(cloud, "thermostat", "service")


@pytest.fixture
def stack(demo: Caller, clock: ManualClock) -> OwnStack:
    """Return a stack of demo's with a group of two servers, complete."""
    return complete(demo, clock)
