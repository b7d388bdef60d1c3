"""Alerts that a real Alertmanager sends scale a group, on a simulated cloud or a real Nova."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import MakeGroup
from tests.end_to_end.site import Party
from tests.end_to_end.telemetry import seconds_since
from tests.end_to_end.test_main_job import hook, path, reached
from tests.senders.alertmanager import alertmanager, install, needs_alertmanager

pytestmark = [needs_alertmanager, pytest.mark.timeout(300)]


def test_alerts_scale_out_and_in_and_their_end_scales_nothing(
    owner: Party, make_group: MakeGroup, tmp_path: Path
) -> None:
    group = make_group(desired_capacity=1, min_size=1, max_size=2)
    reached(owner, group, 1)
    hooks = {"HighCPU": hook(owner, group, 1), "LowCPU": hook(owner, group, -1)}
    with alertmanager(install(tmp_path), hooks, tmp_path) as fire:
        for name, size in (("HighCPU", 2), ("LowCPU", 1)):
            began = time.monotonic()
            fire(name)
            owner.api.until(path(group), lambda g: g["desired_capacity"] == size, within_seconds=30)  # noqa: B023
            print(f"{name}: decided {seconds_since(began)} after the alert")
            fire(name, over=True)
            owner.api.until(
                f"/v1/executions?group_id={group['id']}",
                lambda found: found["executions"][0]["outcome"] == "not_alarm",
                within_seconds=30,
            )
            reached(owner, group, size)
