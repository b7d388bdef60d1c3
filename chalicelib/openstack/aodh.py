"""Aodh: alarms on the measures that Ceilometer keeps of a group's servers in Gnocchi.

Aodh has no token that makes a creation safe to repeat, and lets two alarms have one name. So ours is looked
for by its name before it is made, and once more after: of two that were made at once, one stays.

The query names ``server_group``, which Ceilometer takes from the metadata ``metering.server_group`` of the
servers, and leaves out servers that are gone: Gnocchi keeps those for ever.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import quote

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException, HttpError, NotFound, Unauthorized
from requests import Response

from chalicelib.core.alarm import Alarm, AlarmState, CompositeRule, MissingData, ThresholdRule, TimeConstraint
from chalicelib.core.credential import Credential
from chalicelib.core.errors import Conflict, Forbidden, Invalid, ThermostatError, Unavailable
from chalicelib.core.notice import units_per_ours
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.entrance import NotInCatalog, owners_adapter
from chalicelib.openstack.session import ServiceUser
from chalicelib.openstack.translation import cloud_error, refused, sentence, twice
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.monitoring import Reading, external_name

TYPE = "gnocchi_aggregation_by_resources_threshold"
EVALUATION_PERIODS_MAX = 100

_METHODS = {
    "average": "mean",
    "minimum": "min",
    "maximum": "max",
    "sum": "sum",
    "rate": "rate:mean",
}
_STATES = {
    "ok": AlarmState.OK,
    "alarm": AlarmState.ALARM,
    "insufficient data": AlarmState.INSUFFICIENT_DATA,
}
_ACTIONS = ("alarm_actions", "ok_actions", "insufficient_data_actions")
_RETRY_SECONDS = 5


class Aodh:
    """``ports.monitoring.Monitoring``, asked with the owner's credential."""

    def __init__(self, service_user: ServiceUser, delegations: Delegations) -> None:
        self._service_user = service_user
        self._delegations = delegations

    def require_possible(self, alarm: Alarm) -> None:
        """Refuse with Invalid what Aodh cannot do; asks nobody."""
        rule = _threshold_rule(alarm)
        if rule.dimensions:
            _refuse("Aodh's alarms are about all servers of a group: they take no dimensions.")
        if rule.statistic not in _METHODS:
            _refuse(
                f"Over the servers of a group Gnocchi has no {rule.statistic}, only {', '.join(_METHODS)}; "
                'an alarm with "backend": "builtin" has it.'
            )
        if rule.evaluation_periods > EVALUATION_PERIODS_MAX:
            _refuse(f"Aodh looks at {EVALUATION_PERIODS_MAX} evaluation_periods at most.")
        if rule.datapoints_to_alarm != rule.evaluation_periods:
            _refuse("Aodh wants all periods breaching: datapoints_to_alarm must equal evaluation_periods.")
        if rule.treat_missing_data is not MissingData.MISSING:
            _refuse('Aodh goes to insufficient data when data is missing: treat_missing_data is "missing".')

    def establish(self, credential: Credential, alarm: Alarm, hook_url: str, request_id: str) -> str:
        """Make Aodh's alarm what ``alarm`` says; return Aodh's id of it."""
        self.require_possible(alarm)
        document = _document_of(alarm, hook_url)
        with _errors_of_aodh():
            aodh = self._enter(credential, request_id)
            found = _named(aodh, alarm)
            if found:
                kept = _kept(found, alarm)
                # Without its state Aodh would take it for new. Not logged: the URL is a capability.
                changed = {**document, "state": kept["state"]}
                twice(lambda: aodh.put(_path(kept), json=changed, log=False))
            else:
                aodh.post("/v2/alarms", json=document, log=False)
                found = _named(aodh, alarm)
                kept = _kept(found, alarm)
            for double in found:
                if double is not kept:
                    _delete(aodh, double)
        return str(kept["alarm_id"])

    def read(self, credential: Credential, alarm: Alarm, request_id: str) -> Reading | None:
        """Return what Aodh says of it now, None when it has none of that name."""
        with _errors_of_aodh():
            found = _named(self._enter(credential, request_id), alarm)
        if not found:
            return None
        shown = _kept(found, alarm)
        return Reading(state=_STATES[shown["state"]], reason=str(shown.get("state_reason") or ""))

    def delete(self, credential: Credential, alarm: Alarm, request_id: str) -> None:
        """Delete whatever carries the alarm's name; without Aodh in the cloud there is nothing to delete."""
        with _errors_of_aodh():
            try:
                aodh = self._enter(credential, request_id)
            except NotInCatalog:
                return
            for each in _named(aodh, alarm):
                _delete(aodh, each)

    def _enter(self, credential: Credential, request_id: str) -> Adapter:
        return owners_adapter(self._service_user, self._delegations, credential, "alarming", request_id)


def _named(aodh: Adapter, alarm: Alarm) -> Sequence[dict[str, Any]]:
    """Return what Aodh has under the alarm's name, in the order of its ids; more than one is an accident."""
    name = external_name(alarm.id)
    query = {"q.field": "name", "q.op": "eq", "q.value": name}
    answer = twice(lambda: aodh.get("/v2/alarms", params=query))
    found = [each for each in _list(answer) if each.get("name") == name]
    if not all(isinstance(each.get("alarm_id"), str) and each.get("state") in _STATES for each in found):
        raise CloudUnavailable("Aodh's alarm has no id or no state.")
    return sorted(found, key=lambda each: str(each["alarm_id"]))


def _kept(found: Sequence[dict[str, Any]], alarm: Alarm) -> dict[str, Any]:
    """Return the one that stays: the one that is known, else the first, whoever looks."""
    if not found:
        raise CloudUnavailable("Aodh's alarm was deleted while it was being made.")
    return next((each for each in found if each["alarm_id"] == alarm.external_id), found[0])


def _delete(aodh: Adapter, found: Mapping[str, Any]) -> None:
    try:
        twice(lambda: aodh.delete(_path(found)))
    except NotFound as error:
        if not refused(error):
            raise


def _path(found: Mapping[str, Any]) -> str:
    return f"/v2/alarms/{quote(found['alarm_id'], safe='')}"


def _list(answer: Response) -> list[dict[str, Any]]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise CloudUnavailable("Aodh's answer is no list of alarms.")
    return found


def _document_of(alarm: Alarm, hook_url: str) -> dict[str, Any]:
    """Return Aodh's document for the alarm. Every state calls the hook, and calls it again while it lasts."""
    return {
        "name": external_name(alarm.id),
        "description": f"Alarm {alarm.name!r} of Thermostat's group {alarm.group_id}.",
        "type": TYPE,
        "enabled": alarm.enabled,
        "severity": alarm.severity.value,
        "repeat_actions": True,
        **{state: [hook_url] for state in _ACTIONS},
        "time_constraints": [_window(each) for each in alarm.time_constraints],
        f"{TYPE}_rule": _rule(alarm),
    }


def _rule(alarm: Alarm) -> dict[str, Any]:
    rule = _threshold_rule(alarm)
    query = {"and": [{"=": {"server_group": alarm.group_id}}, {"=": {"ended_at": None}}]}
    return {
        "metric": rule.metric,
        "resource_type": "instance",
        "query": json.dumps(query),
        "aggregation_method": _METHODS[rule.statistic],
        "granularity": rule.period_seconds,
        "evaluation_periods": rule.evaluation_periods,
        "comparison_operator": rule.comparison.value,
        "threshold": rule.threshold * units_per_ours(rule),
    }


def _window(constraint: TimeConstraint) -> dict[str, Any]:
    return {
        "name": constraint.name,
        "start": constraint.start,
        "duration": constraint.duration_seconds,
        "timezone": constraint.timezone,
    }


def _threshold_rule(alarm: Alarm) -> ThresholdRule:
    if isinstance(alarm.rule, CompositeRule):
        _refuse("Aodh cannot combine alarms of ours: a composite alarm is builtin.")
    return alarm.rule


def _refuse(detail: str) -> NoReturn:
    raise Invalid("alarm.not_in_aodh", detail)


@contextmanager
def _errors_of_aodh() -> Iterator[None]:
    """Turn the exceptions of keystoneauth and ``ports.cloud`` into those of ``ports.monitoring``."""
    try:
        yield
    except NotInCatalog as error:
        raise Conflict(
            "aodh.missing",
            f'This cloud has no Aodh: {error.reason} An alarm with "backend": "builtin" needs none.',
        ) from error
    except Unauthorized as error:
        raise CredentialBroken(
            "Aodh does not accept the token that Keystone gave for it. If it is an application credential "
            "with access rules, they must allow to list, create, change and delete alarms.",
            for_good=False,
        ) from error
    except CloudUnavailable as error:
        raise _unavailable(error) from error
    except NotFound as error:
        gone = CloudUnavailable("the alarm was deleted there a moment ago") if refused(error) else None
        raise _unavailable(gone or cloud_error(error)) from error
    except ClientException as error:
        raise _meaning(error) from error


def _meaning(error: ClientException) -> ThermostatError:
    cause = cloud_error(error)
    if isinstance(cause, CloudUnavailable):
        return _unavailable(cause)
    if cause.over_quota:
        return Forbidden("aodh.quota_exceeded", f"Aodh refuses another alarm: {cause.reason}")
    if isinstance(error, HttpError) and error.http_status == HTTPStatus.FORBIDDEN:
        return Forbidden("aodh.forbidden", f"Aodh does not allow it: {sentence(error)}")
    return Invalid("aodh.refused", f"Aodh refuses the alarm: {cause.reason}")


def _unavailable(cause: CloudUnavailable | CloudRefused) -> Unavailable:
    wish = cause.retry_after if isinstance(cause, CloudUnavailable) else None
    return Unavailable(
        "aodh.unavailable",
        f"Aodh does not do what was asked of it: {cause.reason}",
        retry_after_seconds=_RETRY_SECONDS if wish is None else math.ceil(wish.total_seconds()),
    )
