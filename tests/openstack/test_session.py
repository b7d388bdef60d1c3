from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.core.ids import GroupId
from chalicelib.core.launch import LaunchType
from chalicelib.openstack.session import ServiceUser
from chalicelib.ports.cloud import CloudUnavailable
from dev.simcloud import Effect, Fault, SimCloud
from tests.openstack.site import Site, simulated_site


def tokens_made(cloud: SimCloud) -> int:
    asked = [(entry.method, entry.path, entry.status) for entry in cloud.requests]
    return asked.count(("POST", "/v3/auth/tokens", 201))


def test_one_password_gives_a_token_for_many_requests(sim: Site, cloud: SimCloud) -> None:
    user = sim.service_user()
    assert user.access().auth_token == user.access().auth_token
    assert tokens_made(cloud) == 1


def test_a_token_is_renewed_while_those_made_from_it_would_still_live_for_minutes() -> None:
    with SimCloud(token_seconds=299) as cloud:
        user = simulated_site(cloud).service_user()
        user.access()
        user.access()
        assert tokens_made(cloud) == 2


def test_a_token_that_was_not_accepted_is_renewed_once_however_many_ask(sim: Site, cloud: SimCloud) -> None:
    user = sim.service_user()
    refused = user.access()
    renewed = user.renew(instead_of=refused)
    assert renewed.auth_token != refused.auth_token
    assert user.renew(instead_of=refused) is renewed
    assert tokens_made(cloud) == 2


def test_a_wrong_password_is_our_own_trouble(sim: Site) -> None:
    user = ServiceUser(sim.settings, lambda: "wrong")
    with pytest.raises(CloudUnavailable, match="Thermostat's own service user") as caught:
        user.access()
    assert caught.value.certainly_not_done
    assert "wrong" not in str(caught.value)


def test_a_keystone_that_is_down_is_unavailable(sim: Site, cloud: SimCloud) -> None:
    cloud.faults.add(Fault(what=Effect.ANSWER, service="keystone", status=503, retry_after_seconds=9))
    with pytest.raises(CloudUnavailable) as caught:
        sim.service_user().access()
    assert caught.value.certainly_not_done
    assert caught.value.retry_after == timedelta(seconds=9)


def test_a_connection_that_broke_while_it_was_idle_is_not_noticed(sim: Site, cloud: SimCloud) -> None:
    cloud.faults.add(Fault(what=Effect.DROP, service="keystone"))
    assert sim.service_user().access().auth_token


def test_the_users_and_the_projects_ids_may_be_given_instead_of_names(sim: Site) -> None:
    access = sim.service_user().access()
    settings = replace(
        sim.settings,
        username=None,
        project_name=None,
        user_id=access.user_id,
        project_id=access.project_id,
    )
    assert ServiceUser(settings, lambda: sim.password).access().user_id == access.user_id


def test_nothing_secret_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when everything is, as LOG_LEVEL=DEBUG has it."""
    caplog.set_level(logging.DEBUG)
    secrets = [site.password, site.owner.password, site.token()]
    credential, secret = site.application_credential()
    nova = site.clouds().enter(credential, LaunchType.SERVER, "req-1")
    nova.resources_of(GroupId(str(uuid.uuid4())))
    secrets += [secret, site.delegations().access(credential).auth_token or ""]
    site.withdraw(credential)
    assert "GET" in caplog.text
    for each in secrets:
        assert each not in caplog.text
