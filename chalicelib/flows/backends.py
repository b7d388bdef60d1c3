"""Alarms that somebody else evaluates: the one seam between ``flows.alarms`` and the backends.

``create``, ``change`` and ``delete`` stand for those of ``s.alarms``; an alarm of the builtin backend passes
through. The order makes death between any two steps harmless:

- created: the row, the backend's alarm, the row with the backend's id. Until that is written, what the
  backend says of the alarm scales nothing; asked again with the same client_token, all is completed.
- changed: the backend's alarm, then the row, on the generation that was read: what the backend refuses
  changes nothing here.
- deleted: the backend's alarm, then the row: while the backend may have it, ours is there to tell.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from chalicelib.core import alarm_history
from chalicelib.core.alarm import Alarm, AlarmHook, AlarmState
from chalicelib.core.alarm_history import AlarmHistoryEntry
from chalicelib.core.credential import Credential
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Stale, ThermostatError
from chalicelib.core.group import Group
from chalicelib.core.ids import UserId
from chalicelib.core.token import hash_of
from chalicelib.flows.retry import until_not_stale
from chalicelib.ports import Services
from chalicelib.ports.cloud import CredentialBroken
from chalicelib.telemetry import about

_log = logging.getLogger(__name__)

HOOK_PATH = "/v1/hooks/alarms"
"""What the path of an alarm's hook begins with; then come the project, the alarm, and the token."""


def create(
    s: Services, new: Alarm, entry: AlarmHistoryEntry, *, base: str, user_id: UserId, request_id: str
) -> Alarm:
    """Write an alarm and have its backend make its own; return it as stored.

    Args:
        base: what our URLs begin with, as the backend reaches us.

    Raises:
        as ``s.alarms.create``;
        Invalid, Forbidden, Conflict: the backend refuses, or there is none, or Keystone does not let us in;
            nothing is kept.
        Unavailable: the backend does not answer. The alarm is kept, and scales nothing until it is asked for
            again with the same client_token, or changed.
    """
    _require_reachable_servers(s, new)
    stored = s.alarms.create(_armed(s, new), s.limits.quota, entry)
    if stored.backend not in s.monitoring:
        return stored
    try:
        return until_not_stale(s, lambda: _completed(s, stored, base, request_id))
    except (Invalid, Forbidden, Conflict):
        _take_back(s, stored, user_id)
        raise


def _require_reachable_servers(s: Services, alarm: Alarm) -> None:
    """Refuse an alarm in a backend over servers that do not carry the group's mark, for Heat makes them."""
    if alarm.backend not in s.monitoring:
        return
    with suppress(NotFound):
        if s.groups.get(alarm.project_id, alarm.group_id).heat is not None:
            raise Invalid(
                "alarm.group_in_heat",
                "Ceilometer knows a stack's servers by the metadata of its template, not as ours: "
                "make the alarm in Aodh yourself, and let its action be a webhook of the policy.",
            )


def change(
    s: Services, was: Alarm, new: Alarm, entry: AlarmHistoryEntry, *, base: str, request_id: str
) -> Alarm:
    """Have the backend change its alarm, then write ``new`` in place of ``was``; return it as stored.

    What the backend has lost is made again. Where another change was written meanwhile, the backend has ours
    until the caller has made it anew on what is there now, as whoever gets Stale does.

    Raises:
        as ``s.alarms.change``; as ``create``, and nothing is changed here.
    """
    return _written(s, was, _established(s, new, base, request_id), entry, request_id)


def delete(s: Services, was: Alarm, entry: AlarmHistoryEntry, *, request_id: str) -> None:
    """Have the backend delete its alarm, one already gone being a success, then delete ours.

    Raises:
        as ``s.alarms.delete``;
        Forbidden, Conflict: the backend or Keystone refuses; the alarm is kept.
        Unavailable: the backend does not answer. The alarm is kept: ask again.
    """
    if was.backend in s.monitoring:
        _withdraw(s, was, _credential(s, was), request_id)
    s.alarms.delete(was, entry)


def abandon(s: Services, group: Group, was: Alarm, entry: AlarmHistoryEntry, *, request_id: str) -> None:
    """Delete an alarm whose ``group`` has ended; where nobody lets us in, its backend's stays behind.

    What stays behind calls a hook that nobody knows any more, and its owner may delete it.

    Raises:
        as ``s.alarms.delete``;
        Unavailable: the backend does not answer: ask again.
    """
    try:
        _withdraw(s, was, s.credentials.get(group.project_id, group.credential_id), request_id)
    except (Conflict, Forbidden, Invalid, NotFound) as refusal:
        told = about(request_id=request_id, alarm_id=was.id, code=refusal.code)
        _log.warning("the alarm goes here, and perhaps stays in its backend: %s", refusal, extra=told)
    s.alarms.delete(was, entry)


def as_seen(s: Services, alarm: Alarm, request_id: str) -> Alarm:
    """Return the alarm with the state that its backend says it has now; as it was last told, failing that."""
    backend = s.monitoring.get(alarm.backend)
    if backend is None or alarm.external_id is None:
        return alarm
    try:
        reading = backend.read(_credential(s, alarm), alarm, request_id)
    except (ThermostatError, CredentialBroken) as error:
        told = about(request_id=request_id, alarm_id=alarm.id)
        _log.info("the alarm is shown as its backend last said: %s", error, extra=told)
        return alarm
    if reading is None:
        gone = "The backend has no such alarm any more. Change this one, and it is made again."
        return replace(alarm, state=AlarmState.INSUFFICIENT_DATA, state_reason=gone)
    return replace(alarm, state=reading.state, state_reason=reading.reason)


def owns(alarm: Alarm, token: str) -> bool:
    """Return whether ``token`` is the one in the URL of the alarm's hook."""
    return alarm.hook is not None and hmac.compare_digest(alarm.hook.sha256, hash_of(token))


def _armed(s: Services, new: Alarm) -> Alarm:
    """Return a new alarm with all that its backend needs to reach us; refuse what the backend cannot do."""
    backend = s.monitoring.get(new.backend)
    if backend is None:
        return new
    backend.require_possible(new)
    token = s.new_token()
    sealed = s.vault.seal(new.project_id, new.id, token)
    hook = AlarmHook(sha256=hash_of(token), sealed_token=sealed)
    return replace(new, hook=hook, state_reason="Its backend has not been told of it yet.")


def _completed(s: Services, created: Alarm, base: str, request_id: str) -> Alarm:
    """Have the backend make its alarm and write down its id.

    Of two that do so at once, one writes first; the other reads again and finds the backend's alarm there.
    """
    was = s.alarms.get(created.project_id, created.id)
    new = _established(s, was, base, request_id)
    return was if new is was else _written(s, was, new, None, request_id)


def _written(s: Services, was: Alarm, new: Alarm, entry: AlarmHistoryEntry | None, request_id: str) -> Alarm:
    """Write an alarm that was established. Where it was deleted meanwhile, the backend's goes as well."""
    try:
        return s.alarms.change(was, new, entry)
    except (Stale, NotFound):
        if was.backend in s.monitoring and not _exists(s, was):
            _withdraw(s, was, _credential(s, was), request_id)
        raise


def _withdraw(s: Services, alarm: Alarm, credential: Credential, request_id: str) -> None:
    """Have the backend, where there is one, delete its alarm."""
    backend = s.monitoring.get(alarm.backend)
    if backend is not None:
        with _let_in():
            backend.delete(credential, alarm, request_id)


def _exists(s: Services, alarm: Alarm) -> bool:
    try:
        s.alarms.get(alarm.project_id, alarm.id)
    except NotFound:
        return False
    return True


def _established(s: Services, alarm: Alarm, base: str, request_id: str) -> Alarm:
    """Make the backend's alarm what ``alarm`` says; return it with the backend's id, to be written."""
    backend = s.monitoring.get(alarm.backend)
    if backend is None:
        return alarm
    backend.require_possible(alarm)
    assert alarm.hook is not None, "the alarm was not armed"
    token = s.vault.open(alarm.project_id, alarm.id, alarm.hook.sealed_token)
    url = f"{base}{HOOK_PATH}/{alarm.project_id}/{alarm.id}/{token}"
    with _let_in():
        external_id = backend.establish(_credential(s, alarm), alarm, url, request_id)
    if external_id == alarm.external_id:
        return alarm
    reason = "Its backend has it, and has not called yet."
    return replace(alarm, external_id=external_id, state_reason=reason, updated_at=s.now())


def _take_back(s: Services, refused: Alarm, user_id: UserId) -> None:
    """Delete an alarm that its backend refuses, unless it was established before."""
    with suppress(NotFound, Stale):
        was = s.alarms.get(refused.project_id, refused.id)
        if was.external_id is None:
            s.alarms.delete(was, alarm_history.deleted(was, user_id, s.now()))


def _credential(s: Services, alarm: Alarm) -> Credential:
    """Return the credential of the alarm's group, by whose right the alarm is the owner's."""
    group = s.groups.get(alarm.project_id, alarm.group_id)
    return s.credentials.get(alarm.project_id, group.credential_id)


@contextmanager
def _let_in() -> Iterator[None]:
    """Tell a credential that does not work as the conflict that it is."""
    try:
        yield
    except CredentialBroken as broken:
        raise Conflict(
            "alarm.credential_broken",
            "The alarm's backend is asked with the group's credential, which does not work: "
            f"{broken.reason} Give the group another and try again.",
        ) from broken
