"""How often the machines run: the same thousands of runs each time, or other ones, and more of them."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_TIMES = int(os.environ.get("SOAK_TIMES", "0"))
"""How many times as often, with other choices in each run: what ``make soak`` sets."""


_PHASES = tuple(Phase) if os.environ.get("SIMULATION_EXPLAINS", "1") == "1" else (Phase.generate,)
"""Who only wants to know whether a law is broken does not wait for the shortest way to break it."""


def runs(examples: int, steps: int) -> settings:
    """Return the settings of a machine: so many runs, each of at most so many steps."""
    return settings(
        max_examples=examples * (_TIMES or 1),
        stateful_step_count=steps,
        deadline=None,
        derandomize=not _TIMES,
        database=None,
        phases=_PHASES,
        suppress_health_check=list(HealthCheck),
    )
