"""Death at every single call of deciding, sweeping, judging and converging; an error; a loss; a standstill.

Each scene is played once for each of its calls and each mishap. Then the message is delivered again, as SQS
does, ticks go on, and the scene must end as if nothing had happened: scaled once, the wanted servers, one for
each member.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from chalicelib.core.errors import NotFound
from tests.simulation.crash import Executioner, Kind, Mishap, mortal
from tests.simulation.scenes import SCENES

CALLS_MAX = 150


@pytest.mark.parametrize("late", [False, True], ids=["before it takes effect", "after"])
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("name", SCENES)
def test_whatever_happens_at_whichever_call_it_ends_as_if_nothing_had(
    name: str, kind: Kind, *, late: bool
) -> None:
    scene = SCENES[name]
    end = (kind is Kind.STALLS and scene.end_of_standstill) or scene.end
    for at_call in range(CALLS_MAX):
        world = scene.found()
        executioner = Executioner(meanwhile=lambda w=world: scene.meanwhile(w))  # type: ignore[misc]
        services = mortal(world.services, executioner)
        executioner.invoke(lambda w=world, s=services: scene.run(w, s), Mishap(at_call, late, kind))  # type: ignore[misc]
        with suppress(NotFound):
            scene.run(world, world.services)
        for _ in range(6):  # what was settled is looked at again within five minutes
            world.clock.pass_(60)
            world.tick()
        world.settle()
        end(world)
        if not executioner.struck:
            assert at_call >= scene.calls or kind is Kind.LOSES  # from there on no call is one that can
            return
    raise AssertionError(f"more than {CALLS_MAX} calls")
