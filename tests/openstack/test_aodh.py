from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
import requests

from chalicelib.core.alarm import Alarm, AlarmState, Comparison, CompositeRule, MissingData, TimeConstraint
from chalicelib.core.credential import Credential
from chalicelib.core.errors import Conflict, Forbidden, Invalid, ThermostatError, Unavailable
from chalicelib.core.ids import AlarmId, GroupId
from chalicelib.openstack.aodh import TYPE, Aodh
from chalicelib.ports.cloud import CredentialBroken
from chalicelib.ports.monitoring import Reading, external_name
from dev.simcloud import Effect, Fault, SimCloud
from tests.core.aodh_alarms import a_rule_for_aodh, an_aodh_alarm
from tests.openstack.site import REQUEST_ID, Site
from tests.ports import listens

HOOK = "http://thermostat.test/v1/hooks/alarms/p/a/token"


@pytest.fixture
def alarm() -> Alarm:
    return an_aodh_alarm(id=AlarmId(str(uuid.uuid4())), group_id=GroupId(str(uuid.uuid4())))


class Behind:
    """Aodh as the owner sees it, with a token from a password."""

    def __init__(self, site: Site, url: str) -> None:
        self._url = url
        self._token = site.token()

    def ask(self, method: str, path: str, document: object = None) -> Any:
        answer = requests.request(
            method,
            f"{self._url}/v2{path}",
            json=document,
            headers={"X-Auth-Token": self._token},
            timeout=20,
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def named(self, alarm: Alarm) -> list[dict[str, Any]]:
        name = external_name(alarm.id)
        return [each for each in self.ask("GET", "/alarms") if each["name"] == name]


@pytest.fixture
def aodh(site: Site) -> Aodh:
    if not listens(site.endpoint("alarming")):
        pytest.skip("this cloud has no Aodh, or none that is up")
    return Aodh(site.service_user(), site.delegations())


@pytest.fixture
def behind(site: Site, aodh: Aodh, alarm: Alarm) -> Iterator[Behind]:
    url = site.endpoint("alarming")
    assert url
    behind = Behind(site, url)
    yield behind
    for each in behind.named(alarm):
        behind.ask("DELETE", f"/alarms/{each['alarm_id']}")


@pytest.fixture
def simulated(sim: Site) -> Aodh:
    return Aodh(sim.service_user(), sim.delegations())


def changed_rule(alarm: Alarm, **changes: Any) -> Alarm:
    return replace(alarm, rule=a_rule_for_aodh(**changes))


def test_an_alarm_is_made_as_it_is_asked_for(
    aodh: Aodh, behind: Behind, alarm: Alarm, trust: Credential
) -> None:
    window = TimeConstraint(
        name="nights", start="0 23 * * *", duration_seconds=10800, timezone="Europe/Ljubljana"
    )
    alarm = replace(alarm, time_constraints=(window,), enabled=False)
    id_ = aodh.establish(trust, alarm, HOOK, REQUEST_ID)
    (made,) = behind.named(alarm)
    assert made["alarm_id"] == id_
    assert made["type"] == TYPE
    assert made["repeat_actions"] is True
    assert made["enabled"] is False
    assert made["severity"] == alarm.severity
    for state in ("alarm", "ok", "insufficient_data"):
        assert made[f"{state}_actions"] == [HOOK]
    (constraint,) = made["time_constraints"]
    assert constraint["name"] == "nights"
    assert (constraint["start"], constraint["duration"]) == ("0 23 * * *", 10800)
    rule = made[f"{TYPE}_rule"]
    asked = {"and": [{"=": {"server_group": alarm.group_id}}, {"=": {"ended_at": None}}]}
    assert json.loads(rule["query"])["and"][1] == asked  # the first part is Aodh's own: the owner's servers
    assert rule["metric"] == "cpu"
    assert rule["resource_type"] == "instance"
    assert rule["aggregation_method"] == "mean"
    assert (rule["comparison_operator"], rule["threshold"]) == ("gt", 80)
    assert (rule["granularity"], rule["evaluation_periods"]) == (60, 3)


def test_an_application_credential_does_as_well(
    aodh: Aodh, behind: Behind, alarm: Alarm, application_credential: Credential
) -> None:
    aodh.establish(application_credential, alarm, HOOK, REQUEST_ID)
    assert len(behind.named(alarm)) == 1
    aodh.delete(application_credential, alarm, REQUEST_ID)
    assert behind.named(alarm) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "threshold"),
    [
        ("minimum", "min", 7),
        ("maximum", "max", 7),
        ("sum", "sum", 7),
        ("rate", "rate:mean", 7 * 60),
    ],
)
def test_a_statistic_has_gnocchis_name(
    aodh: Aodh, behind: Behind, alarm: Alarm, trust: Credential, ours: str, theirs: str, threshold: float
) -> None:
    alarm = changed_rule(alarm, statistic=ours, threshold=7, comparison=Comparison.LE)
    aodh.establish(trust, alarm, HOOK, REQUEST_ID)
    rule = behind.named(alarm)[0][f"{TYPE}_rule"]
    assert (rule["aggregation_method"], rule["threshold"]) == (theirs, threshold)
    assert rule["comparison_operator"] == "le"


def test_it_is_changed_in_place_and_keeps_its_state(
    aodh: Aodh, behind: Behind, alarm: Alarm, trust: Credential
) -> None:
    alarm = replace(alarm, enabled=False)  # so that no evaluation comes between
    first = aodh.establish(trust, alarm, HOOK, REQUEST_ID)
    behind.ask("PUT", f"/alarms/{first}/state", "alarm")
    changed = changed_rule(alarm, threshold=50)
    assert aodh.establish(trust, changed, HOOK + "2", REQUEST_ID) == first
    (made,) = behind.named(alarm)
    assert made["state"] == "alarm"
    assert made["alarm_actions"] == [HOOK + "2"]
    assert made[f"{TYPE}_rule"]["threshold"] == 50


def test_its_state_is_read(aodh: Aodh, behind: Behind, alarm: Alarm, trust: Credential) -> None:
    alarm = replace(alarm, enabled=False)
    assert aodh.read(trust, alarm, REQUEST_ID) is None
    id_ = aodh.establish(trust, alarm, HOOK, REQUEST_ID)
    assert aodh.read(trust, alarm, REQUEST_ID) == Reading(
        state=AlarmState.INSUFFICIENT_DATA, reason="Not evaluated yet"
    )
    for theirs, ours in (("ok", AlarmState.OK), ("alarm", AlarmState.ALARM)):
        behind.ask("PUT", f"/alarms/{id_}/state", theirs)
        reading = aodh.read(trust, alarm, REQUEST_ID)
        assert reading == Reading(state=ours, reason="Manually set via API")


def test_deleted_it_is_gone_and_deleting_it_again_is_fine(
    aodh: Aodh, behind: Behind, alarm: Alarm, trust: Credential
) -> None:
    aodh.establish(trust, alarm, HOOK, REQUEST_ID)
    aodh.delete(trust, alarm, REQUEST_ID)
    aodh.delete(trust, alarm, REQUEST_ID)
    assert behind.named(alarm) == []


def test_of_several_with_its_name_the_known_one_stays(
    aodh: Aodh, behind: Behind, alarm: Alarm, trust: Credential
) -> None:
    known = aodh.establish(trust, alarm, HOOK, REQUEST_ID)
    (made,) = behind.named(alarm)
    for _ in range(2):
        behind.ask("POST", "/alarms", {key: made[key] for key in ("name", "type", f"{TYPE}_rule")})
    assert len(behind.named(alarm)) == 3
    assert aodh.establish(trust, replace(alarm, external_id=known), HOOK, REQUEST_ID) == known
    assert [each["alarm_id"] for each in behind.named(alarm)] == [known]
    behind.ask("POST", "/alarms", {key: made[key] for key in ("name", "type", f"{TYPE}_rule")})
    aodh.delete(trust, alarm, REQUEST_ID)
    assert behind.named(alarm) == []


def test_made_by_several_at_once_one_is_left_in_the_end(
    site: Site, aodh: Aodh, behind: Behind, alarm: Alarm, trust: Credential
) -> None:
    start = Barrier(3)

    def make() -> None:
        own = Aodh(site.service_user(), site.delegations())
        start.wait()
        # Another one may delete what this one has just made; asked again, it finds the one that stayed.
        with suppress(Unavailable):
            own.establish(trust, alarm, HOOK, REQUEST_ID)

    threads = [Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    id_ = aodh.establish(trust, alarm, HOOK, REQUEST_ID)
    assert [each["alarm_id"] for each in behind.named(alarm)] == [id_]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"statistic": "p95"}, "p95"),
        ({"statistic": "sample_count"}, "sample_count"),
        ({"datapoints_to_alarm": 2}, "datapoints_to_alarm"),
        ({"evaluation_periods": 101, "datapoints_to_alarm": 101}, "evaluation_periods"),
        ({"treat_missing_data": MissingData.BREACHING}, "treat_missing_data"),
        ({"dimensions": (("disk", "sda"),)}, "dimensions"),
    ],
)
def test_what_aodh_cannot_do_is_refused_before_it_is_asked(
    cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm, wrong: dict[str, Any], said: str
) -> None:
    alarm, trust = changed_rule(alarm, **wrong), sim.trust()
    for attempt in (
        lambda: simulated.require_possible(alarm),
        lambda: simulated.establish(trust, alarm, HOOK, REQUEST_ID),
    ):
        with pytest.raises(Invalid, match=said) as refused:
            attempt()
        assert refused.value.code == "autoscaling.alarm.not_in_aodh"
    assert not [entry for entry in cloud.requests if entry.service == "aodh"]


def test_a_composite_alarm_is_refused(simulated: Aodh, alarm: Alarm) -> None:
    with pytest.raises(Invalid, match="composite"):
        simulated.require_possible(replace(alarm, rule=CompositeRule(expression='{"alarm": "x"}')))


def test_a_used_up_quota_is_told_in_aodhs_words(
    cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm
) -> None:
    trust = sim.trust()
    cloud.world.alarm_quotas[trust.project_id] = 0
    with pytest.raises(Forbidden, match="Alarm quota exceeded for user") as refused:
        simulated.establish(trust, alarm, HOOK, REQUEST_ID)
    assert refused.value.code == "autoscaling.aodh.quota_exceeded"


def test_what_aodh_refuses_is_invalid_in_its_words(simulated: Aodh, sim: Site, alarm: Alarm) -> None:
    mars = TimeConstraint(name="n", start="0 1 * * *", duration_seconds=60, timezone="Mars/Olympus")
    with pytest.raises(Invalid, match="Timezone Mars/Olympus is not valid"):
        simulated.establish(sim.trust(), replace(alarm, time_constraints=(mars,)), HOOK, REQUEST_ID)


@pytest.mark.parametrize("effect", [Effect.PERFORM_THEN_DROP, Effect.PERFORM_THEN_ANSWER, Effect.DROP])
def test_an_answer_that_was_lost_is_made_good_by_asking_again(
    cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm, effect: Effect
) -> None:
    trust = sim.trust()
    cloud.faults.add(Fault(what=effect, service="aodh", method="POST"))
    with pytest.raises(Unavailable) as failed:
        simulated.establish(trust, alarm, HOOK, REQUEST_ID)
    assert failed.value.retry_after_seconds
    id_ = simulated.establish(trust, alarm, HOOK, REQUEST_ID)
    assert [made.id for made in cloud.world.alarms.values()] == [id_]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_down_is_unavailable_and_said(
    cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm, method: str
) -> None:
    trust = sim.trust()
    simulated.establish(trust, alarm, HOOK, REQUEST_ID)
    fault = Fault(what=Effect.ANSWER, service="aodh", method=method, status=503, retry_after_seconds=17)
    cloud.faults.add(fault)
    with pytest.raises(Unavailable, match="Aodh") as failed:
        simulated.delete(trust, alarm, REQUEST_ID)
    assert failed.value.retry_after_seconds == 17
    assert len(cloud.world.alarms) == 1


def test_a_404_from_something_in_front_of_aodh_deletes_nothing(
    cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm
) -> None:
    trust = sim.trust()
    simulated.establish(trust, alarm, HOOK, REQUEST_ID)
    cloud.faults.add(Fault(what=Effect.ANSWER, service="aodh", method="DELETE", status=404, body={}))
    with pytest.raises(Unavailable):
        simulated.delete(trust, alarm, REQUEST_ID)


def test_a_connection_that_broke_is_tried_again_where_that_does_no_harm(
    cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm
) -> None:
    trust = sim.trust()
    for method in ("GET", "PUT", "DELETE"):
        cloud.faults.add(Fault(what=Effect.DROP, service="aodh", method=method))
    simulated.establish(trust, alarm, HOOK, REQUEST_ID)
    simulated.establish(trust, alarm, HOOK, REQUEST_ID)
    simulated.delete(trust, alarm, REQUEST_ID)
    assert cloud.world.alarms == {}


def test_a_trust_that_is_gone_is_a_broken_credential(simulated: Aodh, sim: Site, alarm: Alarm) -> None:
    trust = sim.trust()
    sim.withdraw(trust)
    with pytest.raises(CredentialBroken, match="trust") as broken:
        simulated.establish(trust, alarm, HOOK, REQUEST_ID)
    assert broken.value.for_good


def test_a_cloud_without_aodh_is_named_so_and_needs_no_deletion(
    cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm
) -> None:
    cloud.world.has_aodh = False
    trust = sim.trust()
    for attempt in (
        lambda: simulated.read(trust, alarm, REQUEST_ID),
        lambda: simulated.establish(trust, alarm, HOOK, REQUEST_ID),
    ):
        with pytest.raises(Conflict, match="no Aodh") as missing:
            attempt()
        assert missing.value.code == "autoscaling.aodh.missing"
    simulated.delete(trust, alarm, REQUEST_ID)


@pytest.mark.parametrize("answer", [{"no": "list"}, {}])
def test_an_answer_that_makes_no_sense_is_unavailable(
    cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm, answer: dict[str, Any]
) -> None:
    trust = sim.trust()
    cloud.faults.add(Fault(what=Effect.ANSWER, service="aodh", method="GET", status=200, body=answer))
    with pytest.raises(Unavailable):
        simulated.read(trust, alarm, REQUEST_ID)


def test_no_error_tells_the_hook(cloud: SimCloud, simulated: Aodh, sim: Site, alarm: Alarm) -> None:
    trust = sim.trust()
    for status in (400, 403, 409, 500, 503):
        cloud.faults.add(Fault(what=Effect.ANSWER, service="aodh", method="POST", status=status))
        with pytest.raises(ThermostatError) as failed:
            simulated.establish(trust, alarm, HOOK, REQUEST_ID)
        assert HOOK not in failed.value.detail
