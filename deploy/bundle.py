"""Makes the zip that Chalice packaged quick to start: less in it, and compiled."""

from __future__ import annotations

import compileall
import py_compile
import shutil
import tempfile
import zipfile
from pathlib import Path

_SERVICES = {"dynamodb", "kms", "secretsmanager", "sqs"}
"""The AWS services that are called; descriptions of some 400 more are nine tenths of botocore."""

_ONLY_FOR_INSTALLING = ("_distutils_hack", "distutils-*", "pkg_resources", "setuptools", "setuptools-*")
"""pbr asks for setuptools, and needs it where packages are built."""

_TASK_ROOT = "/var/task"  # where Lambda unpacks the zip: what tracebacks name
_ALWAYS_THE_SAME = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


def optimize(bundle: Path) -> None:
    """Rewrite the zip without what is not used, and with bytecode.

    Lambda's task root is read-only: without bytecode in the zip, every cold start compiles everything. It
    is not checked against its source, since all files in such a zip have the same age.

    Raises:
        ValueError: a module of the bundle does not compile.
    """
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        with zipfile.ZipFile(bundle) as packaged:
            packaged.extractall(tree)
        _slim(tree)
        _compile(tree)
        _zip(tree, bundle)


def _slim(tree: Path) -> None:
    unused = [found for pattern in _ONLY_FOR_INSTALLING for found in tree.glob(pattern)]
    data = tree / "botocore" / "data"
    unused += [each for each in data.iterdir() if each.is_dir() and each.name not in _SERVICES]
    for path in unused:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _compile(tree: Path) -> None:
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


def _zip(tree: Path, bundle: Path) -> None:
    """Write the tree's files, in a stable order and without times: the same tree makes the same zip."""
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _ALWAYS_THE_SAME)
                entry.external_attr = _READABLE
                entry.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(entry, path.read_bytes())
