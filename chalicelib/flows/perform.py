"""Perform the steps of a plan, one after the other, within the round's time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.group import Group, TroubleKind
from chalicelib.core.ids import MemberId
from chalicelib.core.launch import LaunchConfiguration
from chalicelib.core.member import (
    MEMBER_KEY,
    Member,
    MemberState,
    base_name,
    group_metadata,
    group_tag,
    names_of_batch,
)
from chalicelib.core.plan import Create, Label, Plan, Record, Remove, RemoveStray, Step, Strike
from chalicelib.core.round import Setback
from chalicelib.flows import intakes
from chalicelib.flows.story import activity
from chalicelib.ports import Services
from chalicelib.ports.cloud import (
    Cloud,
    CloudRefused,
    CloudUnavailable,
    CredentialBroken,
    ServerOrder,
)
from chalicelib.ports.storage import Lease


@dataclass(slots=True)
class Round:
    """What the steps of one round share, and what they leave behind.

    Attributes:
        setback: what went wrong, if something did.
        creation_failed: no more servers are asked for in this round.
        cut_short: the time was over before the steps were.
        intake_is_known: whether it was looked up already where new servers post their samples.
    """

    s: Services
    lease: Lease
    group: Group
    cloud: Cloud
    request_id: str
    began: datetime
    setback: Setback | None = None
    creation_failed: bool = False
    cut_short: bool = False
    intake_is_known: bool = False
    intake_url: str | None = None
    activities: list[Activity] = field(default_factory=list)

    def time_is_over(self) -> bool:
        """Return whether no further step may begin."""
        self.cut_short = self.s.now() - self.began >= timedelta(seconds=self.s.limits.round_seconds)
        return self.cut_short

    def fail_creation(self, setback: Setback) -> None:
        """Note why no more servers are asked for."""
        self.setback = setback
        self.creation_failed = True

    def tell(self, kind: ActivityKind, detail: str, *members: Member) -> None:
        """Add a line to the group's story."""
        ids = [member.id for member in members]
        self.activities.append(activity(self.s, self.group, kind, detail, self.request_id, ids))


def perform(r: Round, plan: Plan) -> None:
    """Perform the plan's steps until they, or the round's time, are over.

    Raises:
        CredentialBroken, CloudUnavailable: the cloud cannot be worked with at present.
        LeaseLost: another round has begun.
    """
    for step in plan.steps:
        if r.time_is_over():
            return
        try:
            _perform(r, step)
        except CloudRefused as refused:
            # One server that may not be touched (locked, say) must not keep the others from going.
            r.setback = r.setback or Setback(kind=TroubleKind.CLOUD, reason=refused.reason)


def _perform(r: Round, step: Step) -> None:
    match step:
        case Record(member=member):
            r.s.members.update(member)
            if member.state is MemberState.IN_SERVICE:
                r.tell(ActivityKind.MEMBER_IN_SERVICE, f"{member.name} is in service.", member)
        case Label(member=member, server=server):
            r.cloud.label(server.id, {MEMBER_KEY: member.id})
            r.s.members.update(replace(member, labelled=True))
        case Strike(member=member, why=why):
            r.s.members.strike(member)
            cause = f"{why}, {member.deleting_because}" if member.deleting_because else why
            r.tell(ActivityKind.MEMBER_GONE, f"{member.name} is gone: {cause}.", member)
        case Remove():
            _remove(r, step)
        case RemoveStray(server=server):
            r.cloud.delete_server(server.id)
            r.tell(ActivityKind.STRAY_REMOVED, f"Server {server.name} ({server.id}) stood for no member.")
        case Create():
            _create(r, step)
        case _:
            assert_never(step)


def _remove(r: Round, step: Remove) -> None:
    """Write down that the member goes and why, then delete its server."""
    member = step.member
    because = member.deleting_because or step.detail or step.why
    r.s.members.update(replace(member, state=MemberState.DELETING, deleting_because=because))
    server_id = step.server.id if step.server else member.server_id
    if server_id is not None:
        r.cloud.delete_server(server_id)
    if member.state is not MemberState.DELETING:
        r.tell(ActivityKind.MEMBER_REMOVED, f"{member.name} is removed: {because}.", member)


def _create(r: Round, step: Create) -> None:
    """Ask for the missing members, as many in one request as Nova takes.

    When a quota is used up, half as many are asked for, and again, so that what fits is made.
    """
    configuration = r.s.launch_configurations.get(r.group.project_id, r.group.launch_configuration_id)
    together = configuration.server.together_at_most(step.count)
    configuration = _with_intake(r, configuration)
    left = step.count
    while left and not r.creation_failed and not r.time_is_over():
        count = min(left, together)
        try:
            _request(r, configuration, count, step.availability_zone)
            left -= count
        except CloudRefused as refused:
            if refused.over_quota and count > 1:
                together = count // 2
            else:
                r.fail_creation(Setback(kind=TroubleKind.REFUSED, reason=refused.reason))
        except CloudUnavailable as busy:
            r.fail_creation(Setback(kind=TroubleKind.CLOUD, reason=busy.reason, retry_after=busy.retry_after))


def _with_intake(r: Round, configuration: LaunchConfiguration) -> LaunchConfiguration:
    """Return the configuration of servers that know where to post samples, if the group has an intake.

    It is looked up once a round. Servers are made even when the token cannot be opened.
    """
    if not r.intake_is_known:
        try:
            r.intake_url = intakes.url_for_servers(r.s, r.group)
        except CredentialBroken as broken:
            detail = f"New servers get no URL for samples; rotate the intake. {broken.reason}"
            r.tell(ActivityKind.GROUP_TROUBLED, detail)
        r.intake_is_known = True
    if r.intake_url is None:
        return configuration
    return replace(configuration, server=configuration.server.given_intake(r.intake_url))


def _request(r: Round, configuration: LaunchConfiguration, count: int, zone: str | None) -> None:
    """Write ``count`` members down, then ask for their servers in one request.

    Where the cloud certainly did nothing the members are struck off again; where that is not known they
    stay, and the next rounds look for their servers.
    """
    base = base_name(r.group.name, r.s.new_id().replace("-", "")[-8:])
    new = _new_member(r, configuration, zone, labelled=count == 1)
    members = [replace(new, id=MemberId(r.s.new_id()), name=name) for name in names_of_batch(base, count)]
    r.s.members.plan(r.lease, members)
    metadata = group_metadata(r.group.id)
    if count == 1:
        metadata[MEMBER_KEY] = members[0].id
    order = ServerOrder(
        template=configuration.server,
        count=count,
        name=base,
        availability_zone=zone,
        metadata=metadata,
        tags=(group_tag(r.group.id),),
    )
    try:
        server_id = r.cloud.create_servers(order)
    except (CloudRefused, CloudUnavailable) as error:
        if isinstance(error, CloudRefused) or error.certainly_not_done:
            for member in members:
                r.s.members.strike(member)
        r.tell(ActivityKind.MEMBERS_REFUSED, f"{count} asked for as {base}: {error.reason}", *members)
        raise
    if server_id is not None:
        r.s.members.update(replace(members[0], server_id=server_id, state=MemberState.BUILDING))
    r.tell(ActivityKind.MEMBERS_REQUESTED, f"{count} asked for as {base}.", *members)


def _new_member(r: Round, configuration: LaunchConfiguration, zone: str | None, *, labelled: bool) -> Member:
    """Return a member as it is first written down, still without a name of its own.

    Only a server asked for alone can be told at once which member it is.
    """
    now = r.s.now()
    return Member(
        project_id=r.group.project_id,
        group_id=r.group.id,
        id=MemberId(""),
        name="",
        state=MemberState.PLANNED,
        launch_configuration_id=configuration.id,
        availability_zone=zone,
        labelled=labelled,
        requested_at=now,
        created_at=now,
    )
