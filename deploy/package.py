"""Make the bundle and its template: ``python -m deploy.package --stage prod --architecture arm64 build``.

``deployment.zip`` is what Chalice deploys, made smaller and compiled; ``sam.json`` is its template with all
that a stage has beside its functions. Wheels with compiled parts are those of the architecture that is named,
whatever it is made on; without one it is that of this machine, where the bundle can then be run. Chalice
works on a copy of the project, in which the stage's configuration and policies are written, so any name will
do for a stage.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from deploy.bundle import optimize
from deploy.policies import FUNCTIONS, policy
from deploy.template import CACERT, additions

_ROOT = Path(__file__).resolve().parent.parent
_ANY_REGION = "us-east-1"  # Chalice wants to know one, for names that differ in other partitions


@dataclass(frozen=True, slots=True)
class Package:
    """What was made."""

    bundle: Path
    template: Path


class Unpackaged(Exception):
    """The package could not be made; the text says why, in Chalice's words where it failed."""


def package(stage: str, out: Path, architecture: str | None = None, cacert: Path | None = None) -> Package:
    """Make the bundle and the template of a stage in ``out``, which may hold earlier ones.

    Args:
        architecture: arm64 or x86_64; None is this machine's.
        cacert: certificates in PEM that are to be trusted of the cloud, instead of the usual ones.

    Raises:
        Unpackaged: Chalice failed, or the certificates are none.
    """
    certificates = None if cacert is None else _certificates(cacert)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory) / "project"
        _copy(project, stage, architecture or _this_machines())
        if certificates is not None:
            (project / "vendor").mkdir()  # what lies there, Chalice puts beside app.py
            (project / "vendor" / CACERT).write_text(certificates, encoding="utf-8")
        merged = Path(directory) / "additions.json"
        merged.write_text(json.dumps(additions(stage, has_cacert=certificates is not None)), encoding="utf-8")
        packaged = Path(directory) / "packaged"
        run_chalice(project, "package", "--stage", stage, "--merge-template", str(merged), str(packaged))
        optimize(packaged / "deployment.zip")
        for name in ("deployment.zip", "sam.json"):
            shutil.move(packaged / name, out / name)
    return Package(bundle=out / "deployment.zip", template=out / "sam.json")


def stage_name(text: str) -> str:
    """Return the name of a stage; ValueError if it cannot be part of all names that AWS makes of it."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,32}", text):
        raise ValueError(text)
    return text


def _certificates(path: Path) -> str:
    """Return the certificates in a file; a private key beside them is nothing for a bundle.

    Raises:
        Unpackaged: it cannot be read, or holds no certificates, or more than those.
    """
    try:
        text = path.read_text(encoding="ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (OSError, ValueError, ssl.SSLError) as error:
        raise Unpackaged(f"{path} holds no certificates in PEM: {error}") from error
    if "PRIVATE KEY" in text:
        raise Unpackaged(f"{path} holds a private key; name a file of certificates only.")
    return text


def _this_machines() -> str:
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


def _copy(project: Path, stage: str, architecture: str) -> None:
    """Copy what Chalice packages, and write the stage's configuration beside it."""
    shutil.copytree(
        _ROOT / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(_ROOT / "app.py", project)
    (project / "requirements.txt").write_text(_requirements(), encoding="utf-8")
    (project / "installed.txt").write_text(installed(), encoding="utf-8")
    settings = project / ".chalice"
    (settings / "policies").mkdir(parents=True)
    config = json.loads((_ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    config["lambda_architecture"] = architecture
    config["stages"] = {stage: {"environment_variables": {"STAGE": stage}}}
    (settings / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for function in FUNCTIONS:
        document = json.dumps(policy(stage, function))
        (settings / "policies" / f"{function}.json").write_text(document, encoding="utf-8")


def _requirements() -> str:
    """Return what the bundle needs: all requirements but Chalice, which adds its runtime part itself."""
    lines = (_ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return "\n".join(["-c installed.txt", *(line for line in lines if not line.startswith("chalice=="))])


def installed() -> str:
    """Return the versions installed here, so that what is deployed is what was tested."""
    return "\n".join(f"{each.name}=={each.version}" for each in metadata.distributions())


def run_chalice(project: Path, *arguments: str) -> None:
    """Run Chalice on a project; Unpackaged if it fails."""
    command = [sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())", *arguments]
    environment = {"AWS_DEFAULT_REGION": _ANY_REGION, **os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unpackaged(done.stdout + done.stderr)


def main() -> int:
    """Package the stage that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.package")
    parser.add_argument("--stage", required=True, type=stage_name)
    parser.add_argument("--architecture", choices=["arm64", "x86_64"])
    parser.add_argument("--cacert", type=Path)
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    try:
        made = package(arguments.stage, arguments.directory, arguments.architecture, arguments.cacert)
    except Unpackaged as error:
        print(f"There is no package:\n{error}", file=sys.stderr)
        return 1
    print(f"{made.bundle}: {made.bundle.stat().st_size / 1e6:.1f} MB")
    print(made.template)
    return 0


if __name__ == "__main__":
    sys.exit(main())
