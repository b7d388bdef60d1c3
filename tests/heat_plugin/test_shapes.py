"""What the plug-in declares, held to what the API takes: fields, defaults, ranges and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from chalicelib.api.documents.alarms import AlarmPatch, NewAlarm
from chalicelib.api.documents.groups import GroupPatch, NewGroup
from chalicelib.api.documents.launch_configurations import NewLaunchConfiguration
from chalicelib.api.documents.policies import NewPolicy, PolicyPatch
from chalicelib.api.documents.resources import NewCredential
from chalicelib.api.documents.schedules import NewSchedule, SchedulePatch
from chalicelib.api.documents.webhooks import NewWebhook, WebhookPatch
from heat_plugin.thermostat_heat.fields import KEEP, Field, Shape
from heat_plugin.thermostat_heat.shapes import CREDENTIAL, GROUP, LAUNCH_CONFIGURATION, SCHEDULE, WEBHOOK
from heat_plugin.thermostat_heat.watching import ALARM, POLICY

NEW = {
    "credential": (CREDENTIAL, NewCredential),
    "launch configuration": (LAUNCH_CONFIGURATION, NewLaunchConfiguration),
    "group": (GROUP, NewGroup),
    "policy": (POLICY, NewPolicy),
    "webhook": (WEBHOOK, NewWebhook),
    "schedule": (SCHEDULE, NewSchedule),
    "alarm": (ALARM, NewAlarm),
}
PATCHED = {
    "group": (GROUP, GroupPatch),
    "policy": (POLICY, PolicyPatch),
    "webhook": (WEBHOOK, WebhookPatch),
    "schedule": (SCHEDULE, SchedulePatch),
    "alarm": (ALARM, AlarmPatch),
}
NOT_IN_TEMPLATES = {"client_token"}


class Api:
    """The schemas of a document's fields, as OpenAPI shows them."""

    def __init__(self, document: Any) -> None:
        (self._schema,), self._named = msgspec.json.schema_components([document], ref_template="{name}")

    def fields(self) -> dict[str, list[dict[str, Any]]]:
        """Return the schemas that a field has, in each of the document's variants."""
        found: dict[str, list[dict[str, Any]]] = {}
        for variant in self._variants(self._schema):
            for name, schema in variant["properties"].items():
                found.setdefault(name, []).append(schema)
        return found

    def of(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a field's schema without null, and without the way there."""
        variants = [each for each in self._variants(schema) if each.get("type") != "null"]
        merged: dict[str, Any] = {}
        for each in variants:
            merged |= each
        return merged

    def _variants(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in schema:
            return self._variants(self._named[schema["$ref"]])
        return (
            [v for each in schema["anyOf"] for v in self._variants(each)] if "anyOf" in schema else [schema]
        )


def sent(shape: Shape) -> Mapping[str, Field]:
    return {name: field for name, field in shape.fields.items() if not field.own}


@pytest.mark.parametrize("noun", NEW)
def test_every_field_of_the_api_is_a_property(noun: str) -> None:
    shape, document = NEW[noun]
    assert set(Api(document).fields()) - NOT_IN_TEMPLATES == set(sent(shape))


@pytest.mark.parametrize("noun", NEW)
def test_defaults_are_the_apis_own(noun: str) -> None:
    """Those that are sent for a property that is not given, and those that one goes back to."""
    shape, document = NEW[noun]
    api = Api(document).fields()
    for name, field in sent(shape).items():
        defaults = [each["default"] for each in api[name] if "default" in each]
        if field.default is not None and name != "type":
            assert field.default in defaults, name
        if field.reset is not KEEP and defaults:
            assert field.reset in defaults, name


@pytest.mark.parametrize("noun", NEW)
def test_what_the_api_needs_is_required(noun: str) -> None:
    shape, document = NEW[noun]
    for name, field in sent(shape).items():
        if field.required:
            assert all("default" not in each for each in Api(document).fields()[name]), name


@pytest.mark.parametrize("noun", NEW)
def test_ranges_and_values_are_the_apis_own(noun: str) -> None:
    shape, document = NEW[noun]
    api = Api(document)
    schemas = api.fields()
    for name, field in sent(shape).items():
        found = api.of(schemas[name][0])
        if field.least is not None or field.most is not None:
            assert (field.least, field.most) == (found.get("minimum"), found.get("maximum")), name
        if field.values and name != "type":
            assert set(field.values) == set(found["enum"]), name


@pytest.mark.parametrize("noun", PATCHED)
def test_what_is_updated_in_place_can_be_patched(noun: str) -> None:
    shape, document = PATCHED[noun]
    patchable = set(Api(document).fields())
    assert {name for name, field in sent(shape).items() if field.updatable} <= patchable
    assert patchable - {name for name, field in sent(shape).items() if field.updatable} <= {"composite"}


@pytest.mark.parametrize("noun", PATCHED)
def test_a_property_goes_back_to_null_only_where_the_api_takes_null(noun: str) -> None:
    shape, document = PATCHED[noun]
    schemas = Api(document).fields()
    for name, field in sent(shape).items():
        if field.reset is None:
            assert "null" in str(schemas[name]), name
