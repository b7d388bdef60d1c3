"""What a round says of itself: one line in the log, with what operators measure by it."""

from __future__ import annotations

import logging
from datetime import datetime

from chalicelib.core.group import Group, TroubleKind
from chalicelib.core.plan import Plan
from chalicelib.core.round import Conclusion, Setback
from chalicelib.ports import Services
from chalicelib.telemetry import (
    CONVERGENCE_LAG,
    ERRORS,
    ROUNDS,
    SETTLING,
    WORK_SECONDS,
    Measure,
    about,
)

_log = logging.getLogger(__name__)


def tell_round(
    s: Services,
    group: Group,
    plan: Plan | None,
    setback: Setback | None,
    conclusion: Conclusion,
    *,
    request_id: str,
    began: datetime,
) -> None:
    """Log how a round leaves ``group``, which is as the round found it."""
    now, after = s.now(), conclusion.group
    seen, trouble = after.observed, after.trouble or after.pool_trouble
    error = _error(plan, setback)
    measures: list[Measure] = [(ROUNDS, 1), (WORK_SECONDS, (now - began).total_seconds())]
    if not after.settled:
        measures.append((CONVERGENCE_LAG, conclusion.lag.total_seconds()))
    elif not group.settled:
        measures.append((SETTLING, conclusion.lag.total_seconds()))
    if error is not None:
        measures.append((ERRORS, 1))
    told = about(
        *measures,
        request_id=request_id,
        project_id=group.project_id,
        group_id=group.id,
        generation=group.generation,
        work="round",
        result="settled" if after.settled else "unsettled",
        trouble=_hindrance(after, plan, now),
        reason=trouble.reason if trouble else None,
        kind=error,
        steps=len(plan.steps) if plan else 0,
        in_service=seen.in_service,
        current_size=seen.current_size,
        wanted=group.wanted_capacity(),
        look_again_at=conclusion.look_again_at,
    )
    _log.info("round", extra=told)


def tell_end(s: Services, group: Group, result: str, *, request_id: str, began: datetime) -> None:
    """Log a round that came to no conclusion: its group is gone, or another round's."""
    told = about(
        (ROUNDS, 1),
        (WORK_SECONDS, (s.now() - began).total_seconds()),
        request_id=request_id,
        project_id=group.project_id,
        group_id=group.id,
        work="round",
        result=result,
    )
    _log.log(logging.WARNING if result == LEASE_LOST else logging.INFO, "round", extra=told)


LEASE_LOST = "lease_lost"
"""The round outlived its lease, and stopped."""
ENDED = "ended"
"""The group was deleted."""


def _hindrance(after: Group, plan: Plan | None, now: datetime) -> str:
    """Return what keeps a group from what it wants, for the operator: ``none`` is what to be woken for.

    Trouble with pools is the balancer's, whatever its kind. A drain keeps nobody else: it counts only where
    all that are wanted serve.
    """
    if after.trouble is not None:
        return after.trouble.kind.value
    if after.pool_trouble is not None:
        return TroubleKind.BALANCER.value
    if after.frozen(now):
        return "frozen"
    complete = after.observed.in_service == after.observed.current_size == after.wanted_capacity()
    drains = plan is not None and plan.pools.drained_at is not None
    return "draining" if drains and complete else "none"


def _error(plan: Plan | None, setback: Setback | None) -> TroubleKind | None:
    """Return what went wrong in this very round; a refusal of before that still stands did not."""
    if setback is not None:
        return setback.kind
    return TroubleKind.BUILD if plan is not None and plan.failed_builds else None
