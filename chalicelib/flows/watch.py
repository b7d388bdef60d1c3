"""Each tick, for each shard: bring together what is to be judged of each group.

Alarms and metric policies lie in two indexes, both in the order of their groups. A part of both is read,
the groups that both reach are judged here, and the rest is passed on before that begins, so that a shard with
many groups is judged side by side.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from chalicelib.core.alarm import Alarm, CompositeRule
from chalicelib.core.errors import ThermostatError
from chalicelib.core.fold import FINE_SECONDS
from chalicelib.core.ids import GroupId
from chalicelib.core.policy import Policy
from chalicelib.flows.attention import keep, looks_closely
from chalicelib.flows.judge import judge
from chalicelib.ports import Services, Share
from chalicelib.ports.storage import GroupKey, Page
from chalicelib.telemetry import ERRORS, INTERNAL, JUDGED_GROUPS, UNAVAILABLE, WORK_SECONDS, about

_log = logging.getLogger(__name__)

_PART = 200
"""Alarms, and metric policies, that are read at once."""

_BEHIND = "$"
"""Behind a group's id, this sorts behind all that is of the group, whose ids follow a ``#``."""


@dataclass(slots=True)
class Watched:
    """What is judged of one group."""

    alarms: list[Alarm] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)


def watch(s: Services, share: Share, part: int = _PART) -> None:
    """Judge the alarms and metric policies of one part of a share, and have the parts behind it judged.

    What goes wrong with one group is logged and keeps no other from being judged; what there is no time for
    is passed on, too.
    """
    began, judged = s.now(), 0
    late = began + timedelta(seconds=s.limits.round_seconds)
    alarms = s.alarms.watched(share.shard, share.after, part)
    policies = s.policies.watched(share.shard, share.after, part)
    read = _read_until(alarms, policies)
    if read is not None and (share.until is None or read < share.until):
        s.queue.watch_soon([replace(share, after=read + _BEHIND)])
        share = replace(share, until=read)
    watched = _by_group(alarms.items, policies.items, share.until)
    for number, key in enumerate(sorted(watched, key=lambda key: key.group_id)):
        if number and s.now() > late:
            s.queue.watch_soon([share])
            break
        _judge_alone(s, key, watched[key], cut=key.group_id == read)
        share = replace(share, after=key.group_id + _BEHIND)
        judged = number + 1
    measures = ((JUDGED_GROUPS, judged), (WORK_SECONDS, (s.now() - began).total_seconds()))
    _log.info("watch", extra=about(*measures, work="watch", shard=share.shard))


def judge_promptly(s: Services, key: GroupKey) -> None:
    """Judge what looks closely at a group, for there is news; all else, and shrinking, awaits the tick."""
    alarms, policies = _all_of(s, key)
    close = [alarm for alarm in alarms if looks_closely(alarm) or isinstance(alarm.rule, CompositeRule)]
    tick_seconds = min(FINE_SECONDS, s.limits.tick_seconds)
    judge(s, key, close, [policy for policy in policies if looks_closely(policy)], tick_seconds, urgent=True)


def _judge_alone(s: Services, key: GroupKey, watched: Watched, *, cut: bool) -> None:
    """Judge a group; its trouble is its own."""
    try:
        _judge_whole(s, key, watched, cut=cut)
    except ThermostatError as error:
        told = about((ERRORS, 1), kind=UNAVAILABLE, code=error.code, **_names(key))
        _log.warning("the group was not judged: %s", error.detail, extra=told)
    except Exception:  # noqa: BLE001 -- the boundary between owners: it is one group's trouble
        told = about((ERRORS, 1), kind=INTERNAL, **_names(key))
        _log.exception("the group could not be judged", extra=told)


def _judge_whole(s: Services, key: GroupKey, watched: Watched, *, cut: bool) -> None:
    """Judge a group; of the one at the end of a part, that may not be all, so all of it is read."""
    alarms, policies = _all_of(s, key) if cut else (watched.alarms, watched.policies)
    keep(s, key, (*alarms, *policies))
    judge(s, key, alarms, policies, s.limits.tick_seconds)


def _all_of(s: Services, key: GroupKey) -> tuple[list[Alarm], list[Policy]]:
    alarms = s.alarms.of_group(key.project_id, key.group_id)
    policies = s.policies.of_group(key.project_id, key.group_id)
    return [alarm for alarm in alarms if alarm.watched], [policy for policy in policies if policy.watched]


def _read_until(alarms: Page[Alarm], policies: Page[Policy]) -> GroupId | None:
    """Return the last group that both pages reach, None when they reach the end."""
    ends = [page.items[-1].group_id for page in (alarms, policies) if page.marker is not None]
    return min(ends, default=None)


def _by_group(
    alarms: Iterable[Alarm], policies: Iterable[Policy], end: GroupId | None
) -> dict[GroupKey, Watched]:
    found: defaultdict[GroupKey, Watched] = defaultdict(Watched)
    for alarm in alarms:
        if _reached(alarm, end):
            found[_key(alarm)].alarms.append(alarm)
    for policy in policies:
        if _reached(policy, end):
            found[_key(policy)].policies.append(policy)
    return found


def _reached(item: Alarm | Policy, end: GroupId | None) -> bool:
    return end is None or item.group_id <= end


def _names(key: GroupKey) -> dict[str, str]:
    return {"project_id": key.project_id, "group_id": key.group_id}


def _key(item: Alarm | Policy) -> GroupKey:
    return GroupKey(project_id=item.project_id, group_id=item.group_id)
