"""The end of a round, of whatever kind: what came of it is written down, told, and looked at again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.core.activity import ActivityKind
from chalicelib.core.group import Group
from chalicelib.core.plan import Plan
from chalicelib.core.refresh import look_again_at
from chalicelib.core.round import REOBSERVE_AFTER, Conclusion, conclude
from chalicelib.flows import refreshes
from chalicelib.flows.round import Outcome
from chalicelib.flows.story import activity
from chalicelib.flows.telling import tell_round
from chalicelib.ports import Services
from chalicelib.ports.storage import Lease

_LONGEST_DELAY_SECONDS = 900
"""SQS delays a message no longer; what is due later is found by the sweep."""

_SPARE = timedelta(seconds=20)


def conclude_round(
    s: Services, lease: Lease, group: Group, outcome: Outcome, request_id: str, began: datetime
) -> None:
    """Write down how the round leaves the group, and ask for the next one."""
    now = s.now()
    the_plan = outcome.plan
    group = replace(group, observed=replace(group.observed, asked=outcome.asked))
    conclusion = conclude(
        group,
        the_plan,
        outcome.setback,
        now=now,
        jitter=s.jitter(),
        cut_short=outcome.cut_short,
        pool_setback=outcome.pool_setback,
        round_began_at=began,
        began_at=outcome.refresh.batch_began_at if outcome.refresh else None,
        looked=outcome.looked,
    )
    _tell_news(s, group, conclusion.group, request_id)
    conclusion = _conclude_refresh(s, lease, group, outcome, conclusion, request_id)
    delay = conclusion.look_again_at - now
    tell_round(s, group, the_plan, outcome.setback, conclusion, request_id=request_id, began=began)
    # The message usually comes first; the group is due a little later, for the sweep, should it get lost.
    by_routine = conclusion.group.settled and delay >= REOBSERVE_AFTER
    due_at = conclusion.look_again_at if by_routine else now + delay + _SPARE
    as_read = s.groups.conclude(lease, group, conclusion.group, due_at)
    if not as_read:
        s.queue.converge_soon([lease.key], request_id)
    elif not by_routine and delay.total_seconds() <= _LONGEST_DELAY_SECONDS:
        s.queue.converge_soon([lease.key], request_id, delay_seconds=round(delay.total_seconds()))


def tell_what_is_left(s: Services, group: Group, the_plan: Plan, request_id: str) -> None:
    """Add an activity when the group goes and its pools did not let go of all members in time."""
    troubles = (*the_plan.pools.troubles, *the_plan.pools.busy)
    if troubles:
        detail = f"The group is gone, and leaves members behind in its pools: {troubles[0]}"
        s.activities.add([activity(s, group, ActivityKind.GROUP_TROUBLED, detail, request_id)])


def _conclude_refresh(
    s: Services, lease: Lease, group: Group, outcome: Outcome, conclusion: Conclusion, request_id: str
) -> Conclusion:
    """Write down what the round has made of the group's refresh; look again when its next batch may begin."""
    if outcome.refresh is None:
        return conclusion
    after, the_plan, now = conclusion.group, outcome.plan, s.now()
    refresh = refreshes.conclude(s, lease, outcome.refresh, group, after, the_plan, request_id)
    due = look_again_at(refresh, after, the_plan, conclusion.look_again_at, now)
    return replace(conclusion, look_again_at=due)


def _tell_news(s: Services, before: Group, after: Group, request_id: str) -> None:
    """Add an activity when trouble begins, changes or ends."""
    pairs = (
        (before.observed.trouble, after.observed.trouble, "its wanted capacity"),
        (before.observed.pool_trouble, after.observed.pool_trouble, "its pools"),
    )
    for was, is_, what in pairs:
        if (was and was.reason) == (is_ and is_.reason):
            continue
        kind = ActivityKind.GROUP_TROUBLED if is_ else ActivityKind.GROUP_RECOVERED
        detail = is_.reason if is_ else f"What kept the group from {what} is over."
        s.activities.add([activity(s, after, kind, detail, request_id)])
