"""Measures as Ceilometer would publish them, and alarms as their owner makes them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from dev.client import Document
from tests.end_to_end.site import Party
from tests.ports import listens

_TYPE = "gnocchi_aggregation_by_resources_threshold"


class Telemetry:
    """Gnocchi and Aodh, asked by an owner.

    Raises:
        pytest.skip: the cloud has not both of them: nothing would evaluate an alarm.
    """

    def __init__(self, owner: Party) -> None:
        self._owner = owner
        self._session = owner.cloud.session
        self._known: set[str] = set()
        for service_type in ("metric", "alarming"):
            if not listens(self._owner.endpoint(service_type)):
                pytest.skip(f"this cloud has no {service_type!r}, or none that is up")

    def ask(self, service_type: str, method: str, path: str, document: Any = None, **more: Any) -> Any:
        """Return what a service answers."""
        answer = self._session.request(
            f"{self._owner.endpoint(service_type)}{path}", method, json=document, authenticated=True, **more
        )
        return answer.json() if answer.content else None

    @contextmanager
    def measured(self, group: Document, server_id: str, value: float, metric: str = "cpu") -> Iterator[None]:
        """Measure ``value`` of a server once a second, from now until the end of the block."""
        self._know(group, server_id)
        self._measure(server_id, metric, value)
        enough = threading.Event()

        def go_on() -> None:
            while not enough.wait(1):
                self._measure(server_id, metric, value)

        thread = threading.Thread(target=go_on, daemon=True)
        thread.start()
        yield
        enough.set()
        thread.join()

    def _know(self, group: Document, server_id: str) -> None:
        attributes = {
            "server_group": group["id"],
            "display_name": server_id,
            "flavor_id": "flavor",
            "flavor_name": "flavor",
        }
        if server_id not in self._known:
            self.ask("metric", "POST", "/v1/resource/instance", {"id": server_id, **attributes})
            self._known.add(server_id)

    def forget(self) -> None:
        """Delete what was measured."""
        for server_id in self._known:
            self.ask("metric", "DELETE", f"/v1/resource/instance/{server_id}")

    def _measure(self, server_id: str, metric: str, value: float) -> None:
        measures = [{"timestamp": datetime.now(UTC).isoformat(), "value": value}]
        # "high" is of every Gnocchi: each second for an hour, each minute for a week.
        batch = {server_id: {metric: {"archive_policy_name": "high", "measures": measures}}}
        path = "/v1/batch/resources/metrics/measures?create_metrics=true"
        self.ask("metric", "POST", path, batch)

    @contextmanager
    def alarm(self, group: Document, action: str, comparison: str, threshold: float) -> Iterator[str]:
        """Have an alarm of the owner's own on each second's mean of cpu, until the end of the block."""
        rule = {
            "metric": "cpu",
            "resource_type": "instance",
            "query": json.dumps({"=": {"server_group": group["id"]}}),
            "aggregation_method": "mean",
            "granularity": 1,
            "evaluation_periods": 2,
            "comparison_operator": comparison,
            "threshold": threshold,
        }
        wanted = {
            "name": f"e2e-{group['id']}-{comparison}",
            "type": _TYPE,
            "repeat_actions": True,
            "alarm_actions": [action],
            "ok_actions": [action],
            f"{_TYPE}_rule": rule,
        }
        id_ = self.ask("alarming", "POST", "/v2/alarms", wanted)["alarm_id"]
        yield id_
        self.ask("alarming", "DELETE", f"/v2/alarms/{id_}")

    def alarms_of(self, group: Document) -> list[Document]:
        """Return the alarms that are about a group."""
        found: list[Document] = self.ask("alarming", "GET", "/v2/alarms")
        return [each for each in found if group["id"] in json.dumps(each)]


def seconds_since(began: float) -> str:
    """Return how long it is since then, in words."""
    return f"{time.monotonic() - began:.1f} s"
