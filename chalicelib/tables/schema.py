"""All tables as their rows declare them: what is deployed, on AWS and on one machine alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pynamodb.attributes import TTLAttribute

from chalicelib.tables.activities import ActivityRow
from chalicelib.tables.alarm_history import AlarmHistoryRow
from chalicelib.tables.alarms import AlarmRow
from chalicelib.tables.credentials import CredentialRow
from chalicelib.tables.executions import ExecutionRow
from chalicelib.tables.folds import FoldRow
from chalicelib.tables.group_rows import GroupRow
from chalicelib.tables.intakes import IntakeRow, IntakeTokenRow
from chalicelib.tables.launch_configurations import LaunchConfigurationRow
from chalicelib.tables.members import MemberRow
from chalicelib.tables.meters import MeterRow
from chalicelib.tables.policies import PolicyRow
from chalicelib.tables.policy_states import PolicyStateRow
from chalicelib.tables.rates import TallyRow
from chalicelib.tables.refreshes import RefreshRow
from chalicelib.tables.rows import Row
from chalicelib.tables.schedules import ScheduleRow
from chalicelib.tables.usage import UsageRow
from chalicelib.tables.webhooks import TokenRow, WebhookRow

_ROWS: tuple[type[Row], ...] = (
    GroupRow,
    MemberRow,
    LaunchConfigurationRow,
    CredentialRow,
    PolicyRow,
    PolicyStateRow,
    WebhookRow,
    TokenRow,
    AlarmRow,
    AlarmHistoryRow,
    ScheduleRow,
    RefreshRow,
    ExecutionRow,
    ActivityRow,
    UsageRow,
    FoldRow,
    IntakeRow,
    IntakeTokenRow,
    MeterRow,
    TallyRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One table, in the shapes that CreateTable and CloudFormation share.

    Attributes:
        name: without the stage's prefix.
        expires_by: the attribute that holds when a row is dropped, None where rows stay.
    """

    name: str
    keys: list[dict[str, str]]
    attributes: list[dict[str, str]]
    indexes: list[dict[str, Any]]
    expires_by: str | None


def tables() -> tuple[TableSchema, ...]:
    """Return all tables."""
    return tuple(_schema(row) for row in _ROWS)


def _schema(row: type[Row]) -> TableSchema:
    declared: Any = row._get_schema()  # noqa: SLF001  (what Model.create_table is made from)
    expiring = [a.attr_name for a in row.get_attributes().values() if isinstance(a, TTLAttribute)]
    return TableSchema(
        name=row.table,
        keys=_hash_first(declared["key_schema"]),
        attributes=sorted(declared["attribute_definitions"], key=lambda a: str(a["AttributeName"])),
        indexes=[
            {
                "IndexName": index["index_name"],
                "KeySchema": _hash_first(index["key_schema"]),
                "Projection": index["projection"],
            }
            for index in declared["global_secondary_indexes"]
        ],
        expires_by=next(iter(expiring), None),
    )


def _hash_first(keys: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the keys as DynamoDB wants them: the hash key, then the range key."""
    return sorted(keys, key=lambda key: key["KeyType"])
