"""One round for a group whose members we own: observe the cloud and the pools, plan, perform."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.core.credential import Credential
from chalicelib.core.errors import Unavailable
from chalicelib.core.group import Group
from chalicelib.core.member import Member, Patience, Scene, compare
from chalicelib.core.plan import plan
from chalicelib.core.refresh import Refresh
from chalicelib.core.target import Target
from chalicelib.flows import refreshes
from chalicelib.flows.balancing import Pools
from chalicelib.flows.launching import look_up
from chalicelib.flows.perform import perform
from chalicelib.flows.round import Outcome, Round
from chalicelib.ports import Services
from chalicelib.ports.cloud import CloudUnavailable
from chalicelib.ports.storage import Lease


def round_of_members(
    s: Services,
    lease: Lease,
    group: Group,
    credential: Credential,
    request_id: str,
    began: datetime,
    outcome: Outcome,
) -> None:
    """Run a round for a group of members; what it comes to is left in ``outcome``, also by an error."""
    cloud = s.clouds.enter(credential, group.kind, request_id)
    target = _target(s, group, outcome.refresh)
    pools = Pools(s, target.pools, group.pool_trouble, began)
    round_ = Round(s, lease, group, cloud, request_id, began)
    looks_at = s.now()
    scene = replace(_observe(round_), pools=pools.look(credential, request_id))
    outcome.looked = s.now() - looks_at
    outcome.plan = plan(target, scene, s.now())
    if outcome.refresh is not None:
        outcome.refresh = refreshes.begin_batch(s, lease, outcome.refresh, outcome.plan)
    try:
        perform(round_, outcome.plan, pools)
    finally:
        outcome.setback, outcome.cut_short = round_.setback, round_.cut_short
        outcome.pool_setback = round_.pool_setback
        s.activities.add(round_.activities)


def _observe(r: Round) -> Scene:
    """Return what is seen of the group now.

    The cloud takes the longest to answer: what is written down is read meanwhile.

    A server that is missing from the list is asked for by its id before it is believed to be gone: a
    list leaves out what a part of the cloud that is down holds, and what it has only just been asked for. So
    is one that is to go: whether Nova was told so, or we died before that, is not known.

    Raises:
        CloudUnavailable: so many are missing that there is no time to ask for each.
    """
    group_id = r.lease.key.group_id
    members, found = r.s.at_once(lambda: _written_down(r), lambda: r.cloud.resources_of(group_id))
    servers = list(found)
    listed = {server.id for server in servers}
    end = r.s.now() + timedelta(seconds=r.s.limits.round_seconds)
    for member in members:
        if member.resource_id is None or member.resource_id in listed:
            continue
        if r.s.now() > end:
            raise CloudUnavailable("The cloud lists too few of the group's servers.", certainly_not_done=True)
        server = r.cloud.resource(member.resource_id)
        servers += [server] if server is not None else []
    return compare(members, servers)


def _written_down(r: Round) -> Sequence[Member]:
    """Return the members; where some are missing, what they will be made of is looked up as well.

    What cannot be read now is asked for again where it is needed: it must not keep others from going.
    """
    members = r.s.members.of_group(r.lease.key)
    if len(members) < r.group.wanted_capacity():
        with suppress(Unavailable):
            look_up(r)
    return members


def _target(s: Services, group: Group, refresh: Refresh | None) -> Target:
    now = s.now()
    may_act = group.deleting or not group.frozen(now)
    return Target(
        capacity=group.wanted_capacity(),
        launch_configuration_id=group.owned_configuration_id,
        removal_order=group.removal_order,
        availability_zones=group.availability_zones,
        patience=Patience(
            build=timedelta(seconds=group.build_timeout_seconds),
            adoption=timedelta(seconds=s.limits.adoption_seconds),
        ),
        steps_max=s.limits.steps_max,
        may_create=group.may_create(now),
        may_retry=group.may_retry(now),
        may_act=may_act,
        spares_protected=not group.deleting,
        pools=group.pools(now) if may_act else None,
        rolling=refresh.rolling(group, s.limits.steps_max, now) if refresh is not None else None,
    )
