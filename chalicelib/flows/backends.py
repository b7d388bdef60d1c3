"""Alarms that somebody else evaluates: the one seam between ``flows.alarms`` and the backends.

Nothing here writes an alarm: what is to be stored is returned. An alarm of the builtin backend passes
through unchanged. The order makes death between any two steps harmless:

- created: ``armed``, the row, ``establish``, the row with the backend's id. Until that is written, what
  the backend says of the alarm scales nothing; asked again with the same client_token, all is completed.
- changed: ``establish``, then the row, on the generation that was read: what the backend refuses changes
  nothing here.
- deleted: ``withdraw``, then the row: while the backend may still have the alarm, ours is there to tell.
"""

from __future__ import annotations

import hmac
import logging
from contextlib import suppress
from dataclasses import replace

from chalicelib.core.alarm import Alarm, AlarmHook, AlarmState
from chalicelib.core.credential import Credential
from chalicelib.core.errors import Conflict, NotFound, ThermostatError
from chalicelib.flows.webhooks import hash_of
from chalicelib.ports import Services
from chalicelib.ports.cloud import CredentialBroken
from chalicelib.ports.monitoring import Monitoring, Reading

_log = logging.getLogger(__name__)

HOOK_PATH = "/v1/hooks/alarms"
"""What the path of an alarm's hook begins with; then come the project, the alarm, and the token."""


def armed(s: Services, alarm: Alarm) -> Alarm:
    """Return a new alarm with all that its backend needs to reach us; asks nobody.

    Raises:
        Invalid: its backend cannot do what it asks for.
    """
    backend = s.monitoring.get(alarm.backend)
    if backend is None:
        return alarm
    backend.require_possible(alarm)
    token = s.new_token()
    sealed = s.vault.seal(alarm.project_id, alarm.id, token)
    return replace(
        alarm,
        hook=AlarmHook(sha256=hash_of(token), sealed_token=sealed),
        state_reason="The backend has not been told of it yet.",
    )


def establish(s: Services, alarm: Alarm, base: str, request_id: str) -> Alarm:
    """Make the backend's alarm what ``alarm`` says; return it with the backend's id, to be stored.

    Args:
        alarm: as stored, or as it is about to be; it was ``armed`` once.
        base: what our URLs begin with, as the backend reaches us.

    Raises:
        Invalid, Forbidden, Conflict: the backend refuses, or the cloud has none, or Keystone does not let
            us in; whether the backend has an alarm is as before.
        Unavailable: no answer; it may be done or not. Ask again.
    """
    backend = s.monitoring.get(alarm.backend)
    if backend is None:
        return alarm
    assert alarm.hook is not None, "the alarm was not armed"
    token = s.vault.open(alarm.project_id, alarm.id, alarm.hook.sealed_token)
    url = f"{base}{HOOK_PATH}/{alarm.project_id}/{alarm.id}/{token}"
    credential = _credential(s, alarm)
    try:
        external_id = backend.establish(credential, alarm, url, request_id)
    except CredentialBroken as broken:
        raise _let_in(broken) from broken
    if external_id == alarm.external_id:
        return alarm
    reason = "The backend has it, and has not called yet."
    return replace(alarm, external_id=external_id, state_reason=reason, updated_at=s.now())


def as_seen(s: Services, alarm: Alarm, request_id: str) -> Alarm:
    """Return the alarm with the state that its backend says it has now; as it was last told, failing that."""
    backend = s.monitoring.get(alarm.backend)
    if backend is None or alarm.external_id is None:
        return alarm
    try:
        reading = _read(s, backend, alarm, request_id)
    except (ThermostatError, CredentialBroken) as error:
        _log.info("alarm %s is shown as its backend last said: %s", alarm.id, error)
        return alarm
    if reading is None:
        gone = "The backend has no such alarm any more. Change this one, and it is made again."
        return replace(alarm, state=AlarmState.INSUFFICIENT_DATA, state_reason=gone)
    return replace(alarm, state=reading.state, state_reason=reading.reason)


def withdraw(s: Services, alarm: Alarm, request_id: str) -> None:
    """Have the backend delete its alarm; one already gone is a success.

    Raises:
        Forbidden, Conflict: the backend or Keystone refuses.
        Unavailable: no answer. Keep the alarm, and ask again.
    """
    backend = s.monitoring.get(alarm.backend)
    if backend is None:
        return
    # Without its group there is no credential to ask with; bury() asks before the group goes.
    with suppress(NotFound):
        credential = _credential(s, alarm)
        try:
            backend.delete(credential, alarm, request_id)
        except CredentialBroken as broken:
            raise _let_in(broken) from broken


def owns(alarm: Alarm, token: str) -> bool:
    """Return whether ``token`` is the one in the URL of the alarm's hook."""
    return alarm.hook is not None and hmac.compare_digest(alarm.hook.sha256, hash_of(token))


def _read(s: Services, backend: Monitoring, alarm: Alarm, request_id: str) -> Reading | None:
    return backend.read(_credential(s, alarm), alarm, request_id)


def _credential(s: Services, alarm: Alarm) -> Credential:
    """Return the credential of the alarm's group, by whose right the alarm is the owner's."""
    group = s.groups.get(alarm.project_id, alarm.group_id)
    return s.credentials.get(alarm.project_id, group.credential_id)


def _let_in(broken: CredentialBroken) -> Conflict:
    return Conflict(
        "alarm.credential_broken",
        f"The alarm's backend is asked with the group's credential, which does not work: {broken.reason} "
        "Give the group another and try again.",
    )
