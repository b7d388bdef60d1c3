"""What is made to go wrong: faults that match requests, servers as they are created, or stacks in action.

A fault is used up after ``times`` uses, 1 unless told; null means it stays. Of several that match, the
one added first is played.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from dev.simcloud.messages import Document, Malformed, Request, need


class Effect(StrEnum):
    """What a fault does; the first five to a request, three to servers that are created, two to stacks."""

    DELAY = "delay"
    ANSWER = "answer"
    DROP = "drop"
    PERFORM_THEN_ANSWER = "perform_then_answer"
    PERFORM_THEN_DROP = "perform_then_drop"
    BUILD_ERROR = "build_error"
    BUILD_NEVER = "build_never"
    HIDE = "hide"
    STACK_FAIL = "stack_fail"
    STACK_STAY = "stack_stay"


_ON_SERVERS = frozenset({Effect.BUILD_ERROR, Effect.BUILD_NEVER, Effect.HIDE})
_ON_STACKS = frozenset({Effect.STACK_FAIL, Effect.STACK_STAY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong, and for whom.

    Attributes:
        what: ``answer`` replies with ``status`` and performs nothing; ``drop`` closes the connection;
            the same after the request was performed; ``delay`` only waits for ``delay_seconds``;
            ``stack_fail`` lets a stack's action fail for ``reason``, ``stack_stay`` keeps it in progress.
        service: keystone, nova, glance, aodh, heat or octavia; any if null.
        path: a regular expression, searched for in the path.
        server: a regular expression, searched for in the name of the server concerned.
        body: what ``answer`` sends; by default the service's own shape of an error.
        delay_seconds: waited before any of these.
        hide_seconds: for how long ``hide`` keeps new servers out of lists.
        stack: a regular expression, searched for in the name of the stack concerned.
        action: of stacks, CREATE, UPDATE, DELETE, SUSPEND, RESUME or CHECK; any if null.
        stay_seconds: for how long ``stack_stay`` lasts at least; null is for ever, until a next action.
        times: how many requests, servers, or actions on stacks it applies to; null is all.
    """

    what: Effect
    service: str | None = None
    method: str | None = None
    path: str = ""
    server: str = ""
    status: int = 503
    body: dict[str, Any] | None = None
    retry_after_seconds: int | None = None
    delay_seconds: float = 0.0
    hide_seconds: float = 0.0
    stack: str = ""
    action: str | None = None
    reason: str | None = None
    stay_seconds: float | None = None
    times: int | None = 1

    def matches_request(
        self, service: str, request: Request, server_name: str | None, stack_name: str | None = None
    ) -> bool:
        """Tell whether it applies to a request, which concerns the server or stack of this name if any."""
        return (
            self.what not in _ON_SERVERS | _ON_STACKS
            and self.service in (None, service)
            and self.method in (None, request.method)
            and re.search(self.path, request.path) is not None
            and _found(self.server, server_name)
            and _found(self.stack, stack_name)
        )

    def matches_server(self, server_name: str, effects: frozenset[Effect]) -> bool:
        """Tell whether it applies, with one of ``effects``, to a server as it is created."""
        return self.what in effects and _found(self.server, server_name)

    def matches_stack(self, stack_name: str, action: str, effect: Effect) -> bool:
        """Tell whether it applies, with this effect, to an action that begins on a stack."""
        return self.what is effect and self.action in (None, action) and _found(self.stack, stack_name)


class Faults:
    """The faults in force."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._faults: dict[str, Fault] = {}
        self._uses: Counter[str] = Counter()
        self._ids = itertools.count(1)

    def add(self, fault: Fault) -> str:
        """Put a fault in force; return the id to remove it by."""
        with self._lock:
            fault_id = f"fault-{next(self._ids)}"
            self._faults[fault_id] = fault
        return fault_id

    def remove(self, fault_id: str) -> None:
        """End a fault; one already used up is a success."""
        with self._lock:
            self._faults.pop(fault_id, None)

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            self._faults.clear()

    def documents(self) -> list[Document]:
        """Return the faults in force, with the number of their uses so far."""
        with self._lock:
            return [
                {"id": fault_id, **asdict(fault), "uses": self._uses[fault_id]}
                for fault_id, fault in self._faults.items()
            ]

    def for_request(
        self, service: str, request: Request, server_name: str | None, stack_name: str | None = None
    ) -> Fault | None:
        """Use the first fault that applies to a request."""
        return self._use_first(lambda fault: fault.matches_request(service, request, server_name, stack_name))

    def for_server(self, server_name: str, *effects: Effect) -> Fault | None:
        """Use the first fault with one of ``effects`` that applies to a new server."""
        return self._use_first(lambda fault: fault.matches_server(server_name, frozenset(effects)))

    def for_stack(self, stack_name: str, action: str, effect: Effect) -> Fault | None:
        """Use the first fault with this effect that applies to an action on a stack."""
        return self._use_first(lambda fault: fault.matches_stack(stack_name, action, effect))

    def _use_first(self, matches: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for fault_id, fault in self._faults.items():
                if matches(fault):
                    self._uses[fault_id] += 1
                    if self._uses[fault_id] == fault.times:
                        del self._faults[fault_id]
                    return fault
        return None


def _found(pattern: str, name: str | None) -> bool:
    return not pattern or (name is not None and re.search(pattern, name) is not None)


def fault_from(document: Document) -> Fault:
    """Return the fault that a JSON object describes, its fields named as those of ``Fault``."""
    unknown = document.keys() - {field.name for field in fields(Fault)}
    if unknown:
        raise Malformed(f"A fault has no {', '.join(sorted(unknown))}")
    what = need(document, "what", str)
    try:
        fault = Fault(**{**document, "what": Effect(what)})
        re.compile(fault.path)
        re.compile(fault.server)
        re.compile(fault.stack)
    except (ValueError, TypeError, re.error) as error:
        raise Malformed(f"Not a fault: {error}") from error
    return fault
