"""One round for one group: observe the cloud, plan, perform, conclude. The only flow that changes OpenStack.

A round works under a lease, so two never work on one group at once; it may die at any line, since the
next one starts from what the cloud shows. Steps are bounded in number and time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.core.activity import ActivityKind
from chalicelib.core.credential import Credential, CredentialStatus
from chalicelib.core.group import Group, TroubleKind
from chalicelib.core.member import Patience, Scene, compare
from chalicelib.core.plan import Plan, plan
from chalicelib.core.refresh import Refresh, look_again_at
from chalicelib.core.round import REOBSERVE_AFTER, Conclusion, Setback, conclude
from chalicelib.core.target import Target
from chalicelib.flows import refreshes
from chalicelib.flows.balancing import Pools
from chalicelib.flows.bury import bury
from chalicelib.flows.heat_round import round_in_heat
from chalicelib.flows.perform import perform
from chalicelib.flows.round import Outcome, Round
from chalicelib.flows.story import activity
from chalicelib.flows.telling import ENDED, LEASE_LOST, tell_end, tell_round
from chalicelib.ports import Services
from chalicelib.ports.cloud import Cloud, CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.storage import GroupKey, Lease, LeaseLost

_CHECK_IS_OLD = timedelta(hours=1)
_LONGEST_DELAY_SECONDS = 900
"""SQS delays a message no longer; what is due later is found by the sweep."""


def converge(s: Services, key: GroupKey, request_id: str) -> None:
    """Run one round for a group, and ask for the next one when it is due soon.

    Does nothing when another round is under way or the group is gone.
    """
    began = s.now()
    lease = Lease(key=key, owner=s.new_id())
    group = s.groups.lease(key, lease.owner, began, began + timedelta(seconds=s.limits.lease_seconds))
    if group is None:
        return
    try:
        _run(s, lease, group, request_id, began)
    except LeaseLost:
        tell_end(s, group, LEASE_LOST, request_id=request_id, began=began)


def _run(s: Services, lease: Lease, group: Group, request_id: str, began: datetime) -> None:
    """Do a round of the group's kind; then write down what came of it."""
    group = refreshes.end_with_group(s, group, request_id) if group.deleting else group
    credential = s.credentials.get(group.project_id, group.credential_id)
    outcome = Outcome(refresh=refreshes.under_way(s, group))
    try:
        if group.heat is None:
            _round_of_members(s, lease, group, credential, request_id, began, outcome)
        else:
            round_in_heat(s, lease, group, credential, request_id, outcome)
        if group.heat is None or not group.deleting:
            _note_credential(s, credential, broken=None)
    except (CredentialBroken, CloudUnavailable, CloudRefused) as error:
        outcome.setback = _setback(error)
        _note_credential(s, credential, broken=error if isinstance(error, CredentialBroken) else None)
    the_plan = outcome.plan
    if group.deleting and outcome.setback is None and the_plan is not None and the_plan.settled:
        _tell_what_is_left(s, group, the_plan, request_id)
        bury(s, lease, group)
        tell_end(s, group, ENDED, request_id=request_id, began=began)
        return
    _conclude(s, lease, group, outcome, request_id, began)


def _round_of_members(
    s: Services,
    lease: Lease,
    group: Group,
    credential: Credential,
    request_id: str,
    began: datetime,
    outcome: Outcome,
) -> None:
    """Observe the members that we own, plan, perform; an error leaves what was known in ``outcome``."""
    cloud = s.clouds.enter(credential, group.kind, request_id)
    target = _target(s, group, outcome.refresh)
    pools = Pools(s, target.pools, group.pool_trouble, began)
    scene = replace(_observe(s, cloud, lease.key), pools=pools.look(credential, request_id))
    outcome.plan = plan(target, scene, s.now())
    if outcome.refresh is not None:
        outcome.refresh = refreshes.begin_batch(s, lease, outcome.refresh, outcome.plan)
    round_ = Round(s, lease, group, cloud, request_id, began)
    try:
        perform(round_, outcome.plan, pools)
    finally:
        outcome.setback, outcome.cut_short = round_.setback, round_.cut_short
        outcome.pool_setback = round_.pool_setback
        s.activities.add(round_.activities)


def _observe(s: Services, cloud: Cloud, key: GroupKey) -> Scene:
    """Return what is seen of the group now.

    A server that is missing from the list is asked for by its id before it is believed to be gone: a
    list leaves out what a part of the cloud that is down holds, and what it has only just been asked for. So
    is one that is to go: whether Nova was told so, or we died before that, is not known.

    Raises:
        CloudUnavailable: so many are missing that there is no time to ask for each.
    """
    members = s.members.of_group(key)
    servers = list(cloud.resources_of(key.group_id))
    listed = {server.id for server in servers}
    end = s.now() + timedelta(seconds=s.limits.round_seconds)
    for member in members:
        if member.resource_id is None or member.resource_id in listed:
            continue
        if s.now() > end:
            raise CloudUnavailable("The cloud lists too few of the group's servers.", certainly_not_done=True)
        found = cloud.resource(member.resource_id)
        servers += [found] if found is not None else []
    return compare(members, servers)


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


def _setback(error: CredentialBroken | CloudUnavailable | CloudRefused) -> Setback:
    match error:
        case CredentialBroken():
            return Setback(kind=TroubleKind.CREDENTIAL, reason=error.reason, for_good=error.for_good)
        case CloudUnavailable():
            return Setback(kind=TroubleKind.CLOUD, reason=error.reason, retry_after=error.retry_after)
        case CloudRefused():
            return Setback(kind=TroubleKind.REFUSED, reason=error.reason)


def _note_credential(s: Services, credential: Credential, broken: CredentialBroken | None) -> None:
    """Write down that the credential works, or why not, when that is news or was checked long ago."""
    status = CredentialStatus.BROKEN if broken else CredentialStatus.OK
    checked = replace(credential, status=status, status_reason=broken.reason if broken else None)
    now = s.now()
    if checked != credential or now - credential.checked_at > _CHECK_IS_OLD:
        s.credentials.note(replace(checked, checked_at=now))


def _conclude(
    s: Services, lease: Lease, group: Group, outcome: Outcome, request_id: str, began: datetime
) -> None:
    """Write down how the round leaves the group, and ask for the next one."""
    now = s.now()
    the_plan = outcome.plan
    group = replace(group, observed=replace(group.observed, asked=outcome.asked))
    conclusion = conclude(
        group,
        the_plan,
        outcome.setback,
        now=now,
        jitter=s.jitter(),
        cut_short=outcome.cut_short,
        pool_setback=outcome.pool_setback,
        began_at=outcome.refresh.batch_began_at if outcome.refresh else None,
    )
    _tell_news(s, group, conclusion.group, request_id)
    conclusion = _conclude_refresh(s, lease, group, outcome, conclusion, request_id)
    delay = conclusion.look_again_at - now
    tell_round(s, group, the_plan, outcome.setback, conclusion, request_id=request_id, began=began)
    # The message usually comes first; the group is due a little later, for the sweep, should it get lost.
    by_routine = conclusion.group.settled and delay >= REOBSERVE_AFTER
    due_at = conclusion.look_again_at if by_routine else now + delay + _SPARE
    as_read = s.groups.conclude(lease, group, conclusion.group, due_at)
    if not as_read:
        s.queue.converge_soon([lease.key], request_id)
    elif not by_routine and delay.total_seconds() <= _LONGEST_DELAY_SECONDS:
        s.queue.converge_soon([lease.key], request_id, delay_seconds=round(delay.total_seconds()))


_SPARE = timedelta(seconds=20)


def _tell_what_is_left(s: Services, group: Group, the_plan: Plan, request_id: str) -> None:
    """Add an activity when the group goes and its pools did not let go of all members in time."""
    troubles = (*the_plan.pools.troubles, *the_plan.pools.busy)
    if troubles:
        detail = f"The group is gone, and leaves members behind in its pools: {troubles[0]}"
        s.activities.add([activity(s, group, ActivityKind.GROUP_TROUBLED, detail, request_id)])


def _conclude_refresh(
    s: Services, lease: Lease, group: Group, outcome: Outcome, conclusion: Conclusion, request_id: str
) -> Conclusion:
    """Write down what the round has made of the group's refresh; look again when its next batch may begin."""
    if outcome.refresh is None:
        return conclusion
    after, the_plan, now = conclusion.group, outcome.plan, s.now()
    refresh = refreshes.conclude(s, lease, outcome.refresh, group, after, the_plan, request_id)
    due = look_again_at(refresh, after, the_plan, conclusion.look_again_at, now)
    return replace(conclusion, look_again_at=due)


def _tell_news(s: Services, before: Group, after: Group, request_id: str) -> None:
    """Add an activity when trouble begins, changes or ends."""
    pairs = (
        (before.observed.trouble, after.observed.trouble, "its wanted capacity"),
        (before.observed.pool_trouble, after.observed.pool_trouble, "its pools"),
    )
    for was, is_, what in pairs:
        if (was and was.reason) == (is_ and is_.reason):
            continue
        kind = ActivityKind.GROUP_TROUBLED if is_ else ActivityKind.GROUP_RECOVERED
        detail = is_.reason if is_ else f"What kept the group from {what} is over."
        s.activities.add([activity(s, after, kind, detail, request_id)])
