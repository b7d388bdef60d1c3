"""What holds for thousands of rounds in a row."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

_WITHIN_SECONDS = 1800
"""Of the machine's time, which others may share: what ends is bounded in steps, not in seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what runs for long its time."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(_WITHIN_SECONDS))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Log no more than would be seen: to keep every line of every round takes longer than the rounds.

    What flows log at other levels is looked at for secrets in all other tests.
    """
    logger = logging.getLogger("chalicelib")
    was = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(was)
