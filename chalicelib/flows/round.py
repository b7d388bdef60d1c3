"""What the steps of one round share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.group import Group
from chalicelib.core.heat import Asked
from chalicelib.core.launch import Template
from chalicelib.core.member import Member
from chalicelib.core.plan import Plan
from chalicelib.core.refresh import Refresh
from chalicelib.core.round import Setback
from chalicelib.flows.story import activity
from chalicelib.ports import Services
from chalicelib.ports.cloud import Cloud
from chalicelib.ports.storage import Lease


@dataclass(slots=True)
class Outcome:
    """What a round came to, as far as it came.

    Attributes:
        plan: None when the cloud could not even be looked at.
        setback: what went wrong, if something did.
        pool_setback: what went wrong as a pool was changed.
        cut_short: the time was over before the steps were.
        asked: what Heat was asked for and has not shown the effect of yet.
        refresh: the refresh that the round works on, if one is under way.
        looked: how long it took to look at the cloud.
    """

    plan: Plan | None = None
    setback: Setback | None = None
    pool_setback: Setback | None = None
    cut_short: bool = False
    refresh: Refresh | None = None
    asked: Asked | None = None
    looked: timedelta = timedelta()


@dataclass(slots=True)
class Round:
    """What the steps of one round share, and what they leave behind.

    Attributes:
        setback: what went wrong, if something did.
        pool_setback: what went wrong as a pool was changed.
        creation_over: no more servers are asked for in this round.
        cut_short: the time was over before the steps were.
        template: what new members are made of, once that was looked up.
    """

    s: Services
    lease: Lease
    group: Group
    cloud: Cloud
    request_id: str
    began: datetime
    setback: Setback | None = None
    pool_setback: Setback | None = None
    creation_over: bool = False
    cut_short: bool = False
    template: Template | None = None
    activities: list[Activity] = field(default_factory=list)

    def time_is_over(self) -> bool:
        """Return whether no further step may begin."""
        self.cut_short = self.s.now() - self.began >= timedelta(seconds=self.s.limits.round_seconds)
        return self.cut_short

    def fail_creation(self, setback: Setback) -> None:
        """Note why no more servers are asked for."""
        self.setback = setback
        self.creation_over = True

    def tell(self, kind: ActivityKind, detail: str, *members: Member) -> None:
        """Add a line to the group's story."""
        ids = [member.id for member in members]
        self.activities.append(activity(self.s, self.group, kind, detail, self.request_id, ids))
