"""What holds for thousands of rounds in a row."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


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
