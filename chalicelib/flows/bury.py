"""The end of a group: its members are gone; now what belongs to it goes, and then itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from chalicelib.core import alarm_history
from chalicelib.core.alarm import Alarm
from chalicelib.core.errors import NotFound, Stale
from chalicelib.core.group import Group
from chalicelib.core.ids import PolicyId, ProjectId
from chalicelib.core.policy import Policy
from chalicelib.flows import alarms, intakes, webhooks
from chalicelib.ports import Services
from chalicelib.ports.storage import Lease, Page

T = TypeVar("T")

_PAGE = 100


def bury(s: Services, lease: Lease, group: Group) -> None:
    """Delete the group's alarms, schedules, policies with their webhooks, its intake, then the group.

    It may die anywhere and run again.
    """
    for alarm in _all(lambda marker: s.alarms.page(group.project_id, group.id, _PAGE, marker)):
        alarms.bury(s, group, alarm.id)
    for schedule in _all(lambda marker: s.schedules.page(group.project_id, group.id, _PAGE, marker)):
        with suppress(NotFound):
            s.schedules.delete(group.project_id, schedule.id)
    for policy in _all(lambda marker: s.policies.page(group.project_id, group.id, _PAGE, marker)):
        _delete_policy(s, group.project_id, policy.id)
    intakes.end(s, group.project_id, group.id)
    s.groups.remove(lease, group)


def bury_missed(s: Services, watched_alarms: Iterable[Alarm], watched_policies: Iterable[Policy]) -> None:
    """Delete what is watched of a group that is gone already.

    Made a moment before its group was deleted, it was not yet in the lists that ``bury`` goes by.
    """
    for alarm in watched_alarms:
        with suppress(NotFound, Stale):
            s.alarms.delete(alarm, alarm_history.deleted(alarm, None, s.now()))
    for policy in watched_policies:
        _delete_policy(s, policy.project_id, policy.id)


def _delete_policy(s: Services, project_id: ProjectId, policy_id: PolicyId) -> None:
    """Delete a policy's webhooks, for it is by the policy that they are found, then it and what it remembers.

    What is gone already is a success.
    """
    delete_webhooks(s, project_id, policy_id)
    with suppress(NotFound):
        s.policies.delete(project_id, policy_id)
    s.policy_states.delete(project_id, policy_id)


def delete_webhooks(s: Services, project_id: ProjectId, policy_id: PolicyId) -> None:
    """Delete a policy's webhooks with their tokens; what is gone already is a success."""
    for webhook in _all(lambda marker: s.webhooks.page(project_id, policy_id, _PAGE, marker)):
        with suppress(NotFound):
            webhooks.delete(s, project_id, webhook.id)


def _all(page: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """Yield the items of all pages; quotas bound how many there can be."""
    marker: str | None = None
    while True:
        part = page(marker)
        yield from part.items
        if part.marker is None:
            return
        marker = part.marker
