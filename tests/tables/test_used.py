"""Launch configurations and credentials: what groups use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.credential import CredentialStatus, CredentialType
from chalicelib.core.errors import Conflict, Forbidden, NotFound
from chalicelib.core.ids import CredentialId, LaunchConfigurationId
from chalicelib.core.launch import StackTemplate
from tests.core.factories import NOW, a_credential, a_launch_configuration, a_template
from tests.tables.storage import QUOTA, Storage


def test_a_launch_configuration_comes_back_as_it_was_stored(storage: Storage) -> None:
    template = a_template(
        image=None,
        networks=({"uuid": "net-1"}, {"port": "port-1", "tag": None}),
        security_groups=("web",),
        user_data="IyEvYmluL3No",
        metadata={"größe": "☃"},
        tags=("a", "b"),
        scheduler_hints={"group": "g", "weight": 1.5, "deep": {"list": [1, True, None]}},
        block_device_mapping_v2=({"boot_index": 0, "source_type": "image"},),
    )
    new = a_launch_configuration(project_id=storage.project, server=template, fingerprint="f")
    assert storage.launch_configurations.create(new, QUOTA) == new
    assert storage.launch_configurations.get(storage.project, new.id) == new


@pytest.mark.parametrize("template", ["heat_template_version: 2018-08-31\n", {"resources": {"r": None}}])
def test_a_launch_configuration_of_a_stack_comes_back_as_it_was_stored(
    storage: Storage, template: str | dict[str, Any]
) -> None:
    stack = StackTemplate(
        template=template,
        parameters={"größe": 2, "list": [1, None], "flag": True, "deep": {"a": "b"}},
        files={"file:///a.yaml": "☃"},
        environment={"resource_registry": {"My::Type": "file:///a.yaml"}},
        timeout_minutes=5,
        tags=("a", "b"),
    )
    new = a_launch_configuration(stack, project_id=storage.project, fingerprint="f")
    assert storage.launch_configurations.create(new, QUOTA) == new
    assert storage.launch_configurations.get(storage.project, new.id) == new


def test_a_credential_comes_back_as_it_was_stored(storage: Storage) -> None:
    new = a_credential(
        project_id=storage.project,
        type=CredentialType.APPLICATION_CREDENTIAL,
        sealed_secret="sealed",
        roles=(),
        redelegation=True,
        status_reason="none",
    )
    assert storage.credentials.create(new, QUOTA) == new
    assert storage.credentials.find(storage.project, new.id) == new
    assert storage.credentials.find(storage.project, CredentialId("none")) is None


def test_the_same_request_makes_one(storage: Storage) -> None:
    new = a_credential(project_id=storage.project, fingerprint="same")
    full = replace(QUOTA, credentials=1)
    storage.credentials.create(new, full)
    assert storage.credentials.create(replace(new, created_at=NOW), full) == new
    with pytest.raises(Conflict):
        storage.credentials.create(replace(new, fingerprint="other"), full)
    assert storage.usage.of_project(storage.project).credentials == 1


def test_the_quota_holds(storage: Storage) -> None:
    new = a_launch_configuration(project_id=storage.project)
    full = replace(QUOTA, launch_configurations=1)
    storage.launch_configurations.create(new, full)
    with pytest.raises(Forbidden) as refused:
        storage.launch_configurations.create(replace(new, id=LaunchConfigurationId("2")), full)
    assert refused.value.code == "autoscaling.quota.launch_configurations_exceeded"
    storage.launch_configurations.delete(storage.project, new.id)
    storage.launch_configurations.create(replace(new, id=LaunchConfigurationId("2")), full)


def test_what_a_group_uses_cannot_be_deleted(storage: Storage) -> None:
    group = storage.a_stored_group()
    with pytest.raises(Conflict) as refused:
        storage.launch_configurations.delete(storage.project, group.owned_configuration_id)
    assert refused.value.code == "autoscaling.launch_configuration.in_use"
    with pytest.raises(Conflict):
        storage.credentials.delete(storage.project, group.credential_id)
    with pytest.raises(Conflict):
        storage.credentials.require_unused(storage.project, group.credential_id)


def test_what_is_gone_is_not_found(storage: Storage) -> None:
    none, nobody = LaunchConfigurationId("none"), CredentialId("nobody")
    with pytest.raises(NotFound):
        storage.launch_configurations.get(storage.project, none)
    with pytest.raises(NotFound):
        storage.launch_configurations.delete(storage.project, none)
    with pytest.raises(NotFound):
        storage.credentials.get(storage.project, nobody)
    with pytest.raises(NotFound):
        storage.credentials.require_unused(storage.project, nobody)
    assert storage.usage.of_project(storage.project).launch_configurations == 0


def test_an_unused_credential_may_go(storage: Storage) -> None:
    new = a_credential(project_id=storage.project)
    storage.credentials.create(new, QUOTA)
    storage.credentials.require_unused(storage.project, new.id)
    storage.credentials.delete(storage.project, new.id)
    assert storage.usage.of_project(storage.project).credentials == 0


def test_a_check_is_noted_and_nothing_else(storage: Storage) -> None:
    new = a_credential(project_id=storage.project, status_reason="was broken before")
    storage.credentials.create(new, QUOTA)
    broken = replace(new, status=CredentialStatus.BROKEN, status_reason="The trust is gone.", checked_at=NOW)
    storage.credentials.note(replace(broken, name="ignored"))
    assert storage.credentials.get(storage.project, new.id) == broken
    working = replace(broken, status=CredentialStatus.OK, status_reason=None)
    storage.credentials.note(working)
    assert storage.credentials.get(storage.project, new.id) == working


def test_a_check_does_not_bring_back_what_is_gone(storage: Storage) -> None:
    new = a_credential(project_id=storage.project)
    storage.credentials.note(new)
    assert storage.credentials.find(storage.project, new.id) is None


def test_pages_are_of_one_project(storage: Storage) -> None:
    for number in range(3):
        id_ = LaunchConfigurationId(f"c{number}")
        storage.launch_configurations.create(
            a_launch_configuration(project_id=storage.project, id=id_), QUOTA
        )
    page = storage.launch_configurations.page(storage.project, 2, "c0")
    assert ([each.id for each in page.items], page.marker) == (["c1", "c2"], None)
    assert storage.credentials.page(storage.project, 2, None).items == ()
