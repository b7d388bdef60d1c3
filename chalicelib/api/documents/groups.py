"""Groups as documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chalicelib.api.documents.common import (
    ClientToken,
    CooldownSeconds,
    Input,
    Link,
    Name,
    Size,
    Time,
    Uuid,
    consists_of,
    given_or,
    given_time,
    self_link,
    utc,
    utc_or_none,
)
from chalicelib.api.documents.heat import HeatDocument, HeatFields, heat_document
from chalicelib.api.documents.load_balancers import (
    LoadBalancerDocument,
    NewLoadBalancers,
    load_balancer_document,
    to_pools,
)
from chalicelib.core.capacity import Bounds
from chalicelib.core.errors import Invalid
from chalicelib.core.group import Freeze, Group, RemovalOrder
from chalicelib.core.ids import CredentialId, GroupId, LaunchConfigurationId, ProjectId
from chalicelib.core.pool import former_after

BuildTimeoutSeconds = Annotated[int, Meta(ge=30, le=86_400, description="Seconds.")]
Zones = Annotated[
    list[Annotated[str, consists_of(r"[A-Za-z0-9._-]+", min_length=1, max_length=255)]],
    Meta(max_length=20),
]
Order = Literal["oldest", "newest", "oldest_configuration"]


class NewGroup(Input, kw_only=True):
    """A group to be made."""

    name: Name
    launch_configuration_id: Uuid | None = None
    heat: HeatFields | None = None
    credential_id: Uuid
    min_size: Size = 0
    max_size: Size
    desired_capacity: Size | None = None
    cooldown: CooldownSeconds = 300
    removal_order: Order | UnsetType = UNSET
    availability_zones: Zones | UnsetType = UNSET
    build_timeout: BuildTimeoutSeconds | UnsetType = UNSET
    load_balancers: NewLoadBalancers | UnsetType = UNSET
    client_token: ClientToken | None = None

    def to_group(self, project_id: ProjectId, id_: str, now: datetime, fingerprint: str | None) -> Group:
        """Return the group; without a desired_capacity it wants min_size members.

        Raises:
            Invalid: it is of none or of two kinds, or has a field that its kind does not know.
        """
        if (self.launch_configuration_id is None) == (self.heat is None):
            raise Invalid("group.kind", "A group has either a launch_configuration_id or heat.")
        if self.heat is not None:
            _refuse_fields_of_owned(self)
        configuration_id = self.launch_configuration_id
        bounds = Bounds(min_size=self.min_size, max_size=self.max_size)
        desired = self.min_size if self.desired_capacity is None else self.desired_capacity
        return Group(
            project_id=project_id,
            id=GroupId(id_),
            name=self.name,
            launch_configuration_id=LaunchConfigurationId(configuration_id) if configuration_id else None,
            heat=self.heat.to_target() if self.heat is not None else None,
            credential_id=CredentialId(self.credential_id),
            bounds=bounds,
            desired_capacity=desired,
            cooldown_seconds=self.cooldown,
            removal_order=RemovalOrder(given_or(self.removal_order, "oldest")),
            availability_zones=tuple(given_or(self.availability_zones, [])),
            build_timeout_seconds=given_or(self.build_timeout, 600),
            load_balancers=to_pools(given_or(self.load_balancers, [])),
            created_at=now,
            updated_at=now,
            fingerprint=fingerprint,
        )


class GroupPatch(Input, kw_only=True):
    """What is to change of a group; what is left out stays."""

    name: Name | UnsetType = UNSET
    launch_configuration_id: Uuid | UnsetType = UNSET
    credential_id: Uuid | UnsetType = UNSET
    min_size: Size | UnsetType = UNSET
    max_size: Size | UnsetType = UNSET
    desired_capacity: Size | UnsetType = UNSET
    cooldown: CooldownSeconds | UnsetType = UNSET
    removal_order: Order | UnsetType = UNSET
    availability_zones: Zones | UnsetType = UNSET
    build_timeout: BuildTimeoutSeconds | UnsetType = UNSET
    load_balancers: NewLoadBalancers | UnsetType = UNSET

    def applied_to(self, group: Group) -> Group:
        """Return the group as it is to be; members leave the pools that are not on the list any more.

        Raises:
            Invalid: a field is given that its kind does not know.
        """
        if group.heat is not None:
            _refuse_fields_of_owned(self)
        given = self.launch_configuration_id
        pools = group.load_balancers
        if not isinstance(self.load_balancers, UnsetType):
            pools = to_pools(self.load_balancers)
        return replace(
            group.wanting(given_or(self.desired_capacity, group.desired_capacity)),
            name=given_or(self.name, group.name),
            launch_configuration_id=(
                group.launch_configuration_id if given is UNSET else LaunchConfigurationId(given)
            ),
            credential_id=CredentialId(given_or(self.credential_id, group.credential_id)),
            bounds=Bounds(
                min_size=given_or(self.min_size, group.bounds.min_size),
                max_size=given_or(self.max_size, group.bounds.max_size),
            ),
            cooldown_seconds=given_or(self.cooldown, group.cooldown_seconds),
            removal_order=RemovalOrder(given_or(self.removal_order, group.removal_order.value)),
            availability_zones=tuple(given_or(self.availability_zones, list(group.availability_zones))),
            build_timeout_seconds=given_or(self.build_timeout, group.build_timeout_seconds),
            load_balancers=pools,
            former_pools=former_after(group.load_balancers, pools, group.former_pools),
        )


_OF_OWNED = (
    "launch_configuration_id",
    "removal_order",
    "availability_zones",
    "build_timeout",
    "load_balancers",
)


def _refuse_fields_of_owned(body: NewGroup | GroupPatch) -> None:
    """Refuse what is about making and choosing members, which is Heat's to do in this group."""
    given = [name for name in _OF_OWNED if getattr(body, name) not in (UNSET, None)]
    if given:
        raise Invalid(
            "group.heat_field", f"Heat makes and removes the members: {', '.join(given)} is not for it."
        )


class NewFreeze(Input, kw_only=True):
    """Why a group is to stand still, and until when (null: until thawed)."""

    reason: Annotated[str, Meta(min_length=1, max_length=1024)]
    until: Annotated[datetime, Meta(tz=True)] | None = None

    def to_freeze(self) -> Freeze:
        """Return the freeze."""
        return Freeze(reason=self.reason, until=given_time(self.until))


class FreezeDocument(msgspec.Struct, kw_only=True):
    """Why a group stands still, and until when."""

    reason: str
    until: Time | None


class GroupDocument(msgspec.Struct, kw_only=True):
    """A group."""

    id: str
    project_id: str
    name: str
    launch_configuration_id: str | None
    heat: HeatDocument | None
    credential_id: str
    min_size: int
    max_size: int
    desired_capacity: int
    cooldown: int
    removal_order: Order | None
    availability_zones: list[str]
    build_timeout: int | None
    load_balancers: list[LoadBalancerDocument]
    status: Literal["active", "converging", "error", "credential_error", "frozen", "deleting"]
    status_reason: str | None
    retry_at: Time | None
    current_size: int
    in_service: int
    outdated: int
    refresh_id: str | None
    freeze: FreezeDocument | None
    generation: int
    created_at: Time
    updated_at: Time
    links: list[Link]


class GroupList(msgspec.Struct, kw_only=True):
    """Part of a project's groups."""

    groups: list[GroupDocument]
    links: list[Link]


def group_document(group: Group, base: str, now: datetime) -> GroupDocument:
    """Return the group as it is shown at ``now``."""
    status, reason = group.status(now)
    freeze = group.freeze if group.frozen(now) else None
    trouble = group.trouble or group.pool_trouble
    path = f"/v1/groups/{group.id}"
    return GroupDocument(
        id=group.id,
        project_id=group.project_id,
        name=group.name,
        launch_configuration_id=group.launch_configuration_id,
        heat=heat_document(group.heat) if group.heat else None,
        credential_id=group.credential_id,
        min_size=group.bounds.min_size,
        max_size=group.bounds.max_size,
        desired_capacity=group.desired_capacity,
        cooldown=group.cooldown_seconds,
        removal_order=None if group.heat else group.removal_order.value,
        availability_zones=list(group.availability_zones),
        build_timeout=None if group.heat else group.build_timeout_seconds,
        load_balancers=[load_balancer_document(pool) for pool in group.load_balancers],
        status=status.value,
        status_reason=reason,
        retry_at=utc_or_none(trouble.retry_at if trouble else None),
        current_size=group.observed.current_size,
        in_service=group.observed.in_service,
        outdated=group.observed.outdated,
        refresh_id=group.refresh_id,
        freeze=freeze_document(freeze) if freeze else None,
        generation=group.generation,
        created_at=utc(group.created_at),
        updated_at=utc(group.updated_at),
        links=[*self_link(base, path), Link(rel="members", href=f"{base}{path}/members")],
    )


def freeze_document(freeze: Freeze) -> FreezeDocument:
    """Return the freeze as it is shown."""
    return FreezeDocument(reason=freeze.reason, until=utc_or_none(freeze.until))
