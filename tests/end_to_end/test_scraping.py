"""What Prometheus scrapes of the running functions, each on a port of its own."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest

from dev.client import call_hook
from dev.stack import Stack
from tests.end_to_end.conftest import MakeGroup
from tests.end_to_end.site import Party

pytestmark = pytest.mark.timeout(300)


def scraped(stack: Stack) -> Counter[str]:
    """Return the counts of every series of every function, added up as Prometheus's sum does."""
    total: Counter[str] = Counter()
    for url in stack.metrics_urls:
        for name, value in re.findall(r"^([a-z].*) (\S+)$", text_at(url), re.MULTILINE):
            total[name] += int(float(value))
    return total


def text_at(url: str) -> str:
    """Return what is served there, once it is: the tick is the last to start."""
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def test_decisions_rounds_and_sweeps_of_all_functions_are_counted(
    processes: Stack, owner: Party, make_group: MakeGroup
) -> None:
    before = scraped(processes)
    group = make_group(desired_capacity=1)
    policy = {"name": "out", "group_id": group["id"], "type": "change_in_capacity", "adjustment": 1}
    made = owner.api.post("/v1/policies", policy)
    webhook = owner.api.post(f"/v1/policies/{made['id']}/webhooks", {"name": "a"})
    assert call_hook(str(webhook["url"]), {"event_id": "a"}).json()["outcome"] == "executed"
    assert call_hook(str(webhook["url"]), {"event_id": "a"}).json()["outcome"] == "duplicate"
    owner.api.until(
        f"/v1/groups/{group['id']}", lambda seen: (seen["status"], seen["in_service"]) == ("active", 2)
    )
    found = scraped(processes) - before
    assert found['thermostat_decisions_total{outcome="executed"}'] == 1
    assert found['thermostat_decisions_total{outcome="duplicate"}'] == 1
    assert found['thermostat_rounds_total{result="settled"}'] >= 1
    assert found["thermostat_settling_seconds_count"] >= 1
    assert not any("internal" in name for name in found)
