"""Death at any call, or somebody else at work: wraps the ports so that it happens at a chosen call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

from chalicelib.core.errors import Conflict, NotFound
from chalicelib.ports import Services


class Died(BaseException):
    """The process was killed. No code under test may catch it."""


@dataclass
class Executioner:
    """Lets a number of calls to the world pass and then kills: before a call takes effect, or after.

    Attributes:
        meanwhile: what somebody else does then, instead; it happens once, and nobody dies.
    """

    calls_left: int | None = None
    after_effect: bool = False
    meanwhile: Callable[[], None] | None = None

    def invoke(self, run: Callable[[], object], dies: int | None, *, late: bool) -> None:
        """Run one invocation, to which something happens at its ``dies``-th call to the world.

        Args:
            late: after that call has taken effect, not before.
        """
        self.calls_left, self.after_effect = dies, late
        try:
            with suppress(Died, NotFound, Conflict):
                run()
        finally:
            self.calls_left = None

    def about_to_call(self) -> None:
        """Count a call that is about to take effect."""
        if self.calls_left is None:
            return
        self.calls_left -= 1
        if self.calls_left < 0 and not self.after_effect:
            self._strike()

    def has_called(self) -> None:
        """Count a call that has taken effect."""
        if self.calls_left is not None and self.calls_left < 0:
            self._strike()

    def _strike(self) -> None:
        if self.meanwhile is None:
            raise Died
        self.calls_left = None
        self.meanwhile()


class Mortal:
    """Any port, with the executioner beside each of its calls."""

    def __init__(self, port: Any, executioner: Executioner) -> None:
        self._port = port
        self._executioner = executioner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._executioner.about_to_call()
            result = method(*args, **kwargs)
            self._executioner.has_called()
            return Mortal(result, self._executioner) if name == "enter" else result

        return call


_CALLABLES = {"limits", "now", "new_id", "new_token", "jitter", "sleep", "at_once"}


def mortal(services: Services, executioner: Executioner) -> Services:
    """Return the services, each call of which may be the last."""
    ports = {f.name: getattr(services, f.name) for f in fields(services) if f.name not in _CALLABLES}
    backends = ports.pop("monitoring")
    wrapped: dict[str, Any] = {name: Mortal(port, executioner) for name, port in ports.items()}
    wrapped["monitoring"] = {name: Mortal(backend, executioner) for name, backend in backends.items()}
    return replace(services, **wrapped)
