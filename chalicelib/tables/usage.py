"""Usage: one row of counters for each project, kept by the transactions that create and delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields

from pynamodb.attributes import Attribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.condition import Condition

from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.core.ids import ProjectId
from chalicelib.core.quota import Quota
from chalicelib.tables.calls import Transaction, perform
from chalicelib.tables.database import Database
from chalicelib.tables.rows import Row

NOTHING = Quota(**{field.name: 0 for field in fields(Quota)})


class UsageRow(Row):
    """The counters of one project; one that was never counted is absent and zero."""

    table = "usage"

    project_id = UnicodeAttribute(hash_key=True)
    groups = NumberAttribute(default=0)
    members = NumberAttribute(default=0)
    policies = NumberAttribute(default=0)
    webhooks = NumberAttribute(default=0)
    launch_configurations = NumberAttribute(default=0)
    credentials = NumberAttribute(default=0)
    alarms = NumberAttribute(default=0)


class UsageCounter:
    """Counts what a project uses, within the transaction that uses it."""

    def __init__(self, database: Database) -> None:
        self._rows = database.bind(UsageRow)

    def count(
        self, transaction: Transaction, project_id: ProjectId, quota: Quota | None, **changes: int
    ) -> None:
        """Add ``changes`` to the counters; what grows beyond ``quota`` refuses the transaction (Forbidden).

        Args:
            quota: None where nothing grows.
            changes: by how much each counter changes, by the names of Quota's fields.
        """
        changes = {noun: by for noun, by in changes.items() if by}
        if not changes:
            return
        attributes = UsageRow.get_attributes()
        condition: Condition | None = None
        growing = {noun: by for noun, by in changes.items() if by > 0}
        limits = asdict(quota) if quota else {}
        for noun, by in growing.items():
            condition &= _leaves_room(attributes[noun], by, limits[noun])
        transaction.update(
            self._rows(project_id),
            [attributes[noun].add(by) for noun, by in changes.items()],
            condition,
            _exceeded(growing, limits),
        )


def _leaves_room(counter: Attribute[float], by: int, limit: int) -> Condition:
    room = counter <= limit - by
    return room | counter.does_not_exist() if by <= limit else room


def _exceeded(growing: dict[str, int], limits: dict[str, int]) -> Callable[[UsageRow | None], Forbidden]:
    """Return what a refusal means: the first noun that has no room, and how much it has."""

    def refusal(stored: UsageRow | None) -> Forbidden:
        used = asdict(stored.to(Quota) if stored else NOTHING)
        noun = next((n for n, by in growing.items() if used[n] + by > limits[n]), next(iter(growing)))
        return Forbidden(
            f"quota.{noun}_exceeded",
            f"The project may have {limits[noun]} {noun.replace('_', ' ')}: {used[noun]} are in use, "
            f"and this needs {growing[noun]} more.",
        )

    return refusal


class UsageTable:
    """What each project uses of its quota, in DynamoDB."""

    def __init__(self, database: Database) -> None:
        self._rows = database.bind(UsageRow)

    def of_project(self, project_id: ProjectId) -> Quota:
        """Return what is in use."""
        try:
            return perform(lambda: self._rows.get(project_id, consistent_read=True)).to(Quota)
        except self._rows.DoesNotExist:
            return NOTHING

    def reachable(self) -> bool:
        """Return whether the tables answer; for the health check."""
        try:
            self.of_project(ProjectId("-"))
        except (Unavailable, PynamoDBException):
            return False
        return True
