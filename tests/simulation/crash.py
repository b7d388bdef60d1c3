"""Death, errors, writes that come second, standstills: wraps the ports so that each is at a chosen call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

import hypothesis.strategies as st

from chalicelib.core.errors import Conflict, NotFound, Stale, Unavailable
from chalicelib.flows import groups
from chalicelib.ports import Services
from chalicelib.ports.cloud import CloudUnavailable
from tests.core import factories
from tests.world import CALLER


class Died(BaseException):
    """The process was killed. No code under test may catch it."""


class Kind(StrEnum):
    """What may happen at a call."""

    DIES = "dies"  # the process is killed
    FAILS = "fails"  # what is called is too busy, or its answer is lost
    LOSES = "loses"  # another writes first, and a guarded write is refused
    STALLS = "stalls"  # the process stands still, and others go on meanwhile


@dataclass(frozen=True, slots=True)
class Mishap:
    """What happens to one invocation.

    Attributes:
        at_call: so many calls to the world go well before; then what loses is the first write that can.
        late: once the call has taken effect, not before; what has taken effect loses no more.
    """

    at_call: int
    late: bool = False
    kind: Kind = Kind.DIES


def mishaps(
    calls: int, kinds: tuple[Kind, ...] = (Kind.DIES, Kind.FAILS, Kind.LOSES)
) -> st.SearchStrategy[Mishap | None]:
    """Return a mishap at one of the first ``calls`` calls, or none."""
    return st.none() | st.builds(Mishap, st.integers(0, calls), st.booleans(), st.sampled_from(kinds))


@dataclass
class Executioner:
    """Lets a number of calls to the world pass and then strikes: before a call takes effect, or after.

    Attributes:
        meanwhile: what others do while the process stands still.
        others_write: writes the group, and wants of it what was wanted before.
        struck: whether the last invocation had its mishap.
    """

    calls_left: int | None = None
    after_effect: bool = False
    meanwhile: Callable[[], object] = lambda: None
    others_write: Callable[[], object] = lambda: None
    kind: Kind = Kind.DIES
    struck: bool = False

    def invoke(self, run: Callable[[], object], mishap: Mishap | None, *, tells: bool = False) -> None:
        """Run one invocation, which ends as a handler lets it end, and maybe has a mishap.

        Args:
            tells: whether it may say that another wrote first: whoever means no generation never hears of it.
        """
        self.calls_left, self.struck = None, False
        if mishap is not None:
            self.calls_left, self.after_effect, self.kind = mishap.at_call, mishap.late, mishap.kind
        fails: tuple[type[Exception], ...] = (
            (Unavailable,) if mishap is not None and mishap.kind is Kind.FAILS else ()
        )
        try:
            with suppress(Died, NotFound, Conflict, *fails):
                _run(run, tells=tells)
        finally:
            self.calls_left = None

    def about_to_call(self, call: Call) -> None:
        """Count a call that is about to take effect."""
        if self.calls_left is None:
            return
        self.calls_left -= 1
        strikes = call.can_lose if self.kind is Kind.LOSES else not self.after_effect
        if self.calls_left < 0 and strikes:
            self._strike(call)

    def has_called(self, call: Call) -> None:
        """Count a call that has taken effect."""
        if self.calls_left is not None and self.calls_left < 0 and self.kind is not Kind.LOSES:
            self._strike(call)

    def _strike(self, call: Call) -> None:
        self.calls_left, self.struck = None, True
        match self.kind:
            case Kind.DIES:
                raise Died
            case Kind.FAILS:
                raise _failure_of(call.port)
            case Kind.LOSES if call.tells_otherwise:
                with suppress(NotFound):
                    self.others_write()
            case Kind.LOSES:
                raise Stale(f"{call.port}.stale", "It was changed meanwhile; read it again.")
            case Kind.STALLS:
                self.meanwhile()


def _run(run: Callable[[], object], *, tells: bool) -> None:
    try:
        run()
    except Stale as stale:
        if not tells:
            raise AssertionError("others wrote first, and nobody tried again") from stale


GUARDED = {
    "groups": {"change", "decide"},
    "members": {"dismiss"},
    "refreshes": {"begin", "change"},
    "policies": {"change"},
    "policy_states": {"put"},
    "alarms": {"change", "delete"},
    "schedules": {"change"},
    "webhooks": {"change", "delete"},
    "intakes": {"change", "delete"},
}
"""What raises Stale where another wrote first, whatever generation was meant."""

_GUARDED_QUIETLY = {"groups": {"conclude", "remove"}}
"""What then does less than it was asked for, and raises nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the world."""

    port: str
    method: str
    args: tuple[Any, ...]

    @property
    def can_lose(self) -> bool:
        """Whether it is a write on what was read; a decision that leaves the group as it is writes none."""
        leaves_it = self.method == "decide" and self.args[0] is self.args[1]
        return (self.method in GUARDED.get(self.port, ()) and not leaves_it) or self.tells_otherwise

    @property
    def tells_otherwise(self) -> bool:
        """Whether it raises nothing when it has lost."""
        return self.method in _GUARDED_QUIETLY.get(self.port, ())


_CLOUDS = {"clouds", "balancers", "orchestration", "rehearsals", "monitoring"}


def _failure_of(port: str) -> Exception:
    """Return what an adapter makes of a service that does not answer, or not in time."""
    if port in _CLOUDS:
        return CloudUnavailable("504 Gateway Timeout")
    return Unavailable("storage.unavailable", "The database is busy; try again.", retry_after_seconds=1)


class Mortal:
    """Any port, with the executioner beside each of its calls."""

    def __init__(self, port: Any, name: str, executioner: Executioner) -> None:
        self._port = port
        self._name = name
        self._executioner = executioner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            this = Call(self._name, name, args)
            self._executioner.about_to_call(this)
            result = method(*args, **kwargs)
            self._executioner.has_called(this)
            return Mortal(result, self._name, self._executioner) if name == "enter" else result

        return call


_CALLABLES = {"limits", "now", "new_id", "new_token", "jitter", "sleep", "at_once"}


def mortal(services: Services, executioner: Executioner) -> Services:
    """Return the services, each call of which may be the last."""
    executioner.others_write = lambda: groups.converge_now(services, CALLER, factories.GROUP, "req-w")
    ports = {f.name: getattr(services, f.name) for f in fields(services) if f.name not in _CALLABLES}
    backends = ports.pop("monitoring")
    wrapped: dict[str, Any] = {name: Mortal(port, name, executioner) for name, port in ports.items()}
    wrapped["monitoring"] = {
        name: Mortal(backend, "monitoring", executioner) for name, backend in backends.items()
    }
    return replace(services, **wrapped)
