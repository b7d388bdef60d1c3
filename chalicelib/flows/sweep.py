"""Each minute: find the groups that are due, so that nothing depends on a message arriving."""

from __future__ import annotations

import logging

from chalicelib.flows import silence
from chalicelib.ports import Services

_log = logging.getLogger(__name__)

_GROUPS_MAX = 1000
"""What one sweep of one shard passes on; the rest is the longest due at the next minute."""


def tick(s: Services) -> None:
    """Spread the minute's work over the shards of the due-time index."""
    s.queue.sweep_soon(range(s.limits.shards))


def sweep(s: Services, shard: int) -> None:
    """Ask for a round for every group of the shard that is due: unsettled, or not looked at for long.

    Then notice who has fallen silent.
    """
    keys = s.groups.due(shard, s.now(), _GROUPS_MAX)
    if keys:
        s.queue.converge_soon(keys, request_id=f"req-{s.new_id()}")
        _log.info("shard %d: %d groups due", shard, len(keys))
    silence.sweep(s, shard)
