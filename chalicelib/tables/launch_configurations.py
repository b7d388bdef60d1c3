"""The table of launch configurations."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.launch import LaunchConfiguration, LaunchType, ServerTemplate, StackTemplate
from chalicelib.tables.database import Database
from chalicelib.tables.rows import DocumentAttribute, WordAttribute
from chalicelib.tables.uses import UsedRow, UsedTable


class LaunchConfigurationRow(UsedRow):
    """One launch configuration."""

    table = "launch-configurations"

    name = UnicodeAttribute()
    type = WordAttribute(LaunchType)
    server = DocumentAttribute(ServerTemplate, null=True)
    stack = DocumentAttribute(StackTemplate, null=True)
    created_at = UTCDateTimeAttribute()
    fingerprint = UnicodeAttribute(null=True)


class LaunchConfigurationTable(UsedTable[LaunchConfigurationRow, LaunchConfiguration]):
    """Launch configurations in DynamoDB; written once, never changed."""

    def __init__(self, database: Database) -> None:
        super().__init__(
            database,
            LaunchConfigurationRow,
            LaunchConfiguration,
            noun="launch_configuration",
            counter="launch_configurations",
        )
