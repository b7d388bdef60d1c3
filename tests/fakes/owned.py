"""What a project owns beside its groups, in memory."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.core.activity import Activity
from chalicelib.core.credential import Credential
from chalicelib.core.errors import Conflict, Invalid, Stale
from chalicelib.core.ids import (
    CredentialId,
    GroupId,
    LaunchConfigurationId,
    PolicyId,
    ProjectId,
    WebhookId,
)
from chalicelib.core.launch import LaunchConfiguration
from chalicelib.core.policy import Policy, Webhook
from chalicelib.core.quota import Quota
from chalicelib.core.source import Source
from chalicelib.ports.storage import Page
from tests.fakes.memory import Memory, create_in, get_from, owned, page_of, remember
from tests.fakes.port import Port, atomic


class FakeLaunchConfigurations(Port):
    @atomic
    def get(self, project_id: ProjectId, id_: LaunchConfigurationId) -> LaunchConfiguration:
        return get_from(self._memory.launch_configurations, project_id, id_, "launch_configuration")

    @atomic
    def page(self, project_id: ProjectId, limit: int, marker: str | None) -> Page[LaunchConfiguration]:
        return page_of(owned(self._memory.launch_configurations, project_id), limit, marker)

    @atomic
    def create(self, new: LaunchConfiguration, quota: Quota) -> LaunchConfiguration:
        memory = self._memory
        return create_in(
            memory.launch_configurations,
            new,
            lambda: memory.room(new.project_id, quota, launch_configurations=1),
        )[0]

    @atomic
    def delete(self, project_id: ProjectId, id_: LaunchConfigurationId) -> None:
        self.get(project_id, id_)
        groups = (held.group for held in self._memory.groups.values())
        if (project_id, id_) in [(g.project_id, g.launch_configuration_id) for g in groups]:
            raise Conflict("launch_configuration.in_use", "The launch configuration is used by groups.")
        del self._memory.launch_configurations[project_id, id_]


class FakeCredentials(Port):
    @atomic
    def get(self, project_id: ProjectId, id_: CredentialId) -> Credential:
        return get_from(self._memory.credentials, project_id, id_, "credential")

    @atomic
    def find(self, project_id: ProjectId, id_: CredentialId) -> Credential | None:
        return self._memory.credentials.get((project_id, id_))

    @atomic
    def page(self, project_id: ProjectId, limit: int, marker: str | None) -> Page[Credential]:
        return page_of(owned(self._memory.credentials, project_id), limit, marker)

    @atomic
    def create(self, new: Credential, quota: Quota) -> Credential:
        memory = self._memory
        return create_in(memory.credentials, new, lambda: memory.room(new.project_id, quota, credentials=1))[
            0
        ]

    @atomic
    def note(self, credential: Credential) -> None:
        stored = self.find(credential.project_id, credential.id)
        if stored is not None:
            self._memory.credentials[stored.project_id, stored.id] = replace(
                stored,
                status=credential.status,
                status_reason=credential.status_reason,
                checked_at=credential.checked_at,
            )

    @atomic
    def delete(self, project_id: ProjectId, id_: CredentialId) -> None:
        self.require_unused(project_id, id_)
        del self._memory.credentials[project_id, id_]

    @atomic
    def require_unused(self, project_id: ProjectId, id_: CredentialId) -> None:
        self.get(project_id, id_)
        groups = (held.group for held in self._memory.groups.values())
        if (project_id, id_) in [(g.project_id, g.credential_id) for g in groups]:
            raise Conflict("credential.in_use", "The credential is used by groups.")


class FakePolicies(Port):
    def __init__(self, memory: Memory, shards: int = 8) -> None:
        super().__init__(memory)
        self._shards = shards

    @atomic
    def get(self, project_id: ProjectId, policy_id: PolicyId) -> Policy:
        return get_from(self._memory.policies, project_id, policy_id, "policy")

    @atomic
    def page(
        self, project_id: ProjectId, group_id: GroupId | None, limit: int, marker: str | None
    ) -> Page[Policy]:
        policies = owned(self._memory.policies, project_id)
        return page_of((p for p in policies if group_id in (None, p.group_id)), limit, marker)

    def of_group(self, project_id: ProjectId, group_id: GroupId) -> Sequence[Policy]:
        return self.page(project_id, group_id, 10_000, None).items

    @atomic
    def watched(self, shard: int, after: str | None, limit: int) -> Page[Policy]:
        def place(policy: Policy) -> str:
            return f"{policy.group_id}#{policy.id}"

        def is_there(policy: Policy) -> bool:
            return policy.watched and zlib.crc32(policy.group_id.encode()) % self._shards == shard

        found = sorted(filter(is_there, self._memory.policies.values()), key=place)
        rest = [policy for policy in found if after is None or place(policy) > after]
        return Page(tuple(rest[:limit]), place(rest[limit - 1]) if len(rest) > limit else None)

    @atomic
    def create(self, new: Policy, quota: Quota) -> Policy:
        def check() -> None:
            held = self._memory.groups.get((new.project_id, new.group_id))
            if held is None or held.group.deleting:
                raise Invalid("policy.no_such_group", "There is no such group, or it is being deleted.")
            self._memory.room(new.project_id, quota, policies=1)

        return create_in(self._memory.policies, new, check)[0]

    @atomic
    def change(self, was: Policy, new: Policy) -> Policy:
        if self.get(was.project_id, was.id).generation != was.generation:
            raise Stale("policy.stale", "The policy was changed meanwhile; read it again.")
        written = replace(new, generation=was.generation + 1)
        self._memory.policies[was.project_id, was.id] = written
        return written

    @atomic
    def delete(self, project_id: ProjectId, policy_id: PolicyId, *, generation: int | None = None) -> None:
        if generation not in (None, self.get(project_id, policy_id).generation):
            raise Stale("policy.stale", "The policy was changed meanwhile; read it again.")
        del self._memory.policies[project_id, policy_id]


class FakeWebhooks(Port):
    def __init__(self, memory: Memory, shards: int = 8) -> None:
        super().__init__(memory)
        self._shards = shards

    @atomic
    def get(self, project_id: ProjectId, webhook_id: WebhookId) -> Webhook:
        return get_from(self._memory.webhooks, project_id, webhook_id, "webhook")

    @atomic
    def by_token(self, sha256: str) -> Webhook | None:
        webhooks = self._memory.webhooks.values()
        return next((w for w in webhooks if sha256 in [t.sha256 for t in w.tokens]), None)

    @atomic
    def page(
        self, project_id: ProjectId, policy_id: PolicyId, limit: int, marker: str | None
    ) -> Page[Webhook]:
        webhooks = owned(self._memory.webhooks, project_id)
        return page_of((w for w in webhooks if w.policy_id == policy_id), limit, marker)

    @atomic
    def create(self, new: Webhook, quota: Quota) -> tuple[Webhook, bool]:
        def check() -> None:
            get_from(self._memory.policies, new.project_id, new.policy_id, "policy")
            self._memory.room(new.project_id, quota, webhooks=1)

        return create_in(self._memory.webhooks, new, check)

    @atomic
    def change(self, was: Webhook, new: Webhook) -> Webhook:
        stored = self.get(was.project_id, was.id)
        anew = new.source != was.source
        if stored.generation != was.generation or (anew and stored.source != was.source):
            raise Stale("webhook.stale", "The webhook was changed meanwhile; read it again.")
        written = replace(new, generation=was.generation + 1)
        kept = written if anew else replace(written, source=stored.source)
        self._memory.webhooks[was.project_id, was.id] = kept
        return written

    @atomic
    def note(self, was: Webhook, source: Source, activity: Activity | None) -> bool:
        stored = self._memory.webhooks.get((was.project_id, was.id))
        if stored is None or stored.source != was.source:
            return False
        self._memory.webhooks[was.project_id, was.id] = replace(stored, source=source)
        if activity is not None:
            remember(self._memory, activity)
        return True

    @atomic
    def overdue(self, shard: int, now: datetime, limit: int) -> Sequence[Webhook]:
        late = sorted(
            (webhook.source.overdue_at, webhook.project_id, webhook.id)
            for webhook in self._memory.webhooks.values()
            if webhook.source is not None
            and webhook.source.overdue_at is not None
            and webhook.source.overdue_at <= now
            and zlib.crc32(webhook.id.encode()) % self._shards == shard
        )
        return [self._memory.webhooks[project, id_] for _, project, id_ in late[:limit]]

    @atomic
    def delete(self, project_id: ProjectId, webhook_id: WebhookId) -> None:
        self.get(project_id, webhook_id)
        del self._memory.webhooks[project_id, webhook_id]
