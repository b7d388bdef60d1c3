"""Death at any call: wraps the ports so that a chosen call to the world is the last of its invocation."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from chalicelib.ports import Services


class Died(BaseException):
    """The process was killed. No code under test may catch it."""


@dataclass
class Executioner:
    """Lets a number of calls to the world pass and then kills: before a call takes effect, or after."""

    calls_left: int | None = None
    after_effect: bool = False

    def about_to_call(self) -> None:
        """Count a call that is about to take effect."""
        if self.calls_left is None:
            return
        self.calls_left -= 1
        if self.calls_left < 0 and not self.after_effect:
            raise Died

    def has_called(self) -> None:
        """Count a call that has taken effect."""
        if self.calls_left is not None and self.calls_left < 0:
            raise Died


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


_CALLABLES = {"limits", "now", "new_id", "new_token", "jitter", "sleep"}


def mortal(services: Services, executioner: Executioner) -> Services:
    """Return the services, each call of which may be the last."""
    ports = {f.name: getattr(services, f.name) for f in fields(services) if f.name not in _CALLABLES}
    backends = ports.pop("monitoring")
    wrapped: dict[str, Any] = {name: Mortal(port, executioner) for name, port in ports.items()}
    wrapped["monitoring"] = {name: Mortal(backend, executioner) for name, backend in backends.items()}
    return replace(services, **wrapped)
