"""Policies, alarms and schedules: what sets a group in motion."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from .base import ThermostatResource, live
from .schema import properties_schema
from .service import endpoint_of
from .shapes import SCHEDULE, schedule_patch
from .watching import ALARM, POLICY, alarm_patch, kind_of_policy

_OF_EXECUTIONS = frozenset({"event_id", "breach"})


class Policy(ThermostatResource):
    """What an alarm, a webhook, a signal or a person sets in motion."""

    shape = POLICY
    properties_schema = properties_schema(POLICY)
    requires_deferred_auth = True
    shown = frozenset({"mode"})
    attributes_schema = {
        "mode": live("active, shadow or disabled."),
        "executions_url": live("Where someone with a token executes it."),
        "notifications_url": live("Where an alarm source with a token notifies it, like Aodh's trust+https."),
    }

    def attribute(self, name: str) -> Any:
        """Return where the policy is called, or a field of its document."""
        if name in self.shown:
            return super().attribute(name)
        return f"{endpoint_of(self.context)}{self.path}/{name.removesuffix('_url')}"

    def needs_replace_with_prop_diff(self, changed: set[str], after: Any, before: Any) -> bool:
        """Say whether it would become a policy of another kind."""
        return "type" in changed and kind_of_policy(after["type"]) != kind_of_policy(before["type"])

    def handle_suspend(self) -> None:
        """Let nothing set it in motion."""
        self.service.patch(self.shape.noun, self.path, {"mode": "disabled"})

    def handle_resume(self) -> None:
        """Let it act as the template says."""
        self.service.patch(self.shape.noun, self.path, {"mode": self.properties["mode"]})

    def handle_signal(self, details: Any = None) -> str:
        """Execute it, and return what came of it, for the stack's events.

        A body of an alarm source is passed on as it is, and understood as a webhook understands it.
        """
        body = dict(details or {})
        if body.keys() <= _OF_EXECUTIONS:
            path, body = f"{self.path}/executions", {"event_id": str(uuid.uuid4()), **body}
        else:
            path = f"{self.path}/notifications"
        execution = self.service.executed(path, body)
        return f"{execution['outcome']}: {execution['explanation']['summary']}"


class _Switched(ThermostatResource):
    """Something that can be switched off."""

    def handle_suspend(self) -> None:
        """Switch it off."""
        self.service.patch(self.shape.noun, self.path, {"enabled": False})

    def handle_resume(self) -> None:
        """Switch it on, if the template does."""
        self.service.patch(self.shape.noun, self.path, {"enabled": self.properties["enabled"]})


class Alarm(_Switched):
    """A rule over a metric of a group, or over other alarms, that executes policies."""

    shape = ALARM
    properties_schema = properties_schema(ALARM)
    shown = frozenset({"state", "state_reason"})
    attributes_schema = {
        "state": live("ok, alarm or insufficient_data."),
        "state_reason": live("Why it is in that state."),
    }

    def needs_replace_with_prop_diff(self, changed: set[str], after: Any, before: Any) -> bool:
        """Say whether a composite would become an alarm over a metric, or the other way round."""
        return "composite" in changed and (after["composite"] is None) != (before["composite"] is None)

    def patch_document(self, changed: dict[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is patched."""
        return alarm_patch(super().patch_document(changed, after), dict(after))


class Schedule(_Switched):
    """Sizes that are set, or a policy that is executed, at a time or again and again."""

    shape = SCHEDULE
    properties_schema = properties_schema(SCHEDULE)
    shown = frozenset({"next_firings", "last_firing"})
    attributes_schema = {
        "next_firings": live("The next times it fires."),
        "last_firing": live("How it last fired."),
    }

    def changes(self, prop_diff: dict[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """Return what changes: after a failure everything, also what is not to be there."""
        if not self.recovers:
            return prop_diff
        return {name: after[name] for name, field in self.shape.fields.items() if field.updatable}

    def patch_document(self, changed: dict[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is patched: times and actions as a whole."""
        document = schedule_patch(changed, dict(after))
        if "name" in changed and changed["name"] is None:
            document["name"] = self.physical_resource_name()
        return document


SETTING_IN_MOTION: dict[str, type[ThermostatResource]] = {
    "Thermostat::Policy": Policy,
    "Thermostat::Alarm": Alarm,
    "Thermostat::Schedule": Schedule,
}
