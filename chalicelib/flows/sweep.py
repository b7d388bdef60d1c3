"""Each tick: have alarms judged, find the groups and schedules due: nothing depends on a message arriving."""

from __future__ import annotations

import logging

from chalicelib.flows import silence
from chalicelib.flows.firing import fire_due
from chalicelib.ports import Services, Share

_log = logging.getLogger(__name__)

_GROUPS_MAX = 1000
"""What one sweep of one shard passes on; the rest is the longest due at the next minute."""


def tick(s: Services) -> None:
    """Spread the tick's work over the shards of the indexes."""
    s.queue.sweep_soon(range(s.limits.shards))
    s.queue.watch_soon([Share(shard=shard) for shard in range(s.limits.shards)])


def sweep(s: Services, shard: int) -> None:
    """Ask for a round for every group of the shard that is due; fire due schedules; notice who fell silent.

    A group is due while it is unsettled, and when it was not looked at for long.
    """
    keys = s.groups.due(shard, s.now(), _GROUPS_MAX)
    if keys:
        s.queue.converge_soon(keys, request_id=f"req-{s.new_id()}")
        _log.info("shard %d: %d groups due", shard, len(keys))
    fire_due(s, shard)
    silence.sweep(s, shard)
