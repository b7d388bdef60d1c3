"""The state of the simulated cloud as a JSON file, so that it survives a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from dev.simcloud.records import (
    Alarm,
    ApplicationCredential,
    Build,
    Grant,
    LoadBalancer,
    Pool,
    PoolMember,
    Project,
    Server,
    Status,
    Token,
    Trust,
    User,
)
from dev.simcloud.stack_records import Action, Progress, Stack, StackEvent, StackResource
from dev.simcloud.world import World

_KINDS = {
    "users": User,
    "projects": Project,
    "trusts": Trust,
    "credentials": ApplicationCredential,
    "tokens": Token,
    "servers": Server,
    "alarms": Alarm,
    "load_balancers": LoadBalancer,
    "pools": Pool,
    "pool_members": PoolMember,
    "stacks": Stack,
    "stack_resources": StackResource,
    "stack_events": StackEvent,
}
# JSON knows neither instants nor tuples nor enums: how a field of such a type is made again.
_REVIVE: dict[Any, Callable[[Any], Any]] = {
    datetime: datetime.fromisoformat,
    datetime | None: datetime.fromisoformat,
    tuple[str, ...]: tuple,
    Action: Action,
    Action | None: Action,
    Build: Build,
    Progress: Progress,
    Status | None: Status,
}
Record = TypeVar("Record")


def save(world: World, path: Path) -> None:
    """Write ``world`` to ``path``; whoever reads meanwhile finds the old state or the new, never a part."""
    state: dict[str, Any] = {
        name: [asdict(record) for record in getattr(world, name).values()] for name in _KINDS
    }
    state["grants"] = [asdict(grant) for grant in world.grants]
    state["quotas"] = world.quotas
    state["alarm_quotas"] = world.alarm_quotas
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(json.dumps(state, default=datetime.isoformat))
    unfinished.replace(path)


def load(world: World, path: Path) -> None:
    """Fill an empty ``world`` with what was saved at ``path``."""
    state = json.loads(path.read_text())
    for name, kind in _KINDS.items():
        getattr(world, name).update({saved["id"]: _revived(kind, saved) for saved in state.get(name, [])})
    world.grants.update(_revived(Grant, saved) for saved in state["grants"])
    world.quotas.update(state["quotas"])
    world.alarm_quotas.update(state.get("alarm_quotas", {}))


def _revived(kind: type[Record], saved: dict[str, Any]) -> Record:
    hints = get_type_hints(kind)
    return kind(**{name: _typed(hints[name], value) for name, value in saved.items()})


def _typed(hint: object, value: object) -> object:
    revive = _REVIVE.get(hint)
    return value if revive is None or value is None else revive(value)
