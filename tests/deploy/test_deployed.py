"""The bundle as it is deployed: an owner's day on it, and what survives the next release."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from deploy.package import Package
from dev.client import Document
from tests.deploy.stage import STAGE
from tests.deployed import Deployed, deployed
from tests.end_to_end.conftest import MakeGroup, group_maker, party
from tests.end_to_end.metrics import by_plain_json
from tests.end_to_end.site import Party, Site, site
from tests.end_to_end.test_main_job import hook, outcome, path, reached
from tests.end_to_end.test_metrics import CLOSELY, alarm, executions, with_intake
from tests.kept_secrets import watch

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def where() -> Iterator[Site]:
    with site() as found:
        yield found


@pytest.fixture(scope="module")
def stage(made: Package, where: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    environ = where.service_user | {"LOG_LEVEL": "DEBUG"}
    logs = watch(tmp_path_factory.mktemp("logs"))
    with deployed(STAGE, made.bundle.parent, environ, logs) as running:
        yield running


@pytest.fixture
def owner(stage: Deployed, where: Site) -> Iterator[Party]:
    with party(stage.url, where.owner, patience=3) as found:
        yield found


@pytest.fixture
def make_group(owner: Party, where: Site) -> MakeGroup:
    return group_maker(owner, where)


def test_groups_follow_webhooks_and_samples_and_what_only_the_minutes_tick_finds(
    owner: Party, make_group: MakeGroup
) -> None:
    asleep = make_group(desired_capacity=0)
    soon = datetime.now(UTC) + timedelta(seconds=20)  # a cold start away
    due = {"name": "soon", "at": soon.isoformat(), "desired_capacity": 1}
    schedule = owner.api.post("/v1/schedules", {"group_id": asleep["id"], **due})

    group, intake = with_intake(owner, make_group)
    assert outcome(hook(owner, group, 1)) == "executed"
    reached(owner, group, 2)

    out = {"name": "out", "group_id": group["id"], "type": "change_in_capacity", "adjustment": 1}
    policy = owner.api.post("/v1/policies", {**out, "cooldown": 300})
    rule = {"metric": "jobs", "comparison_operator": "gt", "threshold": 3, **CLOSELY}
    high = alarm(owner, group, "high", alarm_actions=[policy["id"]], **rule)
    server_id = owner.servers_of(group)[0]["id"]

    def fed(shown: Document) -> bool:
        by_plain_json(intake, server_id, "jobs", 5)
        return bool(shown["desired_capacity"] == 3)

    owner.api.until(path(group), fed)
    reached(owner, group, 3)
    assert executions(owner, group, f"alarm:{high['id']}")[-1]["outcome"] == "executed"

    owner.api.until(path(asleep), lambda g: g["desired_capacity"] == 1)
    reached(owner, asleep, 1)
    assert executions(owner, asleep, f"schedule:{schedule['id']}")[-1]["outcome"] == "executed"


def test_a_role_may_do_nothing_that_its_policy_does_not_grant(stage: Deployed) -> None:
    """Which the tests here rest on, where they say that functions need no more than they are granted."""
    with stage.as_function("api_handler") as role:
        database, members = role.client("dynamodb"), f"thermostat-{STAGE}-members"
        with pytest.raises(ClientError, match="AccessDenied"):
            database.put_item(TableName=members, Item={"group_key": {"S": "p#g"}, "id": {"S": "m"}})
        with pytest.raises(ClientError, match="AccessDenied"):
            database.scan(TableName=members)
        key = {"project_id": {"S": "p"}, "id": {"S": "g"}}
        assert "Item" not in database.get_item(TableName=f"thermostat-{STAGE}-groups", Key=key)


def test_groups_members_and_webhooks_survive_an_upgrade_and_a_rollback(
    stage: Deployed, made: Package, owner: Party, make_group: MakeGroup, tmp_path: Path
) -> None:
    group = make_group(desired_capacity=1)
    url = hook(owner, group, 1)
    reached(owner, group, 1)
    before, released = members(owner, group), stage.code()
    for size, release in ((2, another_release(made, tmp_path)), (3, made.bundle.parent)):
        running = stage.code()
        stage.deploy(release)
        assert not stage.code().items() & running.items(), "every function is of the other release"
        assert outcome(url) == "executed"
        reached(owner, group, size)
        assert members(owner, group) > before
    assert stage.code() == released


def members(owner: Party, group: Document) -> set[str]:
    return {member["id"] for member in owner.api.get(f"{path(group)}/members")["members"]}


def another_release(made: Package, directory: Path) -> Path:
    """Return a package that differs in nothing but one file more."""
    for each in (made.bundle, made.template):
        shutil.copy(each, directory)
    with zipfile.ZipFile(directory / made.bundle.name, "a") as bundle:
        bundle.writestr("release.txt", "another one")
    return directory
