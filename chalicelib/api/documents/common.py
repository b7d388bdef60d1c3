"""What the documents of all nouns share."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, UnsetType

from chalicelib.ports.storage import Page

T = TypeVar("T")

Name = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$", description="Any printable text.")
]
Uuid = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Text = Annotated[str, Meta(max_length=1024)]
Size = Annotated[int, Meta(ge=0, le=10_000, description="A number of members.")]
CooldownSeconds = Annotated[int, Meta(ge=0, le=86_400, description="Seconds.")]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
ClientToken = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="Makes the request safe to repeat: the same token, the same thing, made once.",
    ),
]


class Link(msgspec.Struct, kw_only=True):
    """A link to something that goes with the document."""

    rel: str
    href: str


class Input(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a caller sends: a field that is not known is refused."""


def self_link(base: str, path: str) -> list[Link]:
    """Return the links of a single thing."""
    return [Link(rel="self", href=f"{base}{path}")]


def page_links(base: str, path: str, page: Page[Any], query: dict[str, str | int]) -> list[Link]:
    """Return the links of part of a list: the next part, if there is one."""
    if page.marker is None:
        return []
    said = "&".join(f"{name}={value}" for name, value in {**query, "marker": page.marker}.items())
    return [Link(rel="next", href=f"{base}{path}?{said}")]


def fingerprint(body: msgspec.Struct) -> str | None:
    """Return what tells two requests with one client_token apart; None for a request without one."""
    if getattr(body, "client_token", None) is None:
        return None
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()


def utc(moment: datetime) -> str:
    """Return the time as the API writes it: ISO 8601, UTC, with milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def utc_or_none(moment: datetime | None) -> str | None:
    """Return the time as the API writes it, or None."""
    return None if moment is None else utc(moment)


def given_or(given: T | UnsetType, present: T) -> T:
    """Return what a patch gives for a field, or what is there when it leaves the field out."""
    return present if isinstance(given, UnsetType) else given
