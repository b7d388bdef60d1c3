"""What a cold start is measured on: our bundle, and a bare app's with and without what ours is given."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from deploy.bundle import compile_modules, slim
from deploy.package import installed, package, run_chalice

_BARE = Path(__file__).with_name("cold_bare.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """Unpacked bundles.

    Attributes:
        ours: as ``make package`` makes it, for this machine.
        shipped: the bare app as ``chalice package`` makes it: whole botocore, no bytecode.
        treated: the bare app, slimmed and compiled as ours is.
    """

    ours: Path
    shipped: Path
    treated: Path


def make(directory: Path) -> Bundles:
    """Package both apps below ``directory``, which takes pip's index and a minute.

    Raises:
        Unpackaged: Chalice failed.
    """
    ours = _unpacked(package("bench", directory / "packaged").bundle, directory / "ours")
    shipped = _unpacked(_bare(directory / "bare"), directory / "shipped")
    treated = directory / "treated"
    shutil.copytree(shipped, treated)
    slim(treated)
    compile_modules(treated)
    return Bundles(ours=ours, shipped=shipped, treated=treated)


def _bare(project: Path) -> Path:
    """Return the zip of the bare app."""
    (project / ".chalice").mkdir(parents=True)
    config = {"version": "2.0", "app_name": "bare", "stages": {"dev": {}}}
    (project / ".chalice" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copy(_BARE, project / "app.py")
    (project / "installed.txt").write_text(installed(), encoding="utf-8")
    (project / "requirements.txt").write_text("-c installed.txt\nbotocore\n", encoding="utf-8")
    run_chalice(project, "package", str(project / "packaged"))
    return project / "packaged" / "deployment.zip"


def _unpacked(bundle: Path, tree: Path) -> Path:
    with zipfile.ZipFile(bundle) as packed:
        packed.extractall(tree)
    return tree
