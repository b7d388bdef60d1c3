"""What the service says of itself: versions, health, limits, its OpenAPI document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

import msgspec
from chalice.app import Blueprint

from chalicelib.api import openapi
from chalicelib.api.context import Call
from chalicelib.api.documents.common import Link
from chalicelib.api.documents.resources import LimitsDocument, QuotaDocument, RatesDocument
from chalicelib.api.operation import Access, Reply, operation
from chalicelib.core.errors import Unavailable
from chalicelib.core.quota import Quota

blueprint = Blueprint(__name__)


class VersionDocument(msgspec.Struct, kw_only=True):
    """A version of the API."""

    id: Literal["v1"]
    status: Literal["CURRENT"]
    links: list[Link]


class VersionList(msgspec.Struct, kw_only=True):
    """The versions of the API."""

    versions: list[VersionDocument]


class HealthDocument(msgspec.Struct, kw_only=True):
    """Whether the service can do its work."""

    status: Literal["ok"]


@operation(blueprint, "GET", "/", access=Access.OPEN, answers={200: VersionList})
def list_versions(call: Call) -> Reply:
    """List the versions of the API."""
    links = [
        Link(rel="self", href=f"{call.base}/v1/"),
        Link(rel="describedby", href=f"{call.base}/v1/openapi.json"),
    ]
    return Reply(VersionList(versions=[VersionDocument(id="v1", status="CURRENT", links=links)]))


@operation(blueprint, "GET", "/healthcheck", access=Access.OPEN, answers={200: HealthDocument})
def check_health(call: Call) -> Reply:
    """Say whether the tables answer."""
    if not call.services.usage.reachable():
        raise Unavailable("tables.unavailable", "The tables do not answer.", retry_after_seconds=5)
    return Reply(HealthDocument(status="ok"))


@operation(blueprint, "GET", "/v1/limits", answers={200: LimitsDocument})
def show_limits(call: Call) -> Reply:
    """Show what the project may have, and what it has."""
    used = call.services.usage.of_project(call.caller.project_id)
    limits = call.services.limits
    rates = RatesDocument(**asdict(limits.rates))
    return Reply(LimitsDocument(limits=_quota(limits.quota), used=_quota(used), rates=rates))


def _quota(quota: Quota) -> QuotaDocument:
    return QuotaDocument(
        groups=quota.groups,
        members=quota.members,
        policies=quota.policies,
        webhooks=quota.webhooks,
        launch_configurations=quota.launch_configurations,
        credentials=quota.credentials,
        alarms=quota.alarms,
        schedules=quota.schedules,
    )


@operation(blueprint, "GET", "/v1/openapi.json", access=Access.OPEN, answers={200: dict})
def show_openapi(call: Call) -> Reply:
    """Show this document."""
    from chalicelib.api import nouns  # noqa: PLC0415  (which imports this module)

    return Reply(openapi.document(nouns.operations(), call.base))
