"""Each tick: have alarms judged, find the groups and schedules due: nothing depends on a message arriving."""

from __future__ import annotations

import logging

from chalicelib.flows import silence
from chalicelib.flows.firing import fire_due
from chalicelib.flows.nudge import nudge_all
from chalicelib.ports import Services, Share
from chalicelib.telemetry import DUE_GROUPS, WORK_SECONDS, about

_log = logging.getLogger(__name__)

_GROUPS_MAX = 1000
"""What one sweep of one shard passes on; the rest is the longest due at the next minute."""


def tick(s: Services) -> None:
    """Spread the tick's work over the shards of the indexes."""
    began = s.now()
    s.queue.sweep_soon(range(s.limits.shards))
    s.queue.watch_soon([Share(shard=shard) for shard in range(s.limits.shards)])
    _log.info("tick", extra=about((WORK_SECONDS, (s.now() - began).total_seconds()), work="tick"))


def sweep(s: Services, shard: int) -> None:
    """Ask for a round for every group of the shard that is due; fire due schedules; notice who fell silent.

    A group is due while it is unsettled, and when it was not looked at for long.
    """
    began, request_id = s.now(), f"req-{s.new_id()}"
    keys = s.groups.due(shard, began, _GROUPS_MAX)
    nudge_all(s, keys, request_id)
    fire_due(s, shard)
    silence.sweep(s, shard)
    measures = ((DUE_GROUPS, len(keys)), (WORK_SECONDS, (s.now() - began).total_seconds()))
    _log.info("sweep", extra=about(*measures, work="sweep", shard=shard, request_id=request_id))
