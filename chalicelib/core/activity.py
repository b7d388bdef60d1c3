"""The activity: what was done to a group, and why. Immutable; the whole story of members that are gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.core.ids import ActivityId, GroupId, MemberId, ProjectId


class ActivityKind(StrEnum):
    """What happened."""

    GROUP_CREATED = "group_created"
    GROUP_CHANGED = "group_changed"
    GROUP_DELETION_ASKED = "group_deletion_asked"
    GROUP_TROUBLED = "group_troubled"
    GROUP_RECOVERED = "group_recovered"
    MEMBERS_REQUESTED = "members_requested"
    MEMBERS_REFUSED = "members_refused"
    MEMBER_IN_SERVICE = "member_in_service"
    MEMBER_DRAINING = "member_draining"
    MEMBER_REMOVED = "member_removed"
    MEMBER_GONE = "member_gone"
    POOL_CHANGED = "pool_changed"
    STRAY_REMOVED = "stray_removed"
    REFRESH_BEGUN = "refresh_begun"
    REFRESH_PAUSED = "refresh_paused"
    REFRESH_RESUMED = "refresh_resumed"
    REFRESH_ENDED = "refresh_ended"
    MEMBER_APPEARED = "member_appeared"
    HEAT_ASKED = "heat_asked"
    SIZE_DRIFTED = "size_drifted"
    SOURCE_SILENT = "source_silent"
    SOURCE_HEARD = "source_heard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One thing that was done to a group.

    Attributes:
        id: sorts by time within a group.
        members: whom it was done to.
        request_id: the request that set it in motion, as far as it is known.
    """

    project_id: ProjectId
    group_id: GroupId
    id: ActivityId
    kind: ActivityKind
    detail: str
    members: tuple[MemberId, ...]
    request_id: str
    created_at: datetime
