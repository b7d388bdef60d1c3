"""How often the machines run: the same thousands of runs each time, or other ones, and more of them."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_TIMES = int(os.environ.get("SOAK_TIMES", "0"))
"""How many times as often, with other choices in each run: what ``make soak`` sets."""


def runs(examples: int, steps: int) -> settings:
    """Return the settings of a machine: so many runs, each of at most so many steps."""
    return settings(
        max_examples=examples * (_TIMES or 1),
        stateful_step_count=steps,
        deadline=None,
        derandomize=not _TIMES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
