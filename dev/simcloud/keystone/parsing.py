"""What trusts and application credentials have in common in their JSON: roles and instants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dev.simcloud.messages import Document, Malformed, Refused, Request, invalid, maybe
from dev.simcloud.world import ROLES, stable_id

_CLIENT_IN_ERROR = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect. "
    "The client is assumed to be in error."
)
_NAME_BY_ID = {stable_id("role", name): name for name in ROLES}


def body_of(request: Request) -> Document:
    """Return the JSON object that a request carries."""
    return request.document(f"Expecting to find valid JSON in request body. {_CLIENT_IN_ERROR}")


def client_in_error(why: str) -> Malformed:
    """Return a refusal in the words Keystone has for what its schemas let pass."""
    return Malformed(f"{why} {_CLIENT_IN_ERROR}")


def role_names(given: list[Any]) -> tuple[str, ...]:
    """Return the names of roles that are given by name or by id."""
    return tuple(_role_name(role) for role in given)


def instant_in(document: Document, name: str) -> datetime | None:
    """Return an optional instant; without an offset it is UTC."""
    text = maybe(document, name, str)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(name, text, "is not a 'date-time'") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _role_name(role: object) -> str:
    match role:
        case {"name": str(name)}:
            if name not in ROLES:
                raise Refused(404, f"Role {name} is not defined")
            return name
        case {"id": str(role_id)}:
            if role_id not in _NAME_BY_ID:
                raise Refused(404, f"Could not find role: {role_id}.")
            return _NAME_BY_ID[role_id]
        case _:
            raise Malformed(f"Invalid input for field/attribute roles. Value: {role}.")
