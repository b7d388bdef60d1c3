"""Prometheus Alertmanager itself, with our hook as its receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.senders.alertmanager import Fire, alertmanager, install, needs_alertmanager
from tests.senders.served import Served

pytestmark = needs_alertmanager

NAME = "HighCPU"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("alertmanager"))


@pytest.fixture
def fire(served: Served, program: Path, tmp_path: Path) -> Iterator[Fire]:
    """Return what makes alerts fire in an Alertmanager of the test's own."""
    with alertmanager(program, {NAME: served.hook}, tmp_path) as fire:
        yield fire


def test_the_group_grows_while_the_alert_fires_and_not_when_it_ends(served: Served, fire: Fire) -> None:
    fire(NAME)
    served.until(lambda: len(served.bodies) >= 3)
    assert (served.size, served.outcomes()) == (4, ["executed"]), "the clock stands: these are second tries"
    assert served.bodies[0] == served.bodies[1], "only time tells a repetition from a second try"

    served.world.settle()
    served.world.clock.pass_(3600)
    served.until(lambda: served.size == 5)
    assert served.outcomes() == ["executed", "executed"]

    served.world.settle()
    served.world.clock.pass_(3600)
    fire(NAME, over=True)
    served.until(lambda: "not_alarm" in served.outcomes())
    assert json.loads(served.bodies[-1])["status"] == "resolved"
    assert served.size == 5
    assert served.outcomes().count("executed") == 2


def test_an_answer_that_is_lost_is_asked_for_again_and_scales_once(served: Served, fire: Fire) -> None:
    served.answers_lost = 2
    fire(NAME)
    served.until(lambda: len(served.bodies) >= 3)
    assert (served.size, served.outcomes()) == (4, ["executed"])
    assert served.answers_lost == 0


def test_another_alert_of_the_group_is_another_event(served: Served, fire: Fire) -> None:
    fire(NAME, pod="a")
    served.until(lambda: served.size == 4)
    served.world.settle()
    served.world.clock.pass_(300)
    served.until(lambda: served.size == 5)
    fire(NAME, pod="b")
    served.until(lambda: len(json.loads(served.bodies[-1])["alerts"]) == 2)
    served.until(lambda: served.outcomes().count("in_cooldown") + served.outcomes().count("no_change") == 1)


def test_a_heartbeat_is_heard_and_never_scales(served: Served, fire: Fire) -> None:
    fire(NAME, severity="none")
    served.until(lambda: len(served.bodies) >= 2)
    assert (served.size, served.outcomes()) == (3, ["not_alarm"])
