"""The two groups as faults meet them: asked, killed, looked at, repaired and deleted in the same words."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException
from requests import RequestException

from dev.beside_heat.groups import HeatGroup, OurGroup, Policy
from dev.beside_heat.place import Place, until
from dev.client import Document, Refused
from dev.faults_beside_heat.commands import Commands

UNANSWERED = (RequestException, ClientException, SDKException, Refused)
"""What it may come to to ask a service that is down, or whose Keystone is."""

_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "CHECK_COMPLETE")
_CHECKED_WITHIN_SECONDS = 120
_GONE_WITHIN_SECONDS = 120


def why(error: Exception) -> str:
    """Return in short why there was no answer, without what differs each time."""
    return f"{error.status} {error.code}" if isinstance(error, Refused) else type(error).__name__


class Repair(StrEnum):
    """What somebody can do by hand when a group does not come to be as wanted by itself."""

    CONVERGE = "POST .../convergences"
    SIGNAL = "a signal to an exact size"
    UPDATE = "a stack update to that size"
    CHECK = "a check of the stack, then the update"
    RESET = "the group marked unhealthy and healthy, then the signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a group says of itself.

    Attributes:
        state: status and reason, as its owner is shown them.
        wants: how many servers it holds to be wanted.
        believes: how many of them it holds to be well.
        at_rest: it holds that nothing is to be done, and takes the next notification.
        servers: ids of those that it knows.
    """

    state: str
    wants: int
    believes: int
    at_rest: bool
    servers: frozenset[str]


class Contestant(Protocol):
    """A group, with its policies ``out``, ``up`` and ``exact``."""

    @property
    def name(self) -> str:
        """Whose it is."""

    def notify(self, policy: str, event_id: str) -> bool:
        """Send a policy a notification; return whether it was acknowledged."""

    def kill(self) -> None:
        """Kill all processes that change servers, at once, and have them started again."""

    def seen(self) -> Seen:
        """Ask it how it is."""

    def servers(self) -> list[Document]:
        """Ask Nova which servers it has."""

    def repair(self, by: Repair, size: int) -> None:
        """Do what is done by hand, so that it comes to ``size``."""

    def told(self) -> list[str]:
        """Return what its owner can read about what went wrong, the newest first."""

    def close(self) -> None:
        """Delete it, and wait until it is gone; TimeoutError if it does not go."""


class Ours(OurGroup):
    """A group of ours."""

    name = "ours"

    def __init__(self, place: Place, _: Commands, policies: dict[str, Policy], size: int) -> None:
        super().__init__(place, policies, size)

    def notify(self, policy: str, event_id: str) -> bool:
        """Call the policy's webhook."""
        return _acknowledged(lambda: self.call(policy, event_id).ok)

    def kill(self) -> None:
        """Kill the workers; they are started again by whoever keeps them."""
        for pid in self.place.stack.worker_pids:
            os.kill(pid, signal.SIGKILL)

    def seen(self) -> Seen:
        """Look at the group and its members."""
        api = self.place.api
        group = api.get(self.path)
        members = api.get(f"{self.path}/members?limit=1000")["members"]
        reason = f": {group['status_reason']}" if group["status_reason"] else ""
        return Seen(
            state=group["status"] + reason,
            wants=group["desired_capacity"],
            believes=group["in_service"],
            at_rest=group["status"] == "active",
            servers=frozenset(member["server_id"] for member in members if member["server_id"]),
        )

    def repair(self, by: Repair, size: int) -> None:
        """Have it look at the cloud again, as something has been done about its trouble."""
        assert by is Repair.CONVERGE, f"{by} is not for a group that wants {size} by itself"
        self.place.api.post(f"{self.path}/convergences")

    def told(self) -> list[str]:
        """Return the group's activities, but for members that began to serve."""
        listed = self.place.api.get(f"/v1/activities?group_id={self.id}&limit=200")["activities"]
        return [str(each["detail"]) for each in listed if each["kind"] != "member_in_service"]


class Heat(HeatGroup):
    """A group of Heat's."""

    name = "Heat"

    def __init__(self, place: Place, commands: Commands, policies: dict[str, Policy], size: int) -> None:
        super().__init__(place, policies, size)
        self._commands = commands

    def notify(self, policy: str, event_id: str) -> bool:  # noqa: ARG002  (Heat's signals have no id)
        """Signal the policy."""
        return _acknowledged(lambda: self.signal(policy).ok)

    def kill(self) -> None:
        """Kill the engine, and start it again."""
        self._commands.run("KILL_ENGINE")
        self._commands.run("START_ENGINE")

    def seen(self) -> Seen:
        """Look at the stack, the one nested in it, and its members."""
        stack = self.shown()["stack"]
        listed = self.shown("/resources?nested_depth=1")["resources"]
        members = [each for each in listed if each.get("parent_resource") == "asg"]
        nested = self._nested()["stack"]
        states = [stack["stack_status"], nested["stack_status"]]
        reasons = [
            shown["stack_status_reason"] for shown in (stack, nested) if "FAILED" in shown["stack_status"]
        ]
        scaling = self.is_scaling()
        resting = not any(state.endswith("IN_PROGRESS") for state in states) and not scaling
        return Seen(
            state=": ".join([f"stack {states[0]}, group {states[1]}{', scaling' * scaling}", *reasons]),
            wants=len(members),
            believes=sum(each["resource_status"] in _WELL for each in members),
            at_rest=resting,
            servers=frozenset(each["physical_resource_id"] for each in members),
        )

    def repair(self, by: Repair, size: int) -> None:
        """Do it, as far as Heat takes it."""
        if by is Repair.CHECK:
            self._ask("POST", "/actions", {"check": None})
            with suppress(TimeoutError):
                until(lambda: self.seen().at_rest, _CHECKED_WITHIN_SECONDS)
        if by in (Repair.CHECK, Repair.UPDATE):
            self._ask("PATCH", "", {"parameters": {"size": size}})
        if by is Repair.RESET:
            for bad in (True, False):
                self._ask(
                    "PATCH", "/resources/asg", {"mark_unhealthy": bad, "resource_status_reason": "reset"}
                )
        if by in (Repair.RESET, Repair.SIGNAL):
            self.signal("exact")

    def told(self) -> list[str]:
        """Return the reasons of events that say that something failed."""
        listed = self.shown("/events?nested_depth=1&limit=1000&sort_dir=desc")["events"]
        return [
            f"{each['resource_name']} {each['resource_status']}: {each['resource_status_reason']}"
            for each in listed
            if each["resource_status"].endswith("FAILED")
        ]

    def close(self) -> None:
        """Delete the stack, and wait until it is gone."""
        super().close()
        until(self._is_gone, _GONE_WITHIN_SECONDS)

    def _ask(self, method: str, path: str, document: Document) -> None:
        self.heat.request(f"{self.path}{path}", method, json=document).raise_for_status()

    def _nested(self) -> Document:
        """Return what Heat shows of the stack that is the group's inside."""
        links = self.shown("/resources/asg")["resource"]["links"]
        (href,) = [link["href"] for link in links if link["rel"] == "nested"]
        answer = self.heat.get(href[href.index("/stacks/") :])
        answer.raise_for_status()
        document: Document = answer.json()
        return document

    def _is_gone(self) -> bool:
        answer = self.heat.get(self.path)
        return answer.status_code == 404 or answer.json()["stack"]["stack_status"] == "DELETE_COMPLETE"


def _acknowledged(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except UNANSWERED:
        return False
