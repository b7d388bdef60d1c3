"""Properties as Heat has them, made into what is posted and patched."""

from __future__ import annotations

from typing import Any

import pytest

from heat_plugin.thermostat_heat.fields import differing, new_document, patch_document
from heat_plugin.thermostat_heat.shapes import GROUP, LAUNCH_CONFIGURATION, WEBHOOK, schedule_patch
from heat_plugin.thermostat_heat.watching import POLICY, alarm_patch, kind_of_policy


def test_only_what_has_a_value_is_posted_and_nothing_that_is_for_the_plug_in() -> None:
    given = {"name": None, "max_size": 5, "min_size": 0, "wait_for": "none", "update_policy": None}
    assert new_document(GROUP, given) == {"max_size": 5, "min_size": 0}
    assert new_document(WEBHOOK, {"policy_id": "p", "direction": "out"}) == {"direction": "out"}


def test_maps_lose_what_heat_adds_to_them() -> None:
    steps = [{"lower": None, "upper": 10, "adjustment": 0}, {"lower": 10, "upper": None, "adjustment": 2}]
    assert new_document(POLICY, {"steps": steps}) == {
        "steps": [{"upper": 10, "adjustment": 0}, {"lower": 10, "adjustment": 2}]
    }
    behavior = {"scale_out": {"select": None, "limits": None, "stabilization": 0}, "scale_in": None}
    assert new_document(POLICY, {"behavior": behavior, "act": False}) == {
        "behavior": {"scale_out": {"stabilization": 0}},
        "act": False,
    }


def test_what_is_passed_on_as_it_is_keeps_its_nulls() -> None:
    stack = {"template": {"parameters": None}, "parameters": {"key": None}, "files": None, "tags": ["a"]}
    assert new_document(LAUNCH_CONFIGURATION, {"stack": stack}) == {
        "stack": {"template": {"parameters": None}, "parameters": {"key": None}, "tags": ["a"]}
    }


@pytest.mark.parametrize(
    ("changed", "patched"),
    [
        ({"max_size": 7}, {"max_size": 7}),
        ({"desired_capacity": 4}, {"desired_capacity": 4}),
        ({"desired_capacity": None}, {}),
        ({"load_balancers": None}, {"load_balancers": []}),
        ({"wait_for": "none"}, {}),
    ],
)
def test_a_size_that_the_template_no_longer_says_stays(
    changed: dict[str, Any], patched: dict[str, Any]
) -> None:
    assert patch_document(GROUP, changed) == patched


def test_what_is_dropped_goes_back_to_its_default() -> None:
    dropped = {"statistic": None, "dimensions": None, "scale_in": None, "missing_value": None, "metric": None}
    assert patch_document(POLICY, dropped) == {
        "statistic": "average",
        "dimensions": {},
        "scale_in": True,
        "missing_value": None,
    }


def test_after_a_failure_what_differs_from_what_is_there_is_patched() -> None:
    present = {"name": "a", "min_size": 1, "max_size": 5, "load_balancers": [{"pool_id": "p"}], "cooldown": 7}
    after = {"name": "a", "min_size": 1, "max_size": 9, "wait_for": "none", "cooldown": None}
    changed = differing(GROUP, present, after)
    assert changed == {"max_size": 9, "load_balancers": None}
    assert patch_document(GROUP, changed) == {"max_size": 9, "load_balancers": []}


def test_what_another_type_of_policy_has_is_no_difference() -> None:
    present = {"type": "steps", "steps": [{"lower": None, "upper": 1, "adjustment": 1}], "warmup": None}
    after = {"type": "steps", "steps": [{"lower": None, "upper": 1, "adjustment": 2}], "statistic": None}
    assert differing(POLICY, present, after) == {"steps": after["steps"]}


def test_a_policy_stays_of_its_kind() -> None:
    assert kind_of_policy("exact_capacity") == kind_of_policy("change_in_capacity")
    assert kind_of_policy("steps") != kind_of_policy("target_tracking")


_CRON = {"cron": "0 7 * * *", "timezone": "Europe/Ljubljana", "start": None, "end": None}
_SIZES = {"min_size": 4, "max_size": None, "desired_capacity": None}


@pytest.mark.parametrize(
    ("changed", "after", "patched"),
    [
        ({"enabled": False}, {**_CRON, **_SIZES}, {"enabled": False}),
        ({"timezone": None}, {**_CRON, "timezone": None}, {**_CRON, "timezone": "UTC"}),
        (
            {"cron": None, "at": "2030-01-01T00:00:00Z"},
            {"at": "2030-01-01T00:00:00Z"},
            {"at": "2030-01-01T00:00:00Z"},
        ),
        ({"min_size": 4}, {**_CRON, **_SIZES}, _SIZES),
        (
            {"min_size": None, "policy_id": "p"},
            {**_CRON, "policy_id": "p", "honor_cooldown": None},
            {"policy_id": "p", "honor_cooldown": False},
        ),
    ],
)
def test_a_schedule_changes_its_time_or_its_action_as_a_whole(
    changed: dict[str, Any], after: dict[str, Any], patched: dict[str, Any]
) -> None:
    assert schedule_patch(changed, after) == patched


@pytest.mark.parametrize(
    ("document", "after", "patched"),
    [
        ({"threshold": 5}, {"evaluation_periods": 3}, {"threshold": 5}),
        (
            {"evaluation_periods": 3},
            {"evaluation_periods": 3},
            {"evaluation_periods": 3, "datapoints_to_alarm": 3},
        ),
        (
            {"evaluation_periods": 3},
            {"evaluation_periods": 3, "datapoints_to_alarm": 2},
            {"evaluation_periods": 3},
        ),
        ({"datapoints_to_alarm": 1}, {"evaluation_periods": 4}, {"datapoints_to_alarm": 4}),
    ],
)
def test_all_periods_of_an_alarm_must_breach_where_the_template_leaves_it_open(
    document: dict[str, Any], after: dict[str, Any], patched: dict[str, Any]
) -> None:
    assert alarm_patch(document, after) == patched
