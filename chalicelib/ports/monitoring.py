"""What flows need of a backend that evaluates alarms in our place. A backend is one module.

Two alarms of one backend never get in each other's way: whatever the backend calls ours, it carries
``external_name``, by which it is found again when an answer was lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chalicelib.core.alarm import Alarm, AlarmState
    from chalicelib.core.credential import Credential
    from chalicelib.core.ids import AlarmId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the backend says of an alarm at this moment."""

    state: AlarmState
    reason: str


def external_name(alarm_id: AlarmId) -> str:
    """Return the name that an alarm of ours has in its backend."""
    return f"thermostat-{alarm_id}"


class Monitoring(Protocol):
    """Alarms in a backend, in the project of a credential and by its right.

    Every call but ``require_possible`` asks the backend, and may raise:
        CredentialBroken: as every call of ``ports.cloud.Cloud``.
        Conflict: this cloud has no such backend.
        Forbidden, Invalid: the backend refuses, in its own words; a used up quota is Forbidden.
        Unavailable: it does not answer. What was asked may have been done: ask again.
    """

    def require_possible(self, alarm: Alarm) -> None:
        """Refuse with Invalid what the backend cannot do; asks nobody."""

    def establish(self, credential: Credential, alarm: Alarm, hook_url: str, request_id: str) -> str:
        """Make the backend's alarm what ``alarm`` says; return the backend's id of it.

        The one that is there, by its name, is changed; only when there is none, it is made. So it may be
        asked again at any time. The backend calls ``hook_url`` in every state, again and again.
        """

    def read(self, credential: Credential, alarm: Alarm, request_id: str) -> Reading | None:
        """Return what the backend says of it now, None when the backend has none of that name."""

    def delete(self, credential: Credential, alarm: Alarm, request_id: str) -> None:
        """Delete whatever carries the alarm's name; one already gone is a success.

        So is a cloud that has no such backend (any more): there, nothing can call the hook.
        """
