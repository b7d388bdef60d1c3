"""Replacing members batch by batch: how many may go at a time, and how many have to serve meanwhile.

A batch begins when the group is at rest: old members go, and new ones are asked for once those are gone.
Where that would leave too few in service, so many more are asked for first. Which members are old, and how
far a batch has come, is seen afresh in every round.

Source:
    the batches are those of Heat's rolling update (heat/scaling/rolling_update.py), where the group does not
    change its size meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.ids import LaunchConfigurationId
from chalicelib.core.member import Fate, Member, Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """How a round may replace members.

    Attributes:
        batch_size: at most so many members go, and so many new ones come, at a time.
        min_in_service: so many members serve throughout; None: all that are wanted but a batch.
        began_at: when the refresh began.
        replace_all: members of the group's configuration are old, too, if they were asked for before that.
        under_way: a batch has begun, and was not seen complete yet.
        may_begin: the next batch may begin, once the one before is complete.
    """

    batch_size: int
    min_in_service: int | None
    began_at: datetime
    replace_all: bool = False
    under_way: bool = False
    may_begin: bool = True

    def is_old(self, member: Member, current: LaunchConfigurationId) -> bool:
        """Return whether the member is to be replaced, or would be if it were not protected."""
        if member.launch_configuration_id != current:
            return True
        return self.replace_all and member.requested_at < self.began_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The members that count, as a refresh sees them.

    Attributes:
        old_idle, old_serving: to be replaced; the latter in the order in which they would go.
        spared: old ones that are protected: they stay, and are among those kept.
        kept_serving, kept_building, kept_held: how many of the others serve, build, or are left alone.
        replaced: how many serve that were made since the refresh began, and are as they should be.
        leaving: old ones that are on their way out; nobody takes their place before they are gone.
    """

    old_idle: Sequence[Sight] = ()
    old_serving: Sequence[Sight] = ()
    spared: int = 0
    kept_serving: int = 0
    kept_building: int = 0
    kept_held: int = 0
    replaced: int = 0
    leaving: int = 0

    @property
    def remaining(self) -> int:
        """How many are still to be replaced."""
        return len(self.old_idle) + len(self.old_serving)

    @property
    def serving(self) -> int:
        """How many serve, old and new."""
        return len(self.old_serving) + self.kept_serving

    @property
    def counted(self) -> int:
        """How many there are, old and new."""
        return self.remaining + self.kept_serving + self.kept_building + self.kept_held


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a refresh comes to in one round.

    Attributes:
        size: how many members there are to be for now: those wanted, and those more that a batch needs.
        victims: who goes, since a batch begins.
        begins: whether a batch begins.
        at_rest: the batch before is complete, nobody builds, leaves or is missing.
        stuck: a batch could begin, but not even one more member may go.
        replaced, remaining, spared: as of the crew.
    """

    size: int
    victims: tuple[Sight, ...]
    begins: bool
    at_rest: bool
    stuck: bool
    replaced: int
    remaining: int
    spared: int


def crew_of(
    rolling: Rolling,
    current: LaunchConfigurationId,
    by_fate: Mapping[Fate, Sequence[Sight]],
    serving: Sequence[Sight],
) -> Crew:
    """Return the members as a refresh sees them.

    Args:
        serving: those in service, in the order in which they would go.
    """

    def goes(sight: Sight) -> bool:
        return rolling.is_old(sight.member, current) and not sight.member.protected

    idle = [*reversed(by_fate[Fate.BUILDS]), *by_fate[Fate.HELD]]
    counted = [*serving, *idle]
    kept = [sight for sight in serving if not goes(sight)]
    return Crew(
        old_idle=[sight for sight in idle if goes(sight)],
        old_serving=[sight for sight in serving if goes(sight)],
        spared=sum(s.member.protected and rolling.is_old(s.member, current) for s in counted),
        kept_serving=len(kept),
        kept_building=sum(not goes(sight) for sight in by_fate[Fate.BUILDS]),
        kept_held=sum(not goes(sight) for sight in by_fate[Fate.HELD]),
        replaced=sum(
            s.member.requested_at >= rolling.began_at and not rolling.is_old(s.member, current) for s in kept
        ),
        leaving=sum(
            s.resource is not None and rolling.is_old(s.member, current) for s in by_fate[Fate.LEAVES]
        ),
    )


def least_in_service(rolling: Rolling, capacity: int) -> int:
    """Return how many members have to serve throughout: never more than are wanted."""
    if rolling.min_in_service is None:
        return max(0, capacity - rolling.batch_size)
    return min(rolling.min_in_service, capacity)


def room(rolling: Rolling, crew: Crew, capacity: int) -> int:
    """Return how many members there may be before any is too many.

    While old ones are left, what was asked for so that enough serve is not taken away again.
    """
    return _size(rolling, crew, capacity, rolling.batch_size) if crew.remaining else capacity


def turn(rolling: Rolling, crew: Crew, capacity: int, *, quiet: bool) -> Turn:
    """Return what the refresh comes to in this round.

    Args:
        quiet: nobody builds, leaves, is broken or too many.
    """
    size = _size(rolling, crew, capacity, _new(rolling, crew, capacity)) if crew.remaining else capacity
    before = size if rolling.under_way else capacity
    at_rest = quiet and crew.counted >= before
    victims: tuple[Sight, ...] = ()
    may_begin = at_rest and rolling.may_begin and crew.remaining > 0
    if may_begin:
        victims = _victims(rolling, crew, capacity, size)
    begins = bool(victims) or (may_begin and size > crew.counted)
    return Turn(
        size=size if begins else before,
        victims=victims,
        begins=begins,
        at_rest=at_rest,
        stuck=may_begin and not begins,
        replaced=crew.replaced,
        remaining=crew.remaining,
        spared=crew.spared,
    )


def goes_first(rolling: Rolling, crew: Crew, capacity: int) -> list[Sight]:
    """Return the old members in the order in which they make room for a smaller group.

    They go before all others, as far as enough are left in service.
    """
    spare = max(0, crew.serving - least_in_service(rolling, capacity))
    return [*crew.old_idle, *crew.old_serving[:spare]]


def _new(rolling: Rolling, crew: Crew, capacity: int) -> int:
    """Return how many new members a batch is to have; those that build now are of the batch under way."""
    return min(rolling.batch_size, max(0, capacity - crew.kept_serving - crew.kept_held))


def _size(rolling: Rolling, crew: Crew, capacity: int, new: int) -> int:
    """Return how many members it takes that enough serve while ``new`` ones do not yet.

    What is held serves nobody either; but there are never more than a batch beyond those wanted.
    """
    needed = least_in_service(rolling, capacity) + new + crew.kept_held
    return max(capacity, min(needed, capacity + rolling.batch_size))


def _victims(rolling: Rolling, crew: Crew, capacity: int, size: int) -> tuple[Sight, ...]:
    """Return the old members whose places a batch takes: first who serves nobody; enough stay in service.

    They are no more than a batch, for there are never more members than wanted and a batch.
    """
    places = crew.counted + _new(rolling, crew, capacity) - size
    return tuple(goes_first(rolling, crew, capacity)[: max(0, places)])
