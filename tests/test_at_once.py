from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest

from chalicelib.at_once import at_once

WAIT_SECONDS = 30
asker: ContextVar[str] = ContextVar("asker")


def fails(error: Exception) -> None:
    raise error


def test_both_are_under_way_at_the_same_time_and_each_has_its_answer() -> None:
    both = threading.Barrier(2)

    def meet(answer: str) -> str:
        both.wait(WAIT_SECONDS)
        return answer

    assert at_once(lambda: meet("a"), lambda: meet("b")) == ("a", "b")


def test_what_either_raises_is_raised_when_both_are_over() -> None:
    done: list[str] = []
    with pytest.raises(KeyError):
        at_once(lambda: done.append("one"), lambda: fails(KeyError()))
    with pytest.raises(ValueError, match="no"):
        at_once(lambda: fails(ValueError("no")), lambda: done.append("other"))
    with pytest.raises(KeyError):
        at_once(lambda: fails(ValueError()), lambda: fails(KeyError()))
    assert done == ["one", "other"]


def test_both_run_on_behalf_of_the_same_request() -> None:
    asker.set("req-1")
    assert at_once(asker.get, asker.get) == ("req-1", "req-1")
