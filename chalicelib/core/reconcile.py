"""Several policies of one group: out if any wants it, the largest; in only if all agree.

Source:
    Amazon EC2 Auto Scaling user guide, "Multiple policies"; Azure Monitor, "Understand autoscale settings";
    Kubernetes, where a metric that is unknown blocks a scale-in and not a scale-out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.core.execution import Rule, Step, Verdict
from chalicelib.core.ids import PolicyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What one policy wants of its group.

    Attributes:
        name: of the policy, for the explanation.
        capacity: the size; None when the policy does not know, for then the group may not shrink.
        never_in: it never makes the group smaller by itself, but others may not go below what it wants
            (a forecast; target tracking that does not scale in).
        steps: how it came to its size.
    """

    policy_id: PolicyId
    name: str
    capacity: int | None
    never_in: bool = False
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A policy that did not get what it wants, and who stood in its way."""

    want: Want
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What all policies of a group come to.

    Attributes:
        capacity: the size that is asked for; the present one when nothing is.
        winner: the policy that changes the group; None when none does.
        step: what the others made of the winner's size, None where they left it as it is.
        losses: all others that want another size, in the order of the wants.
    """

    capacity: int
    winner: Want | None
    step: Step | None
    losses: tuple[Loss, ...]


def reconciled(wants: Sequence[Want], current: int) -> Reconciled:
    """Return what the policies of a group come to, each of which may want another size.

    A policy that has nothing to say at all is left out: a forecast that is not there yet, an alarm's policy
    while the alarm is quiet. Of several that want the same, the one whose id comes first wins.
    """
    by_size = sorted(_known(wants), key=lambda want: (-_capacity(want), want.policy_id))
    silent = [want for want in wants if want.capacity is None]
    if not by_size:
        return Reconciled(capacity=current, winner=None, step=None, losses=())
    largest = by_size[0]
    size = _capacity(largest)
    if size > current:
        why = f"{largest.name!r} wants more members, {size}"
        return _won(wants, largest, size, why)
    if silent:
        why = f"{silent[0].name!r} does not know its metric, so the group does not shrink"
        return _won(wants, None, current, why)
    if size == current:
        return _won(wants, None, current, f"{largest.name!r} wants to stay at {current}")
    winner = next((want for want in by_size if not want.never_in), None)
    if winner is None:
        return _won(wants, None, current, "no policy that scales in wants to")
    return _won(wants, winner, size, f"{largest.name!r} wants more members to remain, {size}")


def _won(wants: Sequence[Want], winner: Want | None, size: int, why: str) -> Reconciled:
    others = [want for want in _known(wants) if want.capacity != size]
    losses = tuple(Loss(want=want, step=_outvoted(want, why)) for want in others if want is not winner)
    step = None
    if winner is not None and winner.capacity != size:
        detail = f"{winner.capacity} members would do, but {why}."
        step = Step(rule=Rule.RECONCILE, verdict=Verdict.CLAMPED, detail=detail)
    return Reconciled(capacity=size, winner=winner, step=step, losses=losses)


def _outvoted(want: Want, why: str) -> Step:
    detail = f"Policy {want.name!r} wants {want.capacity} and is outvoted: {why}."
    return Step(rule=Rule.RECONCILE, verdict=Verdict.REFUSE, detail=detail)


def _known(wants: Sequence[Want]) -> list[Want]:
    return [want for want in wants if want.capacity is not None]


def _capacity(want: Want) -> int:
    assert want.capacity is not None
    return want.capacity
