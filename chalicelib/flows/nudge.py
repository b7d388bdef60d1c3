"""Ask for a round soon. A hint only: a group that was written is due, and the minute's sweep finds it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from chalicelib.core.errors import Unavailable
from chalicelib.core.group import Group
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey
from chalicelib.telemetry import ERRORS, UNAVAILABLE, about

_log = logging.getLogger(__name__)

_TOLD_MAX = 10
"""A line names so many groups; a sweep may pass on a thousand."""


def nudge(s: Services, group: Group, request_id: str) -> None:
    """Put the group on the queue; if the queue does not answer, leave it to the sweep."""
    nudge_all(s, [key_of(group)], request_id)


def nudge_all(s: Services, keys: Sequence[GroupKey], request_id: str) -> None:
    """Put these groups on the queue; if the queue does not answer, leave them to the next sweep."""
    if not keys:
        return
    try:
        s.queue.converge_soon(keys, request_id)
    except Unavailable as error:
        ids = [key.group_id for key in keys[:_TOLD_MAX]]
        told = about((ERRORS, 1), kind=UNAVAILABLE, code=error.code, request_id=request_id, group_ids=ids)
        _log.warning("the queue does not answer: %d groups wait for the sweep", len(keys), extra=told)


def key_of(group: Group) -> GroupKey:
    """Return what names the group across projects."""
    return GroupKey(project_id=group.project_id, group_id=group.id)
