"""How closely samples are kept: in periods of 10 s while an alarm or a policy looks that closely."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.core.alarm import Alarm, ThresholdRule
from chalicelib.core.fold import COARSE_SECONDS
from chalicelib.core.policy import Policy
from chalicelib.core.tracking import TargetTracking
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey


def attend(s: Services, was: Alarm | Policy | None, new: Alarm | Policy | None) -> None:
    """Have samples kept as ``new`` needs them, and no closer than anybody needs them without ``was``.

    What comes before this, in the half minute that it takes to be known everywhere, or if we die first, is
    kept in minutes: what looks closely then finds nothing yet, and nothing scales. The minute's judging makes
    it good (``keep``), also where one that came and one that went did not see each other.
    """
    closely, before = _looked_at_closely(new), _looked_at_closely(was)
    if new is not None and closely is not None:
        s.meters.watch(_key(new), closely, fine=True)
    if was is not None and before is not None and before != closely and not _needed(s, was, before):
        s.meters.watch(_key(was), before, fine=False)


def keep(s: Services, key: GroupKey, watched: Iterable[Alarm | Policy]) -> None:
    """Have samples kept as closely as all of ``watched``, which are of one group, look at them."""
    for metric in sorted({metric for one in watched if (metric := _looked_at_closely(one)) is not None}):
        s.meters.watch(key, metric, fine=True)


def _needed(s: Services, gone: Alarm | Policy, metric: str) -> bool:
    key = _key(gone)
    others: list[Alarm | Policy] = [
        *s.alarms.of_group(key.project_id, key.group_id),
        *s.policies.of_group(key.project_id, key.group_id),
    ]
    return any(other.id != gone.id and _looked_at_closely(other) == metric for other in others)


def looks_closely(one: Alarm | Policy) -> bool:
    """Return whether an alarm or a policy looks at its metric in periods shorter than a minute."""
    return _looked_at_closely(one) is not None


def _looked_at_closely(one: Alarm | Policy | None) -> str | None:
    """Return the metric that is looked at in periods shorter than a minute."""
    rule = None if one is None else one.rule
    if isinstance(rule, ThresholdRule | TargetTracking) and rule.period_seconds < COARSE_SECONDS:
        return rule.metric
    return None


def _key(one: Alarm | Policy) -> GroupKey:
    return GroupKey(project_id=one.project_id, group_id=one.group_id)
