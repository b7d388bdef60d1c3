"""Refreshes in memory."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.core.activity import Activity
from chalicelib.core.errors import Invalid, Stale
from chalicelib.core.group import Group
from chalicelib.core.ids import RefreshId
from chalicelib.core.refresh import Refresh
from chalicelib.ports.storage import GroupKey, Lease, LeaseLost, Page
from tests.fakes.memory import missing, remember, same
from tests.fakes.port import Port, atomic


class FakeRefreshes(Port):
    @atomic
    def get(self, key: GroupKey, refresh_id: RefreshId) -> Refresh:
        found = self.find(key, refresh_id)
        if found is None:
            raise missing("refresh")
        return found

    @atomic
    def find(self, key: GroupKey, refresh_id: RefreshId) -> Refresh | None:
        return self._memory.refreshes.get((key.project_id, key.group_id, refresh_id))

    @atomic
    def of_group(self, key: GroupKey, limit: int, marker: RefreshId | None) -> Page[Refresh]:
        after = None if marker is None else self.find(key, marker)
        if marker is not None and after is None:
            raise Invalid("marker", "There is no such refresh to go on after.")
        owner = (key.project_id, key.group_id)
        found = [r for r in self._memory.refreshes.values() if (r.project_id, r.group_id) == owner]
        rest = sorted((r for r in found if after is None or _age(r) < _age(after)), key=_age, reverse=True)
        return Page(tuple(rest[:limit]), rest[limit - 1].id if len(rest) > limit else None)

    @atomic
    def begin(self, new: Refresh, was: Group, group: Group, activity: Activity) -> Refresh:
        key = (new.project_id, new.group_id, new.id)
        if key in self._memory.refreshes:
            return same(self._memory.refreshes[key], new)
        write = self._memory.rewrite(was, group)
        self._memory.refreshes[key] = new
        remember(self._memory, activity)
        write()
        return new

    @atomic
    def change(self, old: Refresh, new: Refresh, was: Group, group: Group, activity: Activity) -> Refresh:
        key = (old.project_id, old.group_id, old.id)
        stored = self._memory.refreshes.get(key)
        if stored is None:
            raise missing("refresh")
        if stored.generation != old.generation:
            raise Stale("refresh.stale", "The refresh was changed meanwhile; read it again.")
        write = self._memory.rewrite(was, group)
        written = replace(new, generation=old.generation + 1)
        self._memory.refreshes[key] = replace(
            stored,
            status=written.status,
            status_reason=written.status_reason,
            updated_at=written.updated_at,
            generation=written.generation,
        )
        remember(self._memory, activity)
        write()
        return written

    @atomic
    def note(self, lease: Lease, old: Refresh, new: Refresh) -> None:
        held = self._memory.groups.get((lease.key.project_id, lease.key.group_id))
        if held is None or held.lease_owner != lease.owner:
            raise LeaseLost
        key = (old.project_id, old.group_id, old.id)
        stored = self._memory.refreshes.get(key)
        if stored is not None and stored.generation == old.generation:
            self._memory.refreshes[key] = replace(new, status=stored.status, generation=stored.generation)


def _age(refresh: Refresh) -> tuple[object, str]:
    return refresh.created_at, refresh.id
