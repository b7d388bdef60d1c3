"""``POST /servers``: what Nova's schema allows, and the servers that come of it."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from dev.simcloud.faults import Effect, Faults
from dev.simcloud.messages import Document, Malformed, Refused, Response, invalid, maybe, need
from dev.simcloud.nova import addresses, documents
from dev.simcloud.nova.call import Call, Version
from dev.simcloud.nova.quotas import allowed_count
from dev.simcloud.nova.routing import Router
from dev.simcloud.records import Build, Flavor, Server
from dev.simcloud.world import FLAVORS, IMAGE_ID, ZONES, World

_FIELDS = frozenset(
    {
        "OS-DCF:diskConfig",
        "accessIPv4",
        "accessIPv6",
        "adminPass",
        "availability_zone",
        "block_device_mapping_v2",
        "config_drive",
        "flavorRef",
        "imageRef",
        "key_name",
        "max_count",
        "metadata",
        "min_count",
        "name",
        "networks",
        "return_reservation_id",
        "security_groups",
        "user_data",
    }
)
_FIELDS_SINCE: dict[str, Version] = {
    "description": (2, 19),
    "tags": (2, 52),
    "trusted_image_certificates": (2, 63),
    "host": (2, 74),
    "hypervisor_hostname": (2, 74),
    "hostname": (2, 90),
}
_NETWORKS_REQUIRED: Version = (2, 37)
_NAME_LENGTH = 255
_TAG = "^[^,/]*$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """The creation of servers."""

    world: World
    faults: Faults
    base_url: str

    def add_to(self, router: Router) -> None:
        """Add what this answers to ``router``."""
        router.add("POST", "/servers", self.create)

    def create(self, call: Call) -> Response:
        """Create as many servers as asked for, or as the quota allows; answer with the first alone."""
        body = call.request.document()
        asked = need(body, "server", dict)
        _check_schema(asked, call.version)
        call.check("servers:create", "member")
        flavor = _flavor(asked)
        _check_image(asked)
        _check_zone(asked)
        servers = addresses.given(self.world, asked.get("networks"), self._create(call, body, flavor))
        self.world.servers.update({server.id: server for server in servers})
        first = servers[0]
        if asked.get("return_reservation_id"):
            return Response(status=202, body={"reservation_id": first.reservation_id})
        shown = documents.created(first, self.base_url, secrets.token_urlsafe(9))
        location = f"{self.base_url}/compute/v2.1/servers/{first.id}"
        return Response(status=202, body={"server": shown}, headers={"Location": location})

    def _create(self, call: Call, body: Document, flavor: Flavor) -> list[Server]:
        asked = body["server"]
        min_count = _count(asked, "min_count", 1)
        max_count = _count(asked, "max_count", min_count)
        if min_count > max_count:
            raise Malformed("min_count must be <= max_count")
        count = allowed_count(self.world, call.project_id or "", flavor, min_count, max_count)
        numbered = (f"{asked['name']}-{number}" for number in range(1, count + 1))
        names = [asked["name"]] if count == 1 else list(numbered)
        reservation_id = f"r-{secrets.token_hex(4)}"
        return [self._server(call, body, flavor, name, reservation_id) for name in names]

    def _server(self, call: Call, body: Document, flavor: Flavor, name: str, reservation_id: str) -> Server:
        asked, now = body["server"], self.world.now()
        return Server(
            id=str(uuid.uuid4()),
            name=name,
            project_id=call.project_id or "",
            user_id=call.caller.user_id,
            flavor_id=flavor.id,
            image_id=asked.get("imageRef") or "",
            reservation_id=reservation_id,
            zone=asked.get("availability_zone"),
            key_name=asked.get("key_name"),
            user_data=asked.get("user_data"),
            description=asked.get("description"),
            build=self._build(name, flavor),
            created_at=now,
            built_at=now + timedelta(seconds=self.world.build_seconds),
            updated_at=now,
            hidden_until=self._hidden_until(name),
            metadata=asked.get("metadata") or {},
            tags=tuple(dict.fromkeys(asked.get("tags") or ())),
            scheduler_hints=body.get("os:scheduler_hints") or {},
        )

    def _hidden_until(self, name: str) -> datetime | None:
        fault = self.faults.for_server(name, Effect.HIDE)
        return None if fault is None else self.world.now() + timedelta(seconds=fault.hide_seconds)

    def _build(self, name: str, flavor: Flavor) -> Build:
        fault = self.faults.for_server(name, Effect.BUILD_ERROR, Effect.BUILD_NEVER)
        if fault is not None:
            return Build.FAILS if fault.what is Effect.BUILD_ERROR else Build.NEVER_ENDS
        return Build.SUCCEEDS if flavor.fits else Build.FAILS


def check_tag(place: str, tag: object) -> None:
    """Refuse what cannot be a tag; ``place`` names where it stood."""
    if not isinstance(tag, str):
        raise invalid(place, tag, "is not of type 'string'")
    if not re.match(_TAG, tag):
        raise invalid(place, tag, f"does not match {_TAG!r}")


def check_metadata(metadata: Document) -> None:
    """Refuse metadata that is not text."""
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise invalid(key, value, "is not of type 'string'")


def _check_schema(asked: Document, version: Version) -> None:
    allowed = _FIELDS | {name for name, since in _FIELDS_SINCE.items() if version >= since}
    unknown = [name for name in asked if name not in allowed]
    if unknown:
        why = f"Additional properties are not allowed ({unknown[0]!r} was unexpected)"
        raise Malformed(f"Invalid input for field/attribute server. Value: {asked}. {why}")
    _check_name(need(asked, "name", str, within="server"))
    need(asked, "flavorRef", object, within="server")
    _check_networks(asked, version)
    check_metadata(maybe(asked, "metadata", dict) or {})
    for number, tag in enumerate(maybe(asked, "tags", list) or []):
        check_tag(str(number), tag)
    _check_user_data(maybe(asked, "user_data", str) or "")


def _check_name(name: str) -> None:
    if not name:
        raise invalid("name", name, "should be non-empty")
    if len(name) > _NAME_LENGTH:
        raise invalid("name", name, "is too long")


def _check_networks(asked: Document, version: Version) -> None:
    if version < _NETWORKS_REQUIRED:
        maybe(asked, "networks", list)
        return
    networks = need(asked, "networks", object, within="server")
    if networks not in ("none", "auto") and not isinstance(networks, list):
        raise invalid("networks", networks, "is not valid under any of the given schemas")


def _check_user_data(user_data: str) -> None:
    try:
        base64.b64decode(user_data)
    except binascii.Error:
        raise invalid("user_data", user_data, "is not a 'base64'") from None


def _count(asked: Document, name: str, default: int) -> int:
    value = asked.get(name, default)
    if not re.fullmatch("[0-9]+", str(value)):
        raise invalid(name, value, "does not match '^[0-9]*$'")
    if int(value) < 1:
        raise invalid(name, value, "is less than the minimum of 1")
    return int(value)


def _flavor(asked: Document) -> Flavor:
    flavor_id = str(asked["flavorRef"])
    if flavor_id not in FLAVORS:
        raise Malformed(f"Flavor {flavor_id} could not be found.")
    return FLAVORS[flavor_id]


def _check_image(asked: Document) -> None:
    image_id = asked.get("imageRef")
    if not image_id:
        if not asked.get("block_device_mapping_v2"):
            raise Malformed("Missing imageRef attribute")
        return
    try:
        uuid.UUID(image_id)
    except ValueError:
        raise invalid("imageRef", image_id, "is not valid under any of the given schemas") from None
    if image_id != IMAGE_ID:
        raise Malformed("Can not find requested image")


def _check_zone(asked: Document) -> None:
    zone = asked.get("availability_zone")
    if zone is not None and zone not in ZONES:
        raise Refused(400, "The requested availability zone is not available")
