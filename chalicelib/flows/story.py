"""Activities: the lines of a group's story."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.group import Group
from chalicelib.core.ids import ActivityId, MemberId
from chalicelib.ports import Services


def activity(
    s: Services,
    group: Group,
    kind: ActivityKind,
    detail: str,
    request_id: str,
    members: Sequence[MemberId] = (),
) -> Activity:
    """Return a new line of the group's story, as of now."""
    return Activity(
        project_id=group.project_id,
        group_id=group.id,
        id=ActivityId(s.new_id()),
        kind=kind,
        detail=detail,
        members=tuple(members),
        request_id=request_id,
        created_at=s.now(),
    )
