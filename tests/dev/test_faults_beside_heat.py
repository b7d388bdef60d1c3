"""``make bench-faults`` as far as a simulated cloud goes: one fault, put to both groups."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dev.simcloud import PASSWORD, SimCloud
from tests.docs.documents import ROOT


@pytest.mark.timeout(300)
def test_a_fault_is_put_to_both_groups_and_nothing_is_left_of_them(tmp_path: Path) -> None:
    with SimCloud(build_seconds=0.2, delete_seconds=0.1) as cloud:
        clouds = tmp_path / "clouds.yaml"
        clouds.write_text(
            yaml.safe_dump({"clouds": {u: entry(cloud, u) for u in ("thermostat", "demo", "admin")}})
        )
        people = {"OS_CLOUD": "thermostat", "OWNER_CLOUD": "demo", "ADMIN_CLOUD": "admin"}
        done = subprocess.run(
            [sys.executable, "-m", "dev.faults_beside_heat", "--only", "delivered-twice"],
            cwd=ROOT,
            env={**os.environ, **people, "OS_CLIENT_CONFIG_FILE": str(clouds)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        rows = [line for line in done.stdout.splitlines() if line.startswith("| delivered-twice")]
        assert [row.split(" | ")[1] for row in rows] == ["ours", "Heat"]
        assert all("acknowledged 2; wanted 1; the group wants 1" in row for row in rows)
        assert cloud.backstage.servers() == ()
        assert cloud.backstage.stacks() == ()


def entry(cloud: SimCloud, user: str) -> dict[str, object]:
    """Return a user's entry in clouds.yaml."""
    project = {"thermostat": "service"}.get(user, user)
    auth = {"auth_url": cloud.auth_url, "username": user, "password": PASSWORD, "project_name": project}
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    return {"auth": {**auth, **domains}, "region_name": "RegionOne"}
