"""Ask the cloud for new members, which are written down first."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.core.activity import ActivityKind
from chalicelib.core.group import TroubleKind
from chalicelib.core.ids import MemberId
from chalicelib.core.launch import Template
from chalicelib.core.member import (
    MEMBER_KEY,
    Member,
    MemberState,
    base_name,
    group_metadata,
    group_tag,
    names_of_batch,
)
from chalicelib.core.plan_steps import Create
from chalicelib.core.round import Setback
from chalicelib.flows import intakes
from chalicelib.flows.round import Round
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken, Order


def create(r: Round, step: Create) -> None:
    """Ask for the missing members, as many in one request as the cloud takes.

    When a quota is used up, half as many are asked for, and again, so that what fits is made. Then no more in
    this round: Nova counts a moment late, and would grant what it lets fail afterwards.
    """
    template = look_up(r)
    together = template.together_at_most(step.count)
    left = step.count
    over_quota = False
    while left and not r.creation_over and not r.time_is_over():
        count = min(left, together)
        try:
            _request(r, template, count, step.availability_zone)
            left -= count
            r.creation_over = over_quota
        except CloudRefused as refused:
            over_quota = refused.over_quota
            if over_quota and count > 1:
                together = count // 2
            else:
                r.fail_creation(
                    Setback(kind=TroubleKind.REFUSED, reason=refused.reason, over_quota=over_quota)
                )
        except CloudUnavailable as busy:
            r.fail_creation(Setback(kind=TroubleKind.CLOUD, reason=busy.reason, retry_after=busy.retry_after))


def look_up(r: Round) -> Template:
    """Return what new members are made of; it is looked up once a round."""
    if r.template is None:
        configuration = r.s.launch_configurations.get(r.group.project_id, r.group.owned_configuration_id)
        r.template = _with_intake(r, configuration.template)
    return r.template


def _with_intake(r: Round, template: Template) -> Template:
    """Return the template of members that know where to post samples, if the group has an intake.

    Members are made even when the token cannot be opened.
    """
    try:
        url = intakes.url_for_servers(r.s, r.group)
    except CredentialBroken as broken:
        detail = f"New members get no URL for samples; rotate the intake. {broken.reason}"
        r.tell(ActivityKind.GROUP_TROUBLED, detail)
        return template
    return template if url is None else template.given_intake(url)


def _request(r: Round, template: Template, count: int, zone: str | None) -> None:
    """Write ``count`` members down, then ask for their servers, or one stack, in one request.

    Where the cloud certainly did nothing the members are struck off again; where that is not known they
    stay, and the next rounds look for their servers.
    """
    base = base_name(r.group.name, r.s.new_id().replace("-", "")[-8:])
    new = _new_member(r, zone, labelled=count == 1)
    members = [replace(new, id=MemberId(r.s.new_id()), name=name) for name in names_of_batch(base, count)]
    r.s.members.plan(r.lease, members)
    metadata = group_metadata(r.group.id)
    if count == 1:
        metadata[MEMBER_KEY] = members[0].id
    order = Order(
        template=template,
        count=count,
        name=base,
        availability_zone=zone,
        metadata=metadata,
        tags=(group_tag(r.group.id),),
    )
    try:
        resource_id = r.cloud.create(order)
    except (CloudRefused, CloudUnavailable) as error:
        if isinstance(error, CloudRefused) or error.certainly_not_done:
            for member in members:
                r.s.members.strike(member)
        r.tell(ActivityKind.MEMBERS_REFUSED, f"{count} asked for as {base}: {error.reason}", *members)
        raise
    if resource_id is not None:
        r.s.members.update(replace(members[0], resource_id=resource_id, state=MemberState.BUILDING))
    r.tell(ActivityKind.MEMBERS_REQUESTED, f"{count} asked for as {base}.", *members)


def _new_member(r: Round, zone: str | None, *, labelled: bool) -> Member:
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
        launch_configuration_id=r.group.launch_configuration_id,
        availability_zone=zone,
        labelled=labelled,
        requested_at=now,
        created_at=now,
        kind=r.group.kind,
    )
