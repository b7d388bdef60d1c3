"""32 clients and seven processes race for one group, which are killed meanwhile: every law holds.

SOAK_SECONDS lets them race for longer, SEED otherwise.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from dev.dynoxide import Dynoxide
from tests.engines import ENGINES, Engines, needs_dynoxide
from tests.races import laws
from tests.races.arena import Arena, arena
from tests.races.killing import Killing, Victims, processes
from tests.races.racers import Racers
from tests.races.watch import Watch

_SECONDS = float(os.environ.get("SOAK_SECONDS", "10"))
_DOWN_SECONDS_MAX = 3.0
_SEED = int(os.environ.get("SEED", "20"))

pytestmark = pytest.mark.timeout(_SECONDS + 900)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_change_is_lost_or_made_twice_while_processes_are_killed(
    engine: str, engines: Engines, tmp_path: Path
) -> None:
    with arena(engines.url(engine), tmp_path) as place:
        race(place, processes(place))


@needs_dynoxide
def test_nothing_acknowledged_is_lost_while_the_database_is_killed_too(tmp_path: Path) -> None:
    chance = random.Random(_SEED + 2)
    with Dynoxide(database=tmp_path / "tables.db") as engine, arena(engine.url, tmp_path) as place:

        def power_cut() -> None:
            engine.kill()
            time.sleep(chance.uniform(0, _DOWN_SECONDS_MAX))
            engine.start()

        race(place, {**processes(place), "database": power_cut, "database again": power_cut})


def race(place: Arena, victims: Victims) -> None:
    """Race, settle, and look whether all laws hold; then delete the group, in a race as well."""
    racers = Racers(place, random.Random(_SEED))
    killing = Killing(victims, random.Random(_SEED + 1))
    with Watch(place) as watch:
        racers.race(_SECONDS, killing)
        settled_after = place.settle()
    again = sum(answer.sent - 1 for answer in racers.answers)
    print(
        f"\n{racers.volleys} volleys, {len(racers.answers)} answers, {again} calls sent again; "
        f"kills: {dict(sorted(killing.kills.items()))}; {watch.looks} looks; "
        f"{len(laws.writes(place))} writes; settled after {settled_after:.1f} s"
    )
    assert watch.broken == set()
    laws.everybody_was_answered_as_they_may_be(racers.answers)
    laws.one_event_is_one_change(place, racers.answers)
    laws.every_write_follows_on_the_one_before(place)
    laws.of_owners_who_saw_the_same_one_was_heeded(place, racers.answers)
    laws.what_is_created_twice_is_one(racers.answers)
    laws.every_sample_counts_once(place, racers.answers)
    laws.usage_is_what_there_is(place)
    laws.the_cloud_has_what_is_wanted(place)
    racers.end(killing)
    place.vanish()
    laws.everybody_was_answered_as_they_may_be(racers.answers)
    laws.nothing_is_left(place)
    laws.nothing_was_a_fault_of_ours(place)
