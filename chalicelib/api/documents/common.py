"""What the documents of all nouns share."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, UnsetType

from chalicelib.core.errors import Invalid
from chalicelib.ports.storage import Page

T = TypeVar("T")


def consists_of(pattern: str, **more: Any) -> Meta:
    r"""Return what holds a string, from end to end, to ``pattern``.

    Python's ``$`` also matches before a line break at the end, hence ``\Z``; see ``openapi.portable``.
    """
    return Meta(pattern=rf"^{pattern}\Z", **more)


Name = Annotated[
    str, consists_of(r"[^\x00-\x1f\x7f]+", min_length=1, max_length=255, description="Any printable text.")
]
Uuid = Annotated[str, consists_of(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
Word = Annotated[str, Meta(min_length=1, max_length=255)]
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


def fingerprint(body: msgspec.Struct, *, secret: str | None = None) -> str | None:
    """Return what tells two requests with one client_token apart; None for a request without one.

    Args:
        secret: the field that is left out, for what is stored must not help to guess it.
    """
    if getattr(body, "client_token", None) is None:
        return None
    said = {name: value for name, value in msgspec.to_builtins(body).items() if name != secret}
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def deeper_than(levels_max: int, *documents: Any) -> bool:
    """Return whether one of the documents is nested deeper."""
    level = list(documents)
    for _ in range(levels_max + 1):
        inner = [list(value.values()) if isinstance(value, dict) else value for value in level]
        level = [child for children in inner if isinstance(children, list) for child in children]
    return bool(level)


def given_time(moment: datetime | None) -> datetime | None:
    """Return a time that a caller gave, in whatever zone, in UTC.

    Raises:
        Invalid: at the very ends of the calendar there is no such time in UTC.
    """
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise Invalid("request.time", "A time lies, in UTC, in the years 1 to 9999.") from error


def utc(moment: datetime) -> str:
    """Return the time as the API writes it: ISO 8601, UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_or_none(moment: datetime | None) -> str | None:
    """Return the time as the API writes it, or None."""
    return None if moment is None else utc(moment)


def given_or(given: T | UnsetType, present: T) -> T:
    """Return what a patch gives for a field, or what is there when it leaves the field out."""
    return present if isinstance(given, UnsetType) else given
