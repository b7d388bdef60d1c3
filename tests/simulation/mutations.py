"""Faults to put into the code by hand: each breaks one thing that the laws stand for, and must be caught.

docs/simulation.md lists them; ``make mutants`` tries them. A test holds that each still fits the code.
"""

from __future__ import annotations

from dataclasses import dataclass

SERVICE = "tests/simulation/test_simulation.py::TestService"
REFRESHING = "tests/simulation/test_refreshes.py::TestRefreshing"
HEAT = "tests/simulation/test_heat_managed.py::TestHeatManaged"
BALANCED = "tests/simulation/test_balanced.py::TestBalancedService"
JUDGING = "tests/simulation/test_judging.py::TestJudging"
EVERY_CALL = (
    "tests/simulation/test_every_call.py::test_whatever_happens_at_whichever_call_it_ends_as_if_nothing_had"
)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault.

    Attributes:
        fault: what the service then does, in words.
        path: the file below ``chalicelib``.
        edits: what stands there, exactly once, and what is put in its place.
        caught_by: the test that must fail.
    """

    fault: str
    path: str
    edits: tuple[tuple[str, str], ...]
    caught_by: str


def _one(fault: str, path: str, old: str, new: str, caught_by: str) -> Mutation:
    return Mutation(fault, path, ((old, new),), caught_by)


MUTATIONS = (
    Mutation(
        "asks for servers before their members are written down",
        "flows/launching.py",
        (
            ("    r.s.members.plan(r.lease, members)\n", ""),
            (
                "        resource_id = r.cloud.create(order)\n",
                "        resource_id = r.cloud.create(order)\n        r.s.members.plan(r.lease, members)\n",
            ),
        ),
        SERVICE,
    ),
    _one(
        "takes a lost answer for a refusal, and strikes the members off",
        "flows/launching.py",
        "if isinstance(error, CloudRefused) or error.certainly_not_done:",
        "if error:",
        SERVICE,
    ),
    _one(
        "gives a server no time to show itself",
        "core/member.py",
        "fresh = member.state is not MemberState.IN_SERVICE and waited < patience.adoption",
        "fresh = False",
        SERVICE,
    ),
    _one(
        "knows no server by its name, only by an id that was answered",
        "core/member.py",
        "resource=by_name.get(member.name)",
        "resource=None",
        SERVICE,
    ),
    _one(
        "believes a list that leaves servers out",
        "flows/members_round.py",
        "        server = r.cloud.resource(member.resource_id)\n",
        "        server = None\n",
        SERVICE,
    ),
    _one(
        "leaves servers that stand for no member",
        "core/departures.py",
        '*(RemoveStray(resource=each) for each in strays if each.task != "deleting" and each not in told),',
        "",
        SERVICE,
    ),
    _one(
        "does not count what is being built",
        "core/plan.py",
        "counted = [*by_fate[Fate.SERVES], *by_fate[Fate.BUILDS], *by_fate[Fate.HELD]]",
        "counted = [*by_fate[Fate.SERVES], *by_fate[Fate.HELD]]",
        SERVICE,
    ),
    _one(
        "asks for another in place of one that is only held",
        "core/plan.py",
        "- len(counted) - crew.leaving)",
        "- len(counted) + len(by_fate[Fate.HELD]) - crew.leaving)",
        SERVICE,
    ),
    _one(
        "removes one too many",
        "core/removal.py",
        "excess = len(counted) - room\n",
        "excess = len(counted) - room + 1\n",
        SERVICE,
    ),
    _one(
        "works on a frozen group",
        "flows/members_round.py",
        "may_act = group.deleting or not group.frozen(now)",
        "may_act = True",
        SERVICE,
    ),
    _one(
        "goes on with its steps when its time is over",
        "flows/round.py",
        "return self.cut_short\n",
        "return False\n",
        SERVICE,
    ),
    _one(
        "takes another round's lease for its own",
        "flows/converge.py",
        "owner=s.new_id())",
        'owner="worker")',
        SERVICE,
    ),
    _one(
        "forgets to look again",
        "flows/concluding.py",
        "due_at = conclusion.look_again_at if by_routine else now + delay + _SPARE",
        "due_at = now + timedelta(days=1)",
        SERVICE,
    ),
    _one(
        "goes below min_size",
        "core/capacity.py",
        "return max(self.min_size, min(self.max_size, capacity))",
        "return min(self.max_size, capacity)",
        SERVICE,
    ),
    _one(
        "scales again when an event is delivered again",
        "flows/scale.py",
        "s.new_id() if ask.event_id is None else derived_id(ask.policy_id, ask.event_id)",
        "s.new_id()",
        EVERY_CALL,
    ),
    _one(
        "loses a notification to whoever writes the group first",
        "flows/scale.py",
        "return until_not_stale(s, lambda: _decided(s, ask, id_))",
        "return _decided(s, ask, id_)",
        EVERY_CALL,
    ),
    _one(
        "refuses an owner's change because another wrote first, whatever he had seen",
        "flows/retry.py",
        "return attempt() if generation is not None else until_not_stale(s, attempt)",
        "return attempt()",
        SERVICE,
    ),
    _one(
        "fires a schedule's due time under a new name each time",
        "flows/firing.py",
        "id=execution_id(self.schedule, self.due_at),",
        "id=s.new_id(),",
        JUDGING,
    ),
    _one(
        "lets a tick change a group twice",
        "core/decision.py",
        "event.tick <= group.judged_at",
        "event.tick < group.judged_at",
        JUDGING,
    ),
    _one(
        "lets a tick change a frozen group",
        "core/decision.py",
        "if group.freeze is not None and group.freeze.holds(now):",
        "if group.freeze is not None and group.freeze.holds(now) and event.tick is None:",
        JUDGING,
    ),
    _one(
        "acts on a policy in shadow mode",
        "core/decision.py",
        "    if policy.mode is PolicyMode.SHADOW:\n        return _shadow",
        "    if policy.mode is PolicyMode.DISABLED:\n        return _shadow",
        JUDGING,
    ),
    _one(
        "takes silence for zero",
        "core/tracking.py",
        "return Recommendation(capacity=None, value=None, steps=(hold,))",
        "return Recommendation(capacity=0, value=0.0, steps=(hold,))",
        JUDGING,
    ),
    _one(
        "counts a batch of samples each time it comes",
        "flows/observe.py",
        "_store(s, readings, _batch_name(batch, default_batch_id), meters.fine, verdicts)",
        "_store(s, readings, s.new_id()[-8:].encode(), meters.fine, verdicts)",
        JUDGING,
    ),
    _one(
        "replaces members though too few would serve",
        "core/rolling.py",
        "spare = max(0, crew.serving - least_in_service(rolling, capacity))",
        "spare = crew.serving",
        REFRESHING,
    ),
    _one(
        "leaves a refresh behind when another wrote as its group ended",
        "flows/refreshes.py",
        "    until_not_stale(s, attempt)\n    return s.groups.get(",
        "    with suppress(Stale):\n        attempt()\n    return s.groups.get(",
        EVERY_CALL,
    ),
    _one(
        "asks Heat again while Heat has not taken up what it was asked for",
        "core/heat_plan.py",
        "if asked is not None and _may_lie(asked, aim, scene) and now - asked.at < TAKEN_UP_WITHIN:",
        "if asked is None and scene.scaling:",
        HEAT,
    ),
    _one(
        "deletes a server that a pool still sends requests to",
        "core/standing.py",
        "return sight.member.id not in found.held or overdue(",
        "return True or overdue(",
        BALANCED,
    ),
)
