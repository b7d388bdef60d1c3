"""Who may import whom: the rooms of ARCHITECTURE.md, held to what their files import."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted([ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")])

ALLOWED = {
    "core": {"core"},
    "ports": {"ports", "core"},
    "intake": {"intake", "core", "decoding"},
    "flows": {"flows", "core", "ports", "telemetry"},
    "tables": {"tables", "core", "decoding", "ports", "recent"},
    "at_once": set(),
    "decoding": set(),
    "aws": set(),
    "queue": {"aws", "core", "ports"},
    "vault": {"aws", "core", "ports"},
    "web": {"core", "ports"},
    "sns": {"core", "ports"},
    "settings": {"core", "ports"},
    "logs": {"telemetry"},
    "telemetry": set(),
    "recent": set(),
    "cold_start": set(),
    "openstack": {"openstack", "core", "ports", "recent", "settings"},
    "wiring": {
        "at_once",
        "aws",
        "core",
        "ports",
        "tables",
        "openstack",
        "queue",
        "vault",
        "web",
        "sns",
        "settings",
        "logs",
        "cold_start",
    },
    "api": {"api", "cold_start", "core", "decoding", "flows", "intake", "ports", "telemetry", "wiring"},
    "app": {"api", "cold_start", "core", "flows", "queue", "telemetry", "wiring"},
}
FOREIGN = {
    "core": {"cronsim"},  # pure: when a cron expression is due
    "ports": set(),
    "intake": {"google", "msgspec", "opentelemetry"},
    "flows": set(),
    "tables": {"pynamodb", "botocore", "msgspec", "_typeshed"},
    "at_once": set(),
    "decoding": {"msgspec"},
    "aws": {"botocore"},
    "queue": {"botocore", "mypy_boto3_sqs"},
    "vault": {"botocore", "mypy_boto3_kms"},
    "web": set(),
    "sns": {"cryptography"},
    "settings": set(),
    "logs": set(),
    "telemetry": set(),
    "recent": set(),
    "cold_start": set(),
    "openstack": {"keystoneauth1", "requests", "urllib3"},
    "wiring": set(),
    "api": {"chalice", "msgspec"},
    "app": {"chalice"},
}
IMPURE = {
    "asyncio",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "urllib",
}


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return (
        "app"
        if parts == ("app",)
        else "package"
        if parts[-1:] == ("__init__",) and len(parts) == 2
        else parts[1]
    )


def imports_of(path: Path) -> set[str]:
    """Return the dotted names of the modules that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a thing comes from"
            assert node.module
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole if node.module == "chalicelib" else {node.module}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = room_of(path)
    if room == "package":
        assert not imports_of(path)
        return
    for name in imports_of(path):
        first, _, rest = name.partition(".")
        if first == "chalicelib":
            assert rest.partition(".")[0] in ALLOWED[room], f"{room} may not import {name}"
        elif first not in sys.stdlib_module_names:
            assert first in FOREIGN[room], f"{room} may not import {name}"


@pytest.mark.parametrize("path", [f for f in FILES if room_of(f) == "core"], ids=lambda path: path.name)
def test_the_core_reads_no_clock_no_environment_and_no_chance(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports_of(path)} & IMPURE
    calls = {
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    }
    assert not {call for call in calls if call.endswith((".now", ".utcnow", ".today", "uuid4", "uuid1"))}


def test_every_room_has_its_rules() -> None:
    rooms = {room_of(path) for path in FILES} - {"package"}
    assert rooms == set(ALLOWED) == set(FOREIGN)
