"""Samples, intakes and metrics as documents."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.documents.common import (
    ClientToken,
    Input,
    Link,
    Time,
    Uuid,
    self_link,
    utc,
    utc_or_none,
)
from chalicelib.api.documents.webhooks import TokenDocument
from chalicelib.core.intake import Intake, intake_url
from chalicelib.core.meters import Meters
from chalicelib.intake.metrics.plain import PlainSamples


class NewSamples(PlainSamples, kw_only=True, forbid_unknown_fields=True):
    """Samples of the group that is named."""

    group_id: Uuid


class NewIntakeRotation(Input, kw_only=True):
    """A new URL for an intake. Servers that run keep the one before, which lives on: until the next rotation
    if ``keep_previous`` is null.

    Asked again with the same ``client_token`` (the answer was lost), the URL that nobody got ends instead.
    """  # noqa: D205

    keep_previous: Annotated[int, Meta(ge=0, le=366 * 86_400, description="Seconds.")] | None = None
    client_token: ClientToken | None = None


class IntakeDocument(msgspec.Struct, kw_only=True):
    """The intake of a group. ``url`` is shown only when it is new: on creation and rotation."""

    group_id: str
    project_id: str
    url: str | None
    tokens: list[TokenDocument]
    created_at: Time
    updated_at: Time
    links: list[Link]


def intake_document(intake: Intake, base: str, token: str | None = None) -> IntakeDocument:
    """Return the intake as it is shown."""
    return IntakeDocument(
        group_id=intake.group_id,
        project_id=intake.project_id,
        url=None if token is None else intake_url(intake.base, token),
        tokens=[
            TokenDocument(issued_at=utc(each.issued_at), expires_at=utc_or_none(each.expires_at))
            for each in intake.tokens
        ],
        created_at=utc(intake.created_at),
        updated_at=utc(intake.updated_at),
        links=self_link(base, f"/v1/groups/{intake.group_id}/intake"),
    )


class MetricDocument(msgspec.Struct, kw_only=True):
    """One series of a group; ``last_seen`` is when its last sample came, give or take an hour."""

    name: str
    dimensions: dict[str, str]
    last_seen: Time


class MetricList(msgspec.Struct, kw_only=True):
    """All series of a group."""

    metrics: list[MetricDocument]
    links: list[Link]


def metric_list(meters: Meters) -> MetricList:
    """Return the group's series, in the order of their names."""
    documents = [
        MetricDocument(name=metric, dimensions=dict(dimensions), last_seen=utc(at))
        for (metric, dimensions), at in sorted(meters.seen.items())
    ]
    return MetricList(metrics=documents, links=[])
