"""Puts each fault in turn to a new group of ours and a new one of Heat's, and prints how they came through.

OS_CLOUD names the service user's entry in clouds.yaml, OWNER_CLOUD the owner's, ADMIN_CLOUD one who may set
quotas and the state of servers. KILL_ENGINE and START_ENGINE, STOP_NOVA and START_NOVA, STOP_KEYSTONE and
START_KEYSTONE are commands for a shell; faults whose commands are not there are left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence

from openstack.connection import Connection

from dev.beside_heat.place import place
from dev.faults_beside_heat.cases import CASES, Case
from dev.faults_beside_heat.commands import Commands
from dev.faults_beside_heat.contestants import Heat, Ours
from dev.faults_beside_heat.running import Result, run
from dev.faults_beside_heat.watch import in_nova

_TOLD_AT_MOST = 12


def main() -> int:
    """Print each result as it comes, and all of them as a table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.faults_beside_heat")
    parser.add_argument("--only", help="names of faults, separated by commas")
    parser.add_argument("--whose", choices=["ours", "Heat"], help="put them to one of the two alone")
    arguments = parser.parse_args()
    commands = Commands(os.environ)
    cases = _chosen(arguments.only.split(",") if arguments.only else [each.name for each in CASES], commands)
    kinds: list[type[Ours | Heat]] = [k for k in (Ours, Heat) if arguments.whose in (None, k.name)]
    results = []
    with place() as here, Connection(cloud=os.environ["ADMIN_CLOUD"]) as admin:
        for case in cases:
            for kind in kinds:
                results.append(run(case, kind, here, admin, commands))
                _print(results[-1])
    print(_table(results))
    return 0


def _chosen(names: Sequence[str], commands: Commands) -> list[Case]:
    cases = [case for case in CASES if case.name in names]
    for case in cases:
        if not commands.has(*case.needs):
            print(f"left out: {case.name}, for want of {' and '.join(case.needs)}", flush=True)
    return [case for case in cases if commands.has(*case.needs)]


def _print(result: Result) -> None:
    lines = [
        f"{result.case.name}, {result.whose}: {result.case.says}",
        f"  {_outcome(result)}",
        f"  {_counts(result)}",
        *(f"  {at:6.1f} s  {what}" for at, what in result.said),
        *(f"  told: {each}" for each in result.told[:_TOLD_AT_MOST]),
    ]
    print("\n".join(textwrap.shorten(line, 300) if len(line) > 300 else line for line in lines), flush=True)


def _outcome(result: Result) -> str:
    """Say when it was as wanted, or what that took."""
    if result.rest_seconds is not None:
        return f"as wanted after {result.servers_seconds:.0f} s, at rest after {result.rest_seconds:.0f} s"
    tried = "; ".join(result.tried)
    never = f"not within {result.case.patience_seconds:.0f} s"
    return (
        f"{never}; repaired by {result.tried[-1]} (tried: {tried})"
        if result.repaired
        else f"{never}, nor by {tried}"
    )


def _counts(result: Result) -> str:
    seen = result.seen
    return (
        f"notifications {result.sent}, acknowledged {result.acknowledged}; wanted {result.case.wanted}; "
        f"the group wants {seen.wants}, believes {seen.believes}; in Nova {in_nova(result.statuses)}; "
        f"unknown to the group {result.strays}, at most {result.most} at a time; "
        f"left by its deletion {result.left}"
    )


def _table(results: Sequence[Result]) -> str:
    head = "| fault | whose | ended as | servers and notifications | as wanted |\n|---|---|---|---|---|"
    rows = (f"| {r.case.name} | {r.whose} | {r.seen.state} | {_counts(r)} | {_outcome(r)} |" for r in results)
    return "\n".join([head, *rows])


if __name__ == "__main__":
    sys.exit(main())
