"""What is played with writes that come second is what may come second."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields

from chalicelib import ports
from tests.simulation.crash import GUARDED

ON_A_GENERATION_THAT_IS_NAMED = {("policies", "delete"), ("schedules", "delete")}
AS_GROUPS_CHANGE_SAYS = {("members", "dismiss")}


def test_all_that_ports_say_raises_stale_may_come_second() -> None:
    modules = [
        importlib.import_module(f"{ports.__name__}.{m.name}") for m in pkgutil.iter_modules(ports.__path__)
    ]
    named = {name: value for module in modules for name, value in vars(module).items()}
    said = {
        (field.name, method)
        for field in fields(ports.Services)
        for method, code in vars(named.get(str(field.type), object)).items()
        if "Stale" in (getattr(code, "__doc__", None) or "")
    }
    played = {(port, method) for port, methods in GUARDED.items() for method in methods}
    assert played == (said - ON_A_GENERATION_THAT_IS_NAMED) | AS_GROUPS_CHANGE_SAYS
