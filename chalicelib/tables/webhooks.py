"""The table of webhooks, and the one of their tokens.

A token is its own key: whoever has it needs no project. Its row is written and deleted in the transactions
of its webhook, whose own list of tokens decides whether it is live; the row only leads there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import KeysOnlyProjection

from chalicelib.core.activity import Activity
from chalicelib.core.errors import NotFound, Stale
from chalicelib.core.ids import PolicyId, ProjectId, WebhookId
from chalicelib.core.policy import DirectionLimit, Policy, Webhook
from chalicelib.core.quota import Quota
from chalicelib.core.signature import SignatureRule
from chalicelib.core.source import Source
from chalicelib.core.token import TokenHash
from chalicelib.ports.storage import Page
from chalicelib.tables.activities import activity_row
from chalicelib.tables.calls import Refused, Transaction, perform
from chalicelib.tables.database import Database
from chalicelib.tables.group_rows import shard_of
from chalicelib.tables.policies import PolicyRow
from chalicelib.tables.rows import DocumentAttribute, Row, RowIndex, WordAttribute, joined
from chalicelib.tables.table import Table, create, taken
from chalicelib.tables.tokens import follow
from chalicelib.tables.usage import UsageCounter


class _ByPolicy(RowIndex):
    policy_key = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class _Overdue(RowIndex, projection=KeysOnlyProjection()):
    overdue_shard = NumberAttribute(hash_key=True)
    overdue_at = UTCDateTimeAttribute(range_key=True)


class WebhookRow(Row):
    """One webhook; only those that are expected to be called, and are not known as silent, get overdue."""

    table = "webhooks"

    by_policy = _ByPolicy()
    overdue = _Overdue()

    project_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    policy_key = UnicodeAttribute()
    policy_id = UnicodeAttribute()
    group_id = UnicodeAttribute()
    name = UnicodeAttribute()
    direction = WordAttribute(DirectionLimit)
    tokens = DocumentAttribute(tuple[TokenHash, ...])
    expires_at = UTCDateTimeAttribute(null=True)
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    signature = DocumentAttribute(SignatureRule, null=True)
    sns_topic_arn = UnicodeAttribute(null=True)
    source = DocumentAttribute(Source, null=True)
    generation = NumberAttribute()
    fingerprint = UnicodeAttribute(null=True)

    overdue_shard = NumberAttribute(null=True)
    overdue_at = UTCDateTimeAttribute(null=True)


_KEY = {"project_id", "id"}
_WANTED = {field.name for field in fields(Webhook)} - _KEY - {"source"}
"""What an owner's change writes; what is known of the source is noted by others meanwhile."""

_OF_SOURCE = {"source", "overdue_shard", "overdue_at"}


class TokenRow(Row):
    """Where a token's hash leads; DynamoDB drops it some time after it can no longer be used."""

    table = "tokens"

    sha256 = UnicodeAttribute(hash_key=True)
    project_id = UnicodeAttribute()
    webhook_id = UnicodeAttribute()
    expires_at = TTLAttribute(null=True)


class WebhookTable:
    """Webhooks and their tokens in DynamoDB.

    Args:
        shards: how many parts the index of the overdue has.
    """

    def __init__(self, database: Database, shards: int = 8) -> None:
        self._database = database
        self._shards = shards
        self._table = Table(database, WebhookRow, Webhook, "webhook")
        self._policies = Table(database, PolicyRow, Policy, "policy")
        self._tokens = database.bind(TokenRow)
        self._usage = UsageCounter(database)

    def get(self, project_id: ProjectId, webhook_id: WebhookId) -> Webhook:
        """Return the webhook, read consistently."""
        return self._table.get(project_id, webhook_id)

    def by_token(self, sha256: str) -> Webhook | None:
        """Return the webhook that has this token hash among its own, or None."""
        try:
            token = perform(lambda: self._tokens.get(sha256, consistent_read=True))
        except self._tokens.DoesNotExist:
            return None
        webhook = self._table.find(token.project_id, token.webhook_id)
        owned = webhook is not None and any(each.is_of(sha256) for each in webhook.tokens)
        return webhook if owned else None

    def page(
        self, project_id: ProjectId, policy_id: PolicyId, limit: int, marker: str | None
    ) -> Page[Webhook]:
        """Return up to ``limit`` webhooks of the policy in the order of their ids."""
        owner = joined(project_id, policy_id)
        return self._table.page(owner, limit, marker, key=WebhookRow.id, index="by_policy")

    def create(self, new: Webhook, quota: Quota) -> tuple[Webhook, bool]:
        """Write the webhook and the index of its tokens; its policy must exist (NotFound)."""
        transaction = Transaction(self._database)
        transaction.put(self._row(new), WebhookRow.id.does_not_exist(), taken)
        transaction.check(
            self._policies.rows(new.project_id, new.policy_id),
            PolicyRow.id.exists(),
            lambda _: self._policies.missing(new.policy_id),
        )
        self._usage.count(transaction, new.project_id, quota, webhooks=1)
        self._index(transaction, None, new)
        return create(transaction, new, lambda: self._table.find(new.project_id, new.id))

    def change(self, was: Webhook, new: Webhook) -> Webhook:
        """Write ``new`` in place of ``was``, tokens and index alike; return it, or raise Stale."""
        written = replace(new, generation=was.generation + 1)
        row, names = self._row(written), _WANTED
        unchanged: Condition = WebhookRow.generation == was.generation
        if new.source != was.source:
            names, unchanged = names | _OF_SOURCE, unchanged & _source_is(was.source)
        transaction = Transaction(self._database)
        transaction.update(row, row.rewriting(names), unchanged, self._table.stale(was.id))
        self._index(transaction, was, written)
        transaction.commit()
        return written

    def note(self, was: Webhook, source: Source, activity: Activity | None) -> bool:
        """Write what is known of the source, and the activity with it; False when others were first."""
        row = self._row(replace(was, source=source))
        actions, unchanged = row.setting(sorted(_OF_SOURCE)), _source_is(was.source)
        try:
            if activity is None:
                perform(lambda: row.update(actions, unchanged))
            else:
                transaction = Transaction(self._database)
                transaction.update(row, actions, unchanged, self._table.stale(was.id))
                transaction.put(activity_row(self._database, activity))
                transaction.commit()
        except (Refused, Stale, NotFound):
            return False
        return True

    def overdue(self, shard: int, now: datetime, limit: int) -> Sequence[Webhook]:
        """Return up to ``limit`` webhooks of the shard whose call is overdue, the longest overdue first."""
        query = self._table.rows.query
        late = WebhookRow.overdue_at <= now
        rows = perform(lambda: list(query(shard, late, index_name="overdue", limit=limit)))
        found = []
        for row in rows:
            with self._table.later_ones_apart():
                found.append(self._table.find(row.project_id, row.id))
        return [webhook for webhook in found if webhook is not None]

    def delete(self, project_id: ProjectId, webhook_id: WebhookId) -> None:
        """Delete the webhook and its tokens and take it out of the count."""
        webhook = self.get(project_id, webhook_id)
        transaction = Transaction(self._database)
        transaction.delete(
            self._table.rows(project_id, webhook_id),
            WebhookRow.generation == webhook.generation,
            self._table.stale(webhook_id),
        )
        self._usage.count(transaction, project_id, None, webhooks=-1)
        self._index(transaction, webhook, None)
        transaction.commit()

    def _index(self, transaction: Transaction, was: Webhook | None, new: Webhook | None) -> None:
        """Let the tokens' rows follow from ``was`` to ``new``; an end that moved is rewritten."""
        rows = {token.sha256: self._token_row(new, token) for token in new.tokens} if new else {}
        follow(transaction, self._tokens, was.tokens if was else (), rows)

    def _token_row(self, webhook: Webhook, token: TokenHash) -> TokenRow:
        ends = [end for end in (token.expires_at, webhook.expires_at) if end is not None]
        return self._tokens(
            token.sha256,
            project_id=webhook.project_id,
            webhook_id=webhook.id,
            expires_at=min(ends, default=None),
        )

    def _row(self, webhook: Webhook) -> WebhookRow:
        source = webhook.source
        return self._table.rows.of(
            webhook,
            policy_key=joined(webhook.project_id, webhook.policy_id),
            overdue_shard=None if source is None else shard_of(webhook.id, self._shards),
            overdue_at=None if source is None else source.overdue_at,
        )


def _source_is(source: Source | None) -> Condition:
    """Return the condition that nothing else was noted of a source."""
    return WebhookRow.source.does_not_exist() if source is None else WebhookRow.source == source
