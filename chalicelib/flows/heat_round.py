"""One round for a group in Heat: observe Heat and Nova, plan, ask Heat for at most one thing.

What Heat is asked for is written down first, under the lease: so a round that died, or whose answer was
lost, is known to have asked, and a round that slept past its lease asks for nothing.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.credential import Credential
from chalicelib.core.group import Group, TroubleKind
from chalicelib.core.heat import Asked, HeatScene, HeatTarget
from chalicelib.core.heat_plan import HeatAim, HeatPlan, Patch, Signal, plan_in_heat
from chalicelib.core.plan import Plan
from chalicelib.core.round import Setback
from chalicelib.flows.heat_members import in_service, write_members
from chalicelib.flows.heat_rivals import older_rival
from chalicelib.flows.round import Outcome
from chalicelib.flows.story import activity
from chalicelib.ports import Services
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable
from chalicelib.ports.orchestration import Stacks
from chalicelib.ports.storage import Lease


def round_in_heat(
    s: Services, lease: Lease, group: Group, credential: Credential, request_id: str, outcome: Outcome
) -> None:
    """Run a round for a group in Heat; what it comes to is left in ``outcome``, also by an error.

    A group that is being deleted lets go of the stack and asks nobody.
    """
    assert group.heat is not None, "the group is in Heat"
    outcome.asked = group.observed.asked
    if group.deleting:
        write_members(s, lease, group, None, request_id)
        outcome.plan = _as_plan(HeatPlan(settled=True), None)
        return
    stacks = s.orchestration.enter(credential, request_id)
    scene = stacks.scene(group.heat)
    write_members(s, lease, group, scene, request_id)
    if scene is None:
        said = (
            f"The stack {group.heat.stack_name} ({group.heat.stack_id}) or its {group.heat.resource} is gone."
        )
        outcome.asked = None
        outcome.plan = _as_plan(HeatPlan(), None)
        outcome.setback = Setback(kind=TroubleKind.REFUSED, reason=said)
        return
    the_plan = plan_in_heat(_aim(s, group, group.heat), scene, s.now())
    outcome.plan, outcome.setback = _as_plan(the_plan, scene), the_plan.setback
    outcome.asked = the_plan.asked
    if the_plan.step is not None:
        _ask(s, lease, group, stacks, scene, the_plan, request_id, outcome)


def _aim(s: Services, group: Group, target: HeatTarget) -> HeatAim:
    now = s.now()
    trouble = group.trouble
    passing = trouble is not None and trouble.kind in (TroubleKind.CLOUD, TroubleKind.CREDENTIAL)
    return HeatAim(
        target=target,
        capacity=group.desired_capacity,
        bounds=group.bounds,
        asked=group.observed.asked,
        trouble=group.observed.trouble,
        may_ask=passing or group.may_create(now),
        may_act=not group.frozen(now),
        was_settled=group.settled,
    )


def _ask(
    s: Services,
    lease: Lease,
    group: Group,
    stacks: Stacks,
    scene: HeatScene,
    the_plan: HeatPlan,
    request_id: str,
    outcome: Outcome,
) -> None:
    """Write down what Heat is asked for, then ask; what it certainly did not take is not waited for.

    Of two definitions for one stack that were made in the same instant the later one is never acted upon.
    """
    step, target = the_plan.step, group.heat
    assert step is not None
    assert target is not None
    rival = older_rival(s, group)
    if rival is not None:
        said = f"The group {rival.id} was defined first and resizes this stack, too: delete one of the two."
        outcome.setback = Setback(kind=TroubleKind.REFUSED, reason=said)
        return
    what = step.parameter if isinstance(step, Patch) else step.policy
    asked = Asked(at=s.now(), what=what, size=step.size, mark=scene.mark)
    s.groups.note(lease, replace(group, observed=replace(group.observed, asked=asked)))
    outcome.asked = asked
    try:
        if isinstance(step, Patch):
            stacks.patch(target, step.parameter, step.size)
        else:
            stacks.signal(target, step.policy)
    except CloudRefused:
        outcome.asked = None
        raise
    except CloudUnavailable as busy:
        outcome.asked = None if busy.certainly_not_done else asked
        raise
    s.activities.add(_told(s, group, step, the_plan.drift, scene, request_id))


def _told(
    s: Services, group: Group, step: Patch | Signal, drift: str | None, scene: HeatScene, request_id: str
) -> list[Activity]:
    """Return the lines of the group's story about what Heat was asked for."""
    if isinstance(step, Patch):
        detail = f"The stack {scene.stack.name} is updated: {step.parameter} is {step.size}."
    else:
        detail = f"{step.policy} of the stack {scene.stack.name} is signalled: {scene.size} to {step.size}."
    lines = [activity(s, group, ActivityKind.HEAT_ASKED, detail, request_id)]
    if drift is not None:
        lines.insert(0, activity(s, group, ActivityKind.SIZE_DRIFTED, drift, request_id))
    return lines


def _as_plan(the_plan: HeatPlan, scene: HeatScene | None) -> Plan:
    """Return what a round's conclusion looks at."""
    return Plan(
        steps=(),
        settled=the_plan.settled,
        moves=the_plan.moves or the_plan.step is not None,
        current_size=scene.size if scene else 0,
        in_service=in_service(scene) if scene else 0,
        failed_builds=(),
    )
