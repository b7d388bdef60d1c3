"""What a fake port is made of: the memory it works on, and a lock around each call."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from tests.fakes.memory import Memory

P = ParamSpec("P")
R = TypeVar("R")


class Port:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory


S = TypeVar("S", bound=Port)


def atomic(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    @wraps(method)
    def locked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._memory.lock:
            return method(self, *args, **kwargs)

    return locked
