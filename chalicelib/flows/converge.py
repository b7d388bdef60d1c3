"""One round for one group: observe the cloud, plan, perform, conclude. The only flow that changes OpenStack.

A round works under a lease, so two never work on one group at once; it may die at any line, since the
next one starts from what the cloud shows. Steps are bounded in number and time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.core.credential import Credential, CredentialStatus
from chalicelib.core.group import Group, TroubleKind
from chalicelib.core.round import Setback
from chalicelib.flows import refreshes
from chalicelib.flows.bury import bury
from chalicelib.flows.concluding import conclude_round, tell_what_is_left
from chalicelib.flows.heat_round import round_in_heat
from chalicelib.flows.members_round import round_of_members
from chalicelib.flows.round import Outcome
from chalicelib.flows.telling import ENDED, LEASE_LOST, tell_end
from chalicelib.ports import Services
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from chalicelib.ports.storage import GroupKey, Lease, LeaseLost

_CHECK_IS_OLD = timedelta(hours=1)


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
            round_of_members(s, lease, group, credential, request_id, began, outcome)
        else:
            round_in_heat(s, lease, group, credential, request_id, outcome)
        if group.heat is None or not group.deleting:
            _note_credential(s, credential, broken=None)
    except (CredentialBroken, CloudUnavailable, CloudRefused) as error:
        outcome.setback = _setback(error, in_heat=group.heat is not None)
        if isinstance(error, CredentialBroken):
            _note_credential(s, credential, broken=error)
    the_plan = outcome.plan
    if group.deleting and outcome.setback is None and the_plan is not None and the_plan.settled:
        tell_what_is_left(s, group, the_plan, request_id)
        bury(s, lease, group)
        tell_end(s, group, ENDED, request_id=request_id, began=began)
        return
    conclude_round(s, lease, group, outcome, request_id, began)


def _setback(error: CredentialBroken | CloudUnavailable | CloudRefused, *, in_heat: bool) -> Setback:
    """Return what an error that ended the round means.

    Where we own the members, what was refused then is a look: there may be more to see the next time. What
    was refused of Heat is a change, and waits for another.
    """
    match error:
        case CredentialBroken():
            return Setback(kind=TroubleKind.CREDENTIAL, reason=error.reason, for_good=error.for_good)
        case CloudUnavailable():
            return Setback(kind=TroubleKind.CLOUD, reason=error.reason, retry_after=error.retry_after)
        case CloudRefused():
            kind = TroubleKind.REFUSED if in_heat else TroubleKind.CLOUD
            return Setback(kind=kind, reason=error.reason)


def _note_credential(s: Services, credential: Credential, broken: CredentialBroken | None) -> None:
    """Write down that the credential works, or why not, when that is news or was checked long ago."""
    status = CredentialStatus.BROKEN if broken else CredentialStatus.OK
    checked = replace(credential, status=status, status_reason=broken.reason if broken else None)
    now = s.now()
    if checked != credential or now - credential.checked_at > _CHECK_IS_OLD:
        s.credentials.note(replace(checked, checked_at=now))
