"""Who the members of a group are, kept in the container for a while: samples come every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from chalicelib.core.ids import MemberId
from chalicelib.ports.storage import GroupKey, Members
from chalicelib.recent import Recent

_KEPT_SECONDS = 30
_AFRESH_SECONDS = 3
"""How old what is kept must be before a source that is not in there has it read again."""
_GROUPS_MAX = 1000


@dataclass(frozen=True, slots=True)
class _Known:
    members: Mapping[str, MemberId]
    read_at: float


class MemberRoster:
    """The members by their servers' names and ids.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, members: Members, clock: Callable[[], float]) -> None:
        self._members = members
        self._clock = clock
        self._known: Recent[GroupKey, _Known] = Recent(
            seconds=_KEPT_SECONDS, at_most=_GROUPS_MAX, clock=clock
        )

    def find(self, key: GroupKey, sources: Collection[str]) -> Mapping[str, MemberId]:
        """Return which member each of ``sources`` is, without those that are nobody's."""
        if not sources:
            return {}
        known = self._known.get(key) or self._read(key)
        strangers = any(source not in known.members for source in sources)
        if strangers and self._clock() - known.read_at >= _AFRESH_SECONDS:
            known = self._read(key)
        return {source: known.members[source] for source in sources if source in known.members}

    def _read(self, key: GroupKey) -> _Known:
        read_at = self._clock()
        by_name: dict[str, MemberId] = {}
        for member in self._members.of_group(key):
            by_name |= {name: member.id for name in (member.id, member.name, member.resource_id) if name}
        known = _Known(by_name, read_at)
        self._known.put(key, known)
        return known
