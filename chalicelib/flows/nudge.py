"""Ask for a round soon. A hint only: a group that was written is due, and the minute's sweep finds it."""

from __future__ import annotations

import logging

from chalicelib.core.errors import Unavailable
from chalicelib.core.group import Group
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey
from chalicelib.telemetry import ERRORS, UNAVAILABLE, about

_log = logging.getLogger(__name__)


def nudge(s: Services, group: Group, request_id: str) -> None:
    """Put the group on the queue; if the queue does not answer, leave it to the sweep."""
    try:
        s.queue.converge_soon([key_of(group)], request_id)
    except Unavailable:
        told = about((ERRORS, 1), kind=UNAVAILABLE, request_id=request_id, group_id=group.id)
        _log.warning("the queue does not answer: the group waits for the sweep", extra=told)


def key_of(group: Group) -> GroupKey:
    """Return what names the group across projects."""
    return GroupKey(project_id=group.project_id, group_id=group.id)
