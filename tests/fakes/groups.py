"""Groups and their members in memory."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.core.activity import Activity
from chalicelib.core.execution import Execution
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, MemberId, ProjectId
from chalicelib.core.member import TO_GO, Member
from chalicelib.core.quota import Quota
from chalicelib.ports.storage import AlreadyDecided, GroupKey, Lease, LeaseLost, Page
from tests.fakes.memory import Held, Memory, group_of, missing, page_of, remember, same
from tests.fakes.port import Port, atomic


class FakeGroups(Port):
    def __init__(self, memory: Memory, shards: int = 8) -> None:
        super().__init__(memory)
        self._shards = shards

    @atomic
    def get(self, project_id: ProjectId, group_id: GroupId) -> Group:
        return self._memory.held(project_id, group_id).group

    @atomic
    def page(self, project_id: ProjectId, limit: int, marker: str | None) -> Page[Group]:
        groups = (held.group for held in self._memory.groups.values())
        return page_of((g for g in groups if g.project_id == project_id), limit, marker)

    @atomic
    def create(self, group: Group, quota: Quota, activity: Activity) -> Group:
        held = self._memory.groups.get((group.project_id, group.id))
        if held is not None:
            return same(held.group, group)
        self._memory.room(group.project_id, quota, groups=1, members=group.bounds.max_size)
        self._memory.require_used(group)
        self._memory.groups[group.project_id, group.id] = Held(group, group.updated_at)
        remember(self._memory, activity)
        return group

    @atomic
    def change(self, was: Group, new: Group, quota: Quota, activity: Activity) -> Group:
        write = self._memory.rewrite(was, new)
        self._memory.room(new.project_id, quota, members=new.bounds.max_size - was.bounds.max_size)
        self._memory.require_used(new)
        remember(self._memory, activity)
        return write()

    @atomic
    def decide(self, was: Group, new: Group, execution: Execution, quota: Quota | None = None) -> Group:
        key = (execution.project_id, execution.id)
        if key in self._memory.executions:
            raise AlreadyDecided(self._memory.executions[key])
        write = None if new is was else self._memory.rewrite(was, new)
        growth = new.bounds.max_size - was.bounds.max_size
        if growth > 0:
            assert quota is not None, "what grows is held to a quota"
            self._memory.room(new.project_id, quota, members=growth)
        self._memory.executions[key] = execution
        return was if write is None else write()

    @atomic
    def lease(self, key: GroupKey, owner: str, now: datetime, until: datetime) -> Group | None:
        held = self._memory.groups.get((key.project_id, key.group_id))
        if held is None:
            return None
        if held.lease_owner not in (None, owner) and held.lease_until and held.lease_until > now:
            return None
        held.lease_owner, held.lease_until, held.due_at = owner, until, until
        return held.group

    @atomic
    def note(self, lease: Lease, group: Group) -> None:
        held = self._ours(lease)
        if held is None:
            raise LeaseLost
        held.group = replace(held.group, observed=group.observed)

    @atomic
    def conclude(self, lease: Lease, was: Group, group: Group, due_at: datetime) -> bool:
        held = self._ours(lease)
        if held is None:
            return True
        held.lease_owner = held.lease_until = None
        if held.group.generation != was.generation:
            held.group, held.due_at = replace(held.group, observed=group.observed), was.updated_at
            return False
        held.group = replace(held.group, observed=group.observed, former_pools=group.former_pools)
        held.due_at = due_at
        if group.cooldowns != was.cooldowns:
            generation = was.generation + 1
            observed = replace(group.observed, generation=generation)
            held.group = replace(
                held.group, cooldowns=group.cooldowns, generation=generation, observed=observed
            )
        return True

    @atomic
    def remove(self, lease: Lease, group: Group) -> None:
        held = self._ours(lease)
        if held is not None and held.group.generation == group.generation:
            del self._memory.groups[group.project_id, group.id]

    @atomic
    def due(self, shard: int, now: datetime, limit: int) -> Sequence[GroupKey]:
        due = sorted(
            (held.due_at, held.group.project_id, held.group.id)
            for held in self._memory.groups.values()
            if zlib.crc32(held.group.id.encode()) % self._shards == shard and held.due_at <= now
        )
        return [GroupKey(project_id=project, group_id=group) for _, project, group in due[:limit]]

    def _ours(self, lease: Lease) -> Held | None:
        held = self._memory.groups.get((lease.key.project_id, lease.key.group_id))
        return held if held is not None and held.lease_owner == lease.owner else None


class FakeMembers(Port):
    @atomic
    def of_group(self, key: GroupKey) -> Sequence[Member]:
        found = (m for m in self._memory.members.values() if group_of(m) == (key.project_id, key.group_id))
        return sorted(found, key=lambda member: member.id)

    @atomic
    def get(self, key: GroupKey, member_id: MemberId) -> Member:
        member = self._memory.members.get((key.project_id, key.group_id, member_id))
        if member is None:
            raise missing("member")
        return member

    def page(self, key: GroupKey, limit: int, marker: str | None) -> Page[Member]:
        return page_of(self.of_group(key), limit, marker)

    @atomic
    def plan(self, lease: Lease, members: Sequence[Member]) -> None:
        held = self._memory.groups.get((lease.key.project_id, lease.key.group_id))
        if held is None or held.lease_owner != lease.owner:
            raise LeaseLost
        for member in members:
            self._write(member)

    @atomic
    def update(self, member: Member) -> None:
        stored = self._memory.members.get((*group_of(member), member.id))
        if stored is not None:
            self._rewrite(stored, member)

    @atomic
    def part(self, member: Member) -> bool:
        stored = self._memory.members.get((*group_of(member), member.id))
        return stored is not None and not stored.protected and self._rewrite(stored, member)

    def _rewrite(self, stored: Member, member: Member) -> bool:
        if stored.state in TO_GO and member.state not in TO_GO[TO_GO.index(stored.state) :]:
            return False
        self._write(
            replace(
                stored,
                state=member.state,
                resource_id=member.resource_id,
                labelled=member.labelled,
                deleting_because=member.deleting_because,
                draining_since=member.draining_since,
                quiet_since=member.quiet_since,
                missing_from=member.missing_from,
            )
        )
        return True

    @atomic
    def protect(self, key: GroupKey, member_id: MemberId, protected: bool) -> Member:
        member = replace(self.get(key, member_id), protected=protected)
        self._write(member)
        return member

    @atomic
    def dismiss(self, was: Group, new: Group, member: Member, activity: Activity) -> Group:
        stored = self.get(GroupKey(project_id=member.project_id, group_id=member.group_id), member.id)
        write = self._memory.rewrite(was, new)
        self._write(
            replace(
                stored,
                state=member.state,
                deleting_because=member.deleting_because,
                draining_since=member.draining_since,
                quiet_since=member.quiet_since,
            )
        )
        remember(self._memory, activity)
        return write()

    @atomic
    def strike(self, member: Member) -> None:
        self._memory.members.pop((*group_of(member), member.id), None)

    def _write(self, member: Member) -> None:
        self._memory.members[(*group_of(member), member.id)] = member
