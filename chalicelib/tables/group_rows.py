"""The row of a group, and how what is wanted is written.

``due_at`` and its shard form the index that the minute's sweep reads. A lease is two attributes; while it is
held, ``due_at`` is the lease's end, so that a round that died is found again by the same index.
"""

from __future__ import annotations

import zlib
from dataclasses import fields, replace
from datetime import datetime

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.indexes import KeysOnlyProjection

from chalicelib.core.capacity import Bounds
from chalicelib.core.cooldown import Stamp
from chalicelib.core.group import Change, Freeze, Group, Observed, RemovalOrder
from chalicelib.core.heat import HeatTarget
from chalicelib.core.ids import GroupId, PoolId, WebhookId
from chalicelib.core.launch import LaunchType
from chalicelib.core.pool import Pool
from chalicelib.tables.calls import Transaction
from chalicelib.tables.rows import DocumentAttribute, Row, RowIndex, WordAttribute
from chalicelib.tables.table import Table


class _Due(RowIndex, projection=KeysOnlyProjection()):
    due_shard = NumberAttribute(hash_key=True)
    due_at = UTCDateTimeAttribute(range_key=True)


class GroupRow(Row):
    """One group."""

    table = "groups"

    due = _Due()

    project_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    name = UnicodeAttribute()
    launch_configuration_id = UnicodeAttribute(null=True)
    credential_id = UnicodeAttribute()
    bounds = DocumentAttribute(Bounds)
    desired_capacity = NumberAttribute()
    cooldown_seconds = NumberAttribute()
    removal_order = WordAttribute(RemovalOrder)
    availability_zones = DocumentAttribute(tuple[str, ...])
    build_timeout_seconds = NumberAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    kind = WordAttribute(LaunchType)
    generation = NumberAttribute()
    deleting = BooleanAttribute()
    freeze = DocumentAttribute(Freeze, null=True)
    cooldowns = DocumentAttribute(tuple[Stamp, ...])
    judged_at = UTCDateTimeAttribute(null=True)
    changes = DocumentAttribute(tuple[Change, ...])
    refresh_id = UnicodeAttribute(null=True)
    observed = DocumentAttribute(Observed)
    heat = DocumentAttribute(HeatTarget, null=True)
    fingerprint = UnicodeAttribute(null=True)
    load_balancers = DocumentAttribute(tuple[Pool, ...], default=())
    former_pools = DocumentAttribute(tuple[PoolId, ...], default=())

    due_shard = NumberAttribute()
    due_at = UTCDateTimeAttribute()
    lease_owner = UnicodeAttribute(null=True)
    lease_until = UTCDateTimeAttribute(null=True)


_WANTED = {field.name for field in fields(Group)} - {"project_id", "id", "created_at", "kind", "observed"}
"""What an owner's change may write; what was observed belongs to the lease."""


def shard_of(id_: GroupId | WebhookId, shards: int) -> int:
    """Return the shard of an index that holds this id, the same one in every process."""
    return zlib.crc32(id_.encode()) % shards


def rewrite(transaction: Transaction, table: Table[GroupRow, Group], was: Group, new: Group) -> Group:
    """Add the write of what ``new`` wants, due at once, if ``was`` is still what is stored (else Stale).

    Returns:
        ``new`` at its next generation, as it will be stored.
    """
    written = replace(new, generation=was.generation + 1)
    row = table.rows.of(written, due_at=new.updated_at)
    transaction.update(
        row,
        row.rewriting({*_WANTED, "due_at"}),
        GroupRow.generation == was.generation,
        table.stale(was.id),
    )
    return written


def concluding(row: GroupRow, due_at: datetime) -> GroupRow:
    """Return the row with its lease ended and its next round due at ``due_at``."""
    row.due_at = due_at
    row.lease_owner = row.lease_until = None  # None removes them
    return row
