"""How a round takes the group's pools into account: who is told to leave them, and who is let go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.core.balance import Balance, balance
from chalicelib.core.member import Fate, MemberState, Scene, Sight
from chalicelib.core.plan_steps import Drain, Remove, Why
from chalicelib.core.pool import GroupPools, overdue
from chalicelib.core.target import Target


def balanced(
    target: Target,
    scene: Scene,
    by_fate: Mapping[Fate, Sequence[Sight]],
    too_many: Sequence[Sight],
    now: datetime,
) -> Balance:
    """Return what is due in the group's pools; those that are told to go only now stay where they are."""
    if target.pools is None:
        return Balance()
    going = {sight.member.id for sight in too_many}
    serving = [s for s in by_fate[Fate.SERVES] if s.member.id not in going]
    staying = {**by_fate, Fate.SERVES: serving, Fate.HELD: [*by_fate[Fate.HELD], *too_many]}
    return balance(target.pools, scene.pools, staying, now)


def at_rest(target: Target, found: Balance) -> bool:
    """Return whether the group's pools are as they should be, or a group that goes gives them up.

    It does so after long, and only if nothing moves there.
    """
    if not (found.due or found.troubles or found.unasked):
        return True
    pools = target.pools
    if pools is None or not pools.given_up:
        return False
    return not found.steps and (pools.stuck or not found.busy)


def part(sight: Sight, why: Why, pools: GroupPools | None, now: datetime) -> Remove | Drain:
    """Return the step that begins a member's parting: from its pools, if it may be at work in them."""
    member = sight.member
    if pools and pools.wanted and member.state is MemberState.IN_SERVICE:
        draining = replace(
            member, state=MemberState.DRAINING, draining_since=now, quiet_since=None, deleting_because=why
        )
        return Drain(member=draining, why=why)
    return Remove(member=member, resource=sight.resource, why=why)


def let_go(sight: Sight, pools: GroupPools | None, found: Balance, now: datetime) -> bool:
    """Return whether a member that drains stands in no pool any more, or was kept there for too long."""
    since = sight.member.draining_since or now
    return sight.member.id not in found.held or overdue(since, pools.wanted if pools else (), now)
