"""Refreshes as documents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chalicelib.api.documents.common import ClientToken, Input, Link, Size, Time, self_link, utc
from chalicelib.core.group import Group
from chalicelib.core.ids import RefreshId
from chalicelib.core.refresh import Refresh, RefreshStatus

BatchSize = Annotated[int, Meta(ge=1, le=10_000, description="A number of members.")]
PauseSeconds = Annotated[int, Meta(ge=0, le=86_400, description="Seconds.")]


class NewRefresh(Input, kw_only=True):
    """How the members of a group are to be replaced.

    Without a min_in_service all that are wanted but a batch have to serve.
    """

    batch_size: BatchSize = 1
    min_in_service: Size | None = None
    pause_seconds: PauseSeconds = 0
    replace_all: bool = False
    client_token: ClientToken | None = None

    def to_refresh(self, group: Group, id_: str, now: datetime, fingerprint: str | None) -> Refresh:
        """Return the refresh of the group as it is."""
        return Refresh(
            project_id=group.project_id,
            group_id=group.id,
            id=RefreshId(id_),
            status=RefreshStatus.RUNNING,
            batch_size=self.batch_size,
            min_in_service=self.min_in_service,
            pause_seconds=self.pause_seconds,
            replace_all=self.replace_all,
            launch_configuration_id=group.owned_configuration_id,
            created_at=now,
            updated_at=now,
            fingerprint=fingerprint,
        )


class RefreshPatch(Input, kw_only=True):
    """What is to change of a refresh that has not ended."""

    paused: bool


class RefreshDocument(msgspec.Struct, kw_only=True):
    """A refresh; ``spared`` counts the old members that are left as they are, for they are protected."""

    id: str
    group_id: str
    project_id: str
    status: Literal["running", "paused", "succeeded", "aborted", "failed"]
    status_reason: str | None
    batch_size: int
    min_in_service: int | None
    pause_seconds: int
    replace_all: bool
    launch_configuration_id: str
    replaced: int
    remaining: int
    spared: int
    batches: int
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]


class RefreshList(msgspec.Struct, kw_only=True):
    """Part of a group's refreshes, newest first."""

    refreshes: list[RefreshDocument]
    links: list[Link]


def refresh_document(refresh: Refresh, base: str) -> RefreshDocument:
    """Return the refresh as it is shown."""
    return RefreshDocument(
        id=refresh.id,
        group_id=refresh.group_id,
        project_id=refresh.project_id,
        status=refresh.status.value,
        status_reason=refresh.status_reason,
        batch_size=refresh.batch_size,
        min_in_service=refresh.min_in_service,
        pause_seconds=refresh.pause_seconds,
        replace_all=refresh.replace_all,
        launch_configuration_id=refresh.launch_configuration_id,
        replaced=refresh.replaced,
        remaining=refresh.remaining,
        spared=refresh.spared,
        batches=refresh.batches,
        generation=refresh.generation,
        created_at=utc(refresh.created_at),
        updated_at=utc(refresh.updated_at),
        links=self_link(base, f"/v1/groups/{refresh.group_id}/refreshes/{refresh.id}"),
    )
