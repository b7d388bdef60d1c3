"""Makes the zip that Chalice packaged quick to start: less in it, and compiled.

What each step gains is in docs/benchmarks.md.
"""

from __future__ import annotations

import compileall
import gzip
import json
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

_SERVICES = {"dynamodb", "kms", "secretsmanager", "sqs"}
"""The AWS services that are called; descriptions of some 400 more are nine tenths of botocore."""

_ONLY_FOR_INSTALLING = ("_distutils_hack", "distutils-*", "pkg_resources", "setuptools", "setuptools-*")
"""pbr asks for setuptools, and needs it where packages are built."""

_METHODS = Path(__file__).with_name("methods.py")
_TASK_ROOT = "/var/task"  # where Lambda unpacks the zip: what tracebacks name
_ALWAYS_THE_SAME = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


def optimize(bundle: Path) -> None:
    """Rewrite the zip without what is not used, and with bytecode.

    Raises:
        ValueError: a module of the bundle does not compile, or one of ours cannot be imported.
    """
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        with zipfile.ZipFile(bundle) as packaged:
            packaged.extractall(tree)
        slim(tree)
        _compile_methods(tree)
        compile_modules(tree)
        _zip(tree, bundle)


def slim(tree: Path) -> None:
    """Take out what is not used: of botocore's data, other services and the documentation of ours."""
    unused = [found for pattern in _ONLY_FOR_INSTALLING for found in tree.glob(pattern)]
    data = tree / "botocore" / "data"
    unused += [each for each in data.iterdir() if each.is_dir() and each.name not in _SERVICES]
    for path in unused:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for packed in data.rglob("*.json.gz"):
        described = json.loads(gzip.decompress(packed.read_bytes()))
        _write(packed.with_suffix(""), _undocumented(described))
        packed.unlink()
    endpoints = json.loads((data / "endpoints.json").read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        partition["services"] = {name: v for name, v in partition["services"].items() if name in _SERVICES}
    _write(data / "endpoints.json", endpoints)


def _undocumented(described: Any) -> Any:
    """Return a description without the texts that are for readers, a fifth of which describes anything."""
    match described:
        case dict():
            return {
                name: _undocumented(value)
                for name, value in described.items()
                if not (name == "documentation" and isinstance(value, str))
            }
        case list():
            return [_undocumented(value) for value in described]
    return described


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def compile_modules(tree: Path) -> None:
    """Write every module's bytecode.

    Lambda's task root is read-only: without bytecode in the zip, every cold start compiles everything. It
    is not checked against its source, since all files in such a zip have the same age.
    """
    compiled = compileall.compile_dir(
        str(tree),
        quiet=2,
        force=True,
        stripdir=str(tree),
        prependdir=_TASK_ROOT,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        workers=0,
    )
    if not compiled:
        raise ValueError("a module of the bundle does not compile")


def _compile_methods(tree: Path) -> None:
    """Write the bytecode of what dataclasses would compile, a process apart: ours may have other modules."""
    done = subprocess.run(
        [sys.executable, "-I", str(_METHODS), str(tree)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(done.stderr)


def _zip(tree: Path, bundle: Path) -> None:
    """Write the tree's files, in a stable order and without times: the same tree makes the same zip."""
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _ALWAYS_THE_SAME)
                entry.external_attr = _READABLE
                entry.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(entry, path.read_bytes())
