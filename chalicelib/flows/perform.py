"""Perform the steps of a plan, one after the other, within the round's time."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from chalicelib.core.activity import ActivityKind
from chalicelib.core.group import TroubleKind
from chalicelib.core.member import MEMBER_KEY, Member, MemberState
from chalicelib.core.plan import Plan
from chalicelib.core.plan_steps import (
    Create,
    DeletePoolMember,
    Drain,
    Label,
    Note,
    PutPoolMembers,
    Record,
    Remove,
    RemoveStray,
    Step,
    Strike,
    Why,
)
from chalicelib.core.round import Setback
from chalicelib.flows.balancing import Pools
from chalicelib.flows.launching import create
from chalicelib.flows.round import Round
from chalicelib.ports.cloud import CloudRefused

_SPARING_PROTECTED = (Why.SURPLUS, Why.REPLACED)
"""Why members go that could as well stay; whoever is broken, or was asked to go, goes though protected."""


def perform(r: Round, plan: Plan, pools: Pools) -> None:
    """Perform the plan's steps until they, or the round's time, are over.

    Raises:
        CredentialBroken, CloudUnavailable: the cloud cannot be worked with at present.
        LeaseLost: another round has begun.
    """
    for step in plan.steps:
        if r.time_is_over():
            return
        try:
            _perform(r, step, pools)
        except CloudRefused as refused:
            # One server that may not be touched (locked, say) must not keep the others from going.
            r.setback = r.setback or Setback(kind=TroubleKind.CLOUD, reason=refused.reason)


def _perform(r: Round, step: Step, pools: Pools) -> None:
    match step:
        case PutPoolMembers() | DeletePoolMember():
            pools.perform(r, step)
        case Record() | Note():
            _write_down(r, step)
        case Drain(member=member, why=why):
            if _goes(r, member, why):
                r.tell(ActivityKind.MEMBER_DRAINING, f"{member.name} leaves its pools: {why}.", member)
        case Label(member=member, resource=server):
            r.cloud.label(server.id, {MEMBER_KEY: member.id})
            r.s.members.update(replace(member, labelled=True))
        case Strike(member=member, why=why):
            r.s.members.strike(member)
            cause = f"{why}, {member.deleting_because}" if member.deleting_because else why
            r.tell(ActivityKind.MEMBER_GONE, f"{member.name} is gone: {cause}.", member)
        case Remove():
            _remove(r, step)
        case RemoveStray(resource=stray):
            r.cloud.delete(stray.id)
            what = f"{r.group.kind.capitalize()} {stray.name} ({stray.id})"
            r.tell(ActivityKind.STRAY_REMOVED, f"{what} stood for no member.")
        case Create():
            create(r, step)
        case _:
            assert_never(step)


def _write_down(r: Round, step: Record | Note) -> None:
    """Write down what is known of a member now, and tell when it serves."""
    member = step.member
    r.s.members.update(member)
    if isinstance(step, Record) and member.state is MemberState.IN_SERVICE:
        r.tell(ActivityKind.MEMBER_IN_SERVICE, f"{member.name} is in service.", member)


def _goes(r: Round, going: Member, why: Why) -> bool:
    """Write down that a member goes; return False if it stays, for it was protected since the round looked.

    Then the next round plans anew. When the whole group goes, nobody is spared.
    """
    if why in _SPARING_PROTECTED and not r.group.deleting:
        return r.s.members.part(going)
    r.s.members.update(going)
    return True


def _remove(r: Round, step: Remove) -> None:
    """Write down that the member goes and why, then delete its server."""
    member = step.member
    because = member.deleting_because or step.detail or step.why
    if not _goes(r, replace(member, state=MemberState.DELETING, deleting_because=because), step.why):
        return
    resource_id = step.resource.id if step.resource else member.resource_id
    if resource_id is not None:
        r.cloud.delete(resource_id)
    if member.state is not MemberState.DELETING:
        r.tell(ActivityKind.MEMBER_REMOVED, f"{member.name} is removed: {because}.", member)
