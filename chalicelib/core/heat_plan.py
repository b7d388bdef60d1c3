"""Plan one round of a group in Heat: what to ask Heat for, if anything, given what is seen.

Level-triggered, as the plan of members that we own. Heat is asked only when stack and group are idle, for
one thing at a time; what it was asked for is remembered until its effect is seen, since an answer says
nothing: a signal is answered 200 even when it is dropped, a PATCH is 202 and may fail later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.core.capacity import Bounds
from chalicelib.core.group import Trouble, TroubleKind
from chalicelib.core.heat import Adjust, Asked, HeatScene, HeatTarget
from chalicelib.core.heat_steps import impossible, walk
from chalicelib.core.round import Setback

TAKEN_UP_WITHIN = timedelta(seconds=30)
"""How long an engine of Heat that is at work for others may leave a request lying before it is made anew."""

OURS_FOR = timedelta(seconds=90)
"""How long what we asked for is looked at closely; a stack that takes longer is looked at less and less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatAim:
    """What a round works towards, and within which limits.

    Attributes:
        asked: what Heat was asked for last, if its effect was not seen yet.
        trouble: what went wrong before, whatever generation it was for.
        may_ask: False while that is not to be tried again.
        may_act: False while the group is frozen.
        was_settled: at this very generation: a size that is another one now is somebody else's doing.
    """

    target: HeatTarget
    capacity: int
    bounds: Bounds
    asked: Asked | None = None
    trouble: Trouble | None = None
    may_ask: bool = True
    may_act: bool = True
    was_settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Set the stack's parameter; the size is never left out."""

    parameter: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Signal one policy; ``size`` is where it leads."""

    policy: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatPlan:
    """One round.

    Attributes:
        step: what Heat is to be asked for.
        settled: stack, group and Nova are as wanted.
        moves: what we asked for is under way.
        setback: why the group cannot get what it wants.
        drift: how the group came to another size without us, a sentence.
        asked: what is still waited for.
    """

    step: Patch | Signal | None = None
    settled: bool = False
    moves: bool = False
    setback: Setback | None = None
    drift: str | None = None
    asked: Asked | None = None


def plan_in_heat(aim: HeatAim, scene: HeatScene, now: datetime) -> HeatPlan:
    """Return what moves the group one round towards the size that is wanted."""
    early = _stack_unusable(scene) or _at_work(aim, scene, now)
    if early is not None:
        return replace(early, asked=aim.asked)  # it may lie there for as long as nothing of it can be seen
    if aim.asked is not None and aim.asked.mark == scene.mark:
        aim = replace(aim, asked=None)  # it never reached Heat, or was dropped
    return _failed(aim, scene) or _other_size(aim, scene, now) or _as_wanted(scene)


def _stack_unusable(scene: HeatScene) -> HeatPlan | None:
    """Return the plan for a stack that takes no changes at all."""
    stack = scene.stack
    if stack.status.action == "DELETE":
        return _stuck(f"The stack {stack.name} is {stack.status.word}.", TroubleKind.REFUSED)
    if stack.status.action == "SUSPEND":
        return _stuck(f"The stack {stack.name} is {stack.status.word}: resume it.")
    return None


def _at_work(aim: HeatAim, scene: HeatScene, now: datetime) -> HeatPlan | None:
    """Return the plan while Heat is at work, or may be about to begin what it was asked for.

    What takes long, and what somebody else set in motion, is looked at again later and later.
    """
    asked = aim.asked
    busy = next((s.word for s in (scene.stack.status, scene.group, scene.nested) if s.in_progress), None)
    if busy is None and scene.scaling and _heeds_scaling(aim):
        busy = "scaling"
    if busy is not None:
        tried_again = aim.trouble is not None and aim.trouble.kind is TroubleKind.BUILD
        if asked is not None and (tried_again or now - asked.at < OURS_FOR):
            return HeatPlan(moves=True)
        reason = f"Heat is at work on the stack {scene.stack.name} ({busy}); it is left in peace until then."
        return HeatPlan(setback=Setback(kind=TroubleKind.CLOUD, reason=reason))
    if asked is not None and _may_lie(asked, aim, scene) and now - asked.at < TAKEN_UP_WITHIN:
        return HeatPlan(moves=True)
    return None


def _may_lie(asked: Asked, aim: HeatAim, scene: HeatScene) -> bool:
    """Return whether what Heat was asked for may still lie there, to be taken up.

    The mark tells that something was taken up, but that may have been somebody else's. A second signal would
    then be done beside ours; an update sets the same size again.
    """
    if _has_effect(asked, aim, scene):
        return False
    others = aim.target.adjust is Adjust.SIGNAL and _failure(aim, scene) is None
    return asked.mark == scene.mark or others


def _has_effect(asked: Asked, aim: HeatAim, scene: HeatScene) -> bool:
    """Return whether what Heat was asked for is there to be seen, however quick it was."""
    parameter = _number(scene.stack.parameters.get(aim.target.parameter or ""))
    return scene.size == asked.size and (aim.target.adjust is Adjust.SIGNAL or parameter == asked.size)


def _heeds_scaling(aim: HeatAim) -> bool:
    """Return whether Heat's mark of a signal at work is believed.

    An engine that died leaves the mark for ever. An update then takes it away, a signal never gets through.
    """
    if aim.target.adjust is Adjust.SIGNAL:
        return True
    known = aim.trouble
    return not (known is not None and known.kind is TroubleKind.CLOUD and known.attempts > _MARKS_BELIEVED)


_MARKS_BELIEVED = 5


def _failed(aim: HeatAim, scene: HeatScene) -> HeatPlan | None:
    """Return the plan where Heat's last work failed: it is said, and tried again when its time has come."""
    reason = _failure(aim, scene)
    if reason is None:
        return None
    known = aim.trouble is not None and aim.trouble.kind is TroubleKind.BUILD
    if aim.asked is not None or not known:
        return HeatPlan(setback=_setback(reason))
    if not aim.may_act or not aim.may_ask:
        return HeatPlan()
    return (
        HeatPlan(step=_patch(aim)) if aim.target.adjust is Adjust.PARAMETER else _resignal(aim, scene, reason)
    )


def _resignal(aim: HeatAim, scene: HeatScene, reason: str) -> HeatPlan:
    """Return the plan that signals again what failed, where a signal can mend it."""
    if not scene.group.complete or not scene.stack.status.complete:
        return _stuck(f"{reason} Heat drops signals until an update of the stack succeeds.")
    if scene.size == aim.capacity:
        return _stuck(f"{reason} No signal mends that; an update of the stack does.")
    return _signal(aim, scene)


def _failure(aim: HeatAim, scene: HeatScene) -> str | None:
    """Return Heat's reason for what failed last, or None."""
    for status in (scene.stack.status, scene.group, scene.nested):
        if status.failed:
            return f"{status.word}: {status.reason}"
    rolled_back = scene.stack.status.action == "ROLLBACK" and aim.asked is not None
    if rolled_back and scene.size != aim.capacity:
        return f"Heat has rolled the update back: {scene.stack.status.reason}"
    return None


def _other_size(aim: HeatAim, scene: HeatScene, now: datetime) -> HeatPlan | None:
    """Return the plan for an idle stack whose group, or its parameter, is not of the size that is wanted."""
    by_parameter = aim.target.adjust is Adjust.PARAMETER
    parameter = scene.stack.parameters.get(aim.target.parameter or "")
    kept = not by_parameter or _number(parameter) == aim.capacity
    if scene.size == aim.capacity and kept:
        return None
    if not aim.may_act or not aim.may_ask:
        return HeatPlan()
    if not by_parameter:
        return _cooling_down(scene, now) or _signal(aim, scene)
    return _patched(aim, scene, parameter, taken_up=kept and aim.asked is not None)


def _patched(aim: HeatAim, scene: HeatScene, parameter: str | None, *, taken_up: bool) -> HeatPlan:
    """Return the plan that sets the parameter, unless Heat has done so and the group is another size."""
    if parameter is None:
        return _stuck(f"The stack {scene.stack.name} has no parameter {aim.target.parameter} (any more).")
    if taken_up:
        said = f"Heat has updated the stack and the group has {scene.size} members, not {aim.capacity}"
        return _stuck(f"{said}: is {aim.target.parameter} still its size, and within its own bounds?")
    return HeatPlan(step=_patch(aim), drift=_drift(aim, scene))


def _cooling_down(scene: HeatScene, now: datetime) -> HeatPlan | None:
    """Return the plan while Heat would drop a signal without a word."""
    if scene.cooldown_until is None or now >= scene.cooldown_until:
        return None
    reason, wait = "A cooldown of Heat's own holds signals.", scene.cooldown_until - now
    return HeatPlan(setback=Setback(kind=TroubleKind.CLOUD, reason=reason, retry_after=wait))


def _signal(aim: HeatAim, scene: HeatScene) -> HeatPlan:
    """Return the plan that signals the next policy on the way, or says that the steps lead no further."""
    policies = aim.target.policies
    way = walk(policies, scene.size, aim.capacity, aim.bounds)
    if way.first is not None:
        step = Signal(policy=way.first.resource, size=way.size)
        return HeatPlan(step=step, drift=_drift(aim, scene))
    steps = ", ".join(f"{policy.adjustment:+d}" for policy in policies)
    return _stuck(
        f"{scene.size} members are as near to {aim.capacity} as signals of {steps} come; from there they "
        f"cannot make {impossible(policies, scene.size, aim.capacity, aim.bounds)}.",
        TroubleKind.REFUSED,
    )


def _as_wanted(scene: HeatScene) -> HeatPlan:
    """Return the plan for a group that has its size in Heat: Nova has the last word."""
    counted = [server for member in scene.members if member.counts for server in member.servers]
    for id_ in counted:
        server = scene.servers.get(id_)
        if server is None:
            return _stuck(f"Heat counts the server {id_}, and Nova has none: let Heat check the stack.")
        if server.status == "BUILD":
            return HeatPlan(moves=True)
        if server.status != "ACTIVE":
            said = f": {server.fault}" if server.fault else ""
            return _stuck(f"Heat is content, but Nova shows {server.name} as {server.status}{said}.")
    return HeatPlan(settled=True)


def _patch(aim: HeatAim) -> Patch:
    assert aim.target.parameter is not None, "a group that is resized by a parameter names it"
    return Patch(parameter=aim.target.parameter, size=aim.capacity)


def _drift(aim: HeatAim, scene: HeatScene) -> str | None:
    if not aim.was_settled:
        return None
    where = f"{aim.target.resource} of the stack {scene.stack.name}"
    if scene.size != aim.capacity:
        return f"Somebody else resized {where} to {scene.size}; it is set back to {aim.capacity}."
    return f"Somebody else set the parameter {aim.target.parameter}; it is set back to {aim.capacity}."


def _number(text: str | None) -> int | None:
    """Return a parameter's value as the whole number that it is, or None."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _setback(reason: str) -> Setback:
    return Setback(kind=TroubleKind.BUILD, reason=reason)


def _stuck(reason: str, kind: TroubleKind = TroubleKind.BUILD) -> HeatPlan:
    return HeatPlan(setback=Setback(kind=kind, reason=reason))
