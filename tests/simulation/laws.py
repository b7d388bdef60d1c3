"""What must be true when the faults have stopped, whatever came before."""

from __future__ import annotations

from tests.world import World

IN_SERVICE = {"ACTIVE", "CREATE_COMPLETE"}


def require_exactly_the_wanted_servers(world: World, also: frozenset[str] = frozenset()) -> None:
    """Require that the servers are the members', one each, as many as are wanted, and serve.

    Args:
        also: further statuses that a member may be left in.
    """
    group, members, machines = world.group(), world.members(), world.cloud.machines
    assert len(machines) == len(members) == group.desired_capacity
    assert {member.resource_id for member in members} == set(machines)
    assert {machine.seen(world.clock.now).status for machine in machines.values()} <= IN_SERVICE | also
