"""Alarms as they are asked for: what is checked, and what is filled in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dev.simcloud.messages import Document, Malformed

STATES = ("ok", "alarm", "insufficient data")
TYPE = "gnocchi_aggregation_by_resources_threshold"
_RULE = f"{TYPE}_rule"
_ACTIONS = ("alarm_actions", "ok_actions", "insufficient_data_actions")
_DEFAULTS: Document = {
    "description": f"{TYPE} alarm rule",
    "enabled": True,
    "severity": "low",
    "state": "insufficient data",
    "repeat_actions": False,
    "time_constraints": [],
    **{name: [] for name in _ACTIONS},
}
_READ_ONLY = (
    "alarm_id",
    "timestamp",
    "state_timestamp",
    "state_reason",
    "evaluate_timestamp",
    "project_id",
    "user_id",
)
_RULE_MANDATORY = ("metric", "query", "aggregation_method", "threshold", "resource_type")
_RULE_DEFAULTS: Document = {"comparison_operator": "eq", "evaluation_periods": 1, "granularity": 60}
_METHODS = ("mean", "min", "max", "sum", "std", "median", "count", "rate:mean")
_SCHEMES = ("http://", "https://", "trust+http://", "trust+https://")


def wanted(asked: Document) -> Document:
    """Return the alarm that ``asked`` is, whole; refuse what Aodh refuses, in its words."""
    _known("data", asked, ("name", "type", _RULE, *_DEFAULTS, *_READ_ONLY))
    for name in ("name", "type"):
        _mandatory(asked, name)
    _one_of(asked, "type", (TYPE,))
    if not isinstance(asked.get(_RULE), dict):
        raise Malformed(f"{_RULE} must be set for {TYPE} type alarm")
    filled = {name: value for name, value in asked.items() if name not in _READ_ONLY}
    alarm = {**_DEFAULTS, **filled, _RULE: _rule(asked[_RULE])}
    _one_of(alarm, "severity", ("critical", "moderate", "low"))
    _one_of(alarm, "state", STATES)
    _check_actions(alarm)
    _check_windows(alarm["time_constraints"])
    return alarm


def scoped(alarm: Document, project_id: str, service_project_id: str) -> Document:
    """Return the alarm with its query limited to what its project may see, as it is stored and shown."""
    theirs = {"=": {"created_by_project_id": project_id}}
    collected = [{"=": {"created_by_project_id": service_project_id}}, {"=": {"project_id": project_id}}]
    rule = alarm[_RULE]
    query = {"and": [{"or": [theirs, {"and": collected}]}, json.loads(rule["query"])]}
    return {**alarm, _RULE: {**rule, "query": json.dumps(query)}}


def _rule(asked: Document) -> Document:
    _known(f"data.{_RULE}", asked, (*_RULE_MANDATORY, *_RULE_DEFAULTS))
    for name in _RULE_MANDATORY:
        _mandatory(asked, name)
    rule = {**_RULE_DEFAULTS, **asked}
    if rule["aggregation_method"] not in _METHODS:
        raise Malformed(f"aggregation_method should be in {list(_METHODS)} not {rule['aggregation_method']}")
    _one_of(rule, "comparison_operator", ("lt", "le", "eq", "ne", "ge", "gt"))
    if rule["evaluation_periods"] > 100:
        raise _invalid(
            "evaluation_periods", rule["evaluation_periods"], "Value should be lower or equal to 100"
        )
    try:
        json.loads(rule["query"])
    except ValueError:
        raise _invalid("rule/query", rule["query"], "") from None
    return {**rule, "threshold": float(rule["threshold"])}


def _check_actions(alarm: Document) -> None:
    for name in _ACTIONS:
        for action in alarm[name]:
            if not action.startswith(_SCHEMES):
                raise Malformed(f"Unsupported action {action}")


def _check_windows(windows: list[Document]) -> None:
    names = [window.get("name") for window in windows]
    if len(set(names)) != len(names):
        raise Malformed("Time constraint names must be unique for a given alarm.")
    for window in windows:
        zone = window.get("timezone") or "UTC"
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise Malformed(f"Timezone {zone} is not valid") from None


def _known(where: str, asked: Document, known: Iterable[str]) -> None:
    for name in asked.keys() - set(known):
        raise Malformed(f"Unknown attribute for argument {where}: {name}")


def _mandatory(asked: Document, name: str) -> None:
    if asked.get(name) is None:
        raise _invalid(name, None, "Mandatory field missing.")


def _one_of(asked: Document, name: str, allowed: tuple[str, ...]) -> None:
    if asked[name] not in allowed:
        raise _invalid(name, asked[name], f"Value should be one of: {', '.join(allowed)}")


def _invalid(name: str, value: Any, why: str) -> Malformed:
    return Malformed(f"Invalid input for field/attribute {name}. Value: '{value}'. {why}")
