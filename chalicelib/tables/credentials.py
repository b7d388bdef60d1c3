"""The table of credentials; secrets come sealed."""

from __future__ import annotations

from contextlib import suppress

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.credential import Credential, CredentialStatus, CredentialType
from chalicelib.core.ids import CredentialId, ProjectId
from chalicelib.tables.calls import Refused, perform
from chalicelib.tables.database import Database
from chalicelib.tables.rows import DocumentAttribute, WordAttribute
from chalicelib.tables.uses import UsedRow, UsedTable


class CredentialRow(UsedRow):
    """One credential."""

    table = "credentials"

    name = UnicodeAttribute()
    type = WordAttribute(CredentialType)
    user_id = UnicodeAttribute()
    roles = DocumentAttribute(tuple[str, ...])
    reference = UnicodeAttribute()
    sealed_secret = UnicodeAttribute(null=True)
    status = WordAttribute(CredentialStatus)
    status_reason = UnicodeAttribute(null=True)
    checked_at = UTCDateTimeAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    redelegation = BooleanAttribute()
    fingerprint = UnicodeAttribute(null=True)


class CredentialTable(UsedTable[CredentialRow, Credential]):
    """Credentials in DynamoDB."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, CredentialRow, Credential, noun="credential", counter="credentials")

    def find(self, project_id: ProjectId, id_: CredentialId) -> Credential | None:
        """Return the credential, or None."""
        return self._table.find(project_id, id_)

    def note(self, credential: Credential) -> None:
        """Write status, status_reason and checked_at; one that is gone stays gone."""
        row = self._table.rows.of(credential)
        actions = row.setting(("status", "status_reason", "checked_at"))
        with suppress(Refused):
            perform(lambda: row.update(actions, CredentialRow.id.exists()))
