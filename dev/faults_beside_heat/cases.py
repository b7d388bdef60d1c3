"""The faults: what is done to a group, and what it should have come to afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dev.faults_beside_heat.contestants import Repair
from dev.faults_beside_heat.trial import Trial

MANY = 20
"""By how many servers ``out`` grows the group; ``up`` by one."""

_FIVE_MINUTES_AND_A_BIT = 330.0
"""A settled group of ours is looked at every five minutes."""

_NOTHING_IS_BROKEN = 90.0
_REFUSED_WITHIN_SECONDS = 60
_AT_ONCE_SECONDS = 0.5
_STUCK = (Repair.SIGNAL, Repair.UPDATE, Repair.CHECK, Repair.RESET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault.

    Attributes:
        strike: puts it to a group, and returns when it is over.
        size: of the group before.
        wanted: what the group should come to, by all the notifications that it got, each counted once.
        patience_seconds: how long it may take to get there by itself.
        repairs: what is tried then with Heat's group, in this order; with ours, always to look again.
        needs: the commands that it takes.
    """

    name: str
    says: str
    strike: Callable[[Trial], None]
    wanted: int
    size: int = 0
    patience_seconds: float = _FIVE_MINUTES_AND_A_BIT
    repairs: tuple[Repair, ...] = _STUCK
    needs: tuple[str, ...] = ()


def _killed_at_once(trial: Trial) -> None:
    trial.notify("out", "first")
    trial.watch.wait(_AT_ONCE_SECONDS)
    trial.contestant.kill()


def _killed_midway(trial: Trial) -> None:
    trial.notify("out", "first")
    trial.wait_until_half_are_there()
    trial.contestant.kill()


def _out_of_quota(trial: Trial) -> None:
    with trial.quota_of(MANY // 2):
        trial.notify("out", "first")
        trial.watch.wait(_REFUSED_WITHIN_SECONDS)


def _down(service: str) -> Callable[[Trial], None]:
    def strike(trial: Trial) -> None:
        trial.notify("out", "first")
        with trial.outage(service):
            trial.notify("up", "second")

    return strike


def _while_scaling(trial: Trial) -> None:
    trial.notify("out", "first")
    trial.wait_until_half_are_there()
    trial.notify("up", "second")


_ENGINE = ("KILL_ENGINE", "START_ENGINE")

CASES = (
    Case(
        name="killed-at-once",
        says=f"what changes servers is killed {_AT_ONCE_SECONDS} s after a notification by +{MANY}",
        strike=_killed_at_once,
        wanted=MANY,
        needs=_ENGINE,
    ),
    Case(
        name="killed-midway",
        says="the same, when half of the servers are ACTIVE",
        strike=_killed_midway,
        wanted=MANY,
        needs=_ENGINE,
    ),
    Case(
        name="quota",
        says=f"the quota is used up at {MANY // 2} of {MANY}, and raised a minute later",
        strike=_out_of_quota,
        wanted=MANY,
        repairs=(Repair.SIGNAL, Repair.UPDATE),
    ),
    Case(
        name="server-deleted",
        says="one of three servers is deleted in Nova",
        strike=Trial.delete_a_server,
        wanted=3,
        size=3,
        repairs=(Repair.SIGNAL, Repair.UPDATE, Repair.CHECK),
    ),
    Case(
        name="server-error",
        says="one of three servers goes to ERROR",
        strike=Trial.break_a_server,
        wanted=3,
        size=3,
        repairs=(Repair.SIGNAL, Repair.UPDATE, Repair.CHECK),
    ),
    Case(
        name="nova-down",
        says=f"Nova's API goes down just after a notification by +{MANY}; another by +1 comes meanwhile",
        strike=_down("NOVA"),
        wanted=MANY + 1,
        needs=("STOP_NOVA", "START_NOVA"),
    ),
    Case(
        name="keystone-down",
        says="the same with Keystone",
        strike=_down("KEYSTONE"),
        wanted=MANY + 1,
        needs=("STOP_KEYSTONE", "START_KEYSTONE"),
    ),
    Case(
        name="delivered-twice",
        says="one notification by +1, delivered twice at once",
        strike=lambda trial: trial.notify("up", "same", "same"),
        wanted=1,
        patience_seconds=_NOTHING_IS_BROKEN,
        repairs=(Repair.SIGNAL,),
    ),
    Case(
        name="ten-at-once",
        says="ten different notifications by +1 at once",
        strike=lambda trial: trial.notify("up", *map(str, range(10))),
        wanted=10,
        patience_seconds=_NOTHING_IS_BROKEN,
        repairs=(Repair.SIGNAL,),
    ),
    Case(
        name="while-scaling",
        says=f"a notification by +1, when half of the servers are ACTIVE of one by +{MANY}",
        strike=_while_scaling,
        wanted=MANY + 1,
        patience_seconds=_NOTHING_IS_BROKEN,
        repairs=(Repair.SIGNAL,),
    ),
)
