"""The contract of ``ports.balancing``, on the fake and on Octavia's API as it is simulated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
import requests
import requests_mock
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from chalicelib.core.credential import Credential
from chalicelib.core.ids import PoolId, PoolMemberId
from chalicelib.core.pool import PoolEntry, PoolMember, Readiness
from chalicelib.openstack.entrance import NotInCatalog
from chalicelib.openstack.octavia import Octavia, OwnersBalancers
from chalicelib.ports.balancing import BalancerBusy, Balancing, PoolGone
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, CredentialBroken
from dev.simcloud import Effect, Fault, ManualClock, SimCloud
from tests.fakes.balancing import FakeBalancers
from tests.openstack.site import REQUEST_ID, Site, simulated_site

NOBODY = PoolId("00000000-0000-4000-8000-000000000000")
BUSY = 3
SUBNET = "11111111-1111-4111-8111-111111111111"


class Behind(Protocol):
    """What a test does behind the port's back."""

    def settle(self) -> None:
        """Let the changes that are under way be complete."""

    def force(self, pool_id: PoolId, readiness: Readiness) -> None:
        """Give the pool's load balancer a status that lasts."""


@dataclass
class BehindOctavia:
    """A load balancer of the simulated Octavia's, with its owner's token."""

    cloud: SimCloud
    clock: ManualClock
    site: Site

    def ask(self, method: str, path: str, document: object = None) -> Any:
        answer = requests.request(
            method,
            f"{self.cloud.url}/load-balancer/v2/lbaas{path}",
            json=document,
            headers={"X-Auth-Token": self.site.token()},
            timeout=20,
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def made_pool(self) -> PoolId:
        balancer = self.ask("POST", "/loadbalancers", {"loadbalancer": {}})["loadbalancer"]["id"]
        self.settle()
        wanted = {"loadbalancer_id": balancer, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
        pool = self.ask("POST", "/pools", {"pool": wanted})["pool"]["id"]
        self.settle()
        return PoolId(pool)

    def settle(self) -> None:
        self.clock.advance(BUSY)

    def force(self, pool_id: PoolId, readiness: Readiness) -> None:
        balancer = self.cloud.world.pools[pool_id].load_balancer_id
        status = {Readiness.BROKEN: "ERROR", Readiness.BUSY: "PENDING_UPDATE", Readiness.READY: "ACTIVE"}
        self.cloud.backstage.set_load_balancer_status(balancer, status[readiness])


@dataclass
class BehindFake:
    """A load balancer of the fake's."""

    clock: ManualClock
    fake: FakeBalancers

    def settle(self) -> None:
        self.clock.advance(BUSY)

    def force(self, pool_id: PoolId, readiness: Readiness) -> None:
        balancer = self.fake.balancers[self.fake.pools[pool_id]]
        balancer.forced = None if readiness is Readiness.READY else readiness


@dataclass
class Case:
    """A pool, the port to it, and what is behind."""

    pool_id: PoolId
    port: Balancing
    behind: Behind

    def put(self, *numbers: int, weight: int = 1, **fields: Any) -> None:
        self.port.put(self.pool_id, [an_entry(number, weight=weight, **fields) for number in numbers])

    def members(self) -> dict[str, PoolMember]:
        return {member.address: member for member in self.port.pool(self.pool_id).members}


def an_entry(number: int, **fields: Any) -> PoolEntry:
    given = {"name": f"web-{number}", "address": f"10.0.0.{number}", "protocol_port": 80, "weight": 1}
    return PoolEntry(**{**given, **fields})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def behind(clock: ManualClock) -> Iterator[BehindOctavia]:
    with SimCloud(now=clock, balancing_seconds=BUSY) as cloud:
        yield BehindOctavia(cloud, clock, simulated_site(cloud))


@pytest.fixture
def octavia(behind: BehindOctavia) -> Case:
    return Case(behind.made_pool(), entered(behind.site, behind.site.trust()), behind)


@pytest.fixture(params=["fake", "octavia"])
def case(request: pytest.FixtureRequest, clock: ManualClock) -> Case:
    if request.param == "octavia":
        case: Case = request.getfixturevalue("octavia")
        return case
    fake = FakeBalancers(now=clock)
    return Case(fake.add_pool(PoolId("p")), fake, BehindFake(clock, fake))


def entered(site: Site, credential: Credential) -> Balancing:
    return OwnersBalancers(site.service_user(), site.delegations()).enter(credential, REQUEST_ID)


# --- the contract


def test_members_are_made_and_seen(case: Case) -> None:
    case.put(1, 2)
    case.behind.settle()
    sight = case.port.pool(case.pool_id)
    assert (sight.id, sight.readiness, sight.status) == (case.pool_id, Readiness.READY, "ACTIVE")
    shown = sorted((m.name, m.address, m.protocol_port, m.weight) for m in sight.members)
    assert shown == [("web-1", "10.0.0.1", 80, 1), ("web-2", "10.0.0.2", 80, 1)]


def test_who_is_not_named_stays_as_he_is_and_who_is_keeps_his_id(case: Case) -> None:
    case.put(1, 2, weight=5)
    case.behind.settle()
    before = case.members()
    case.put(2, weight=0)
    case.behind.settle()
    after = case.members()
    assert after["10.0.0.1"] == before["10.0.0.1"]
    assert (after["10.0.0.2"].weight, after["10.0.0.2"].id) == (0, before["10.0.0.2"].id)


def test_asked_twice_there_is_one(case: Case) -> None:
    case.put(1)
    case.behind.settle()
    case.put(1)
    case.behind.settle()
    assert len(case.members()) == 1


def test_an_address_may_stand_on_two_ports(case: Case) -> None:
    case.port.put(case.pool_id, [an_entry(1), an_entry(1, protocol_port=81, name="other")])
    case.behind.settle()
    assert len(case.port.pool(case.pool_id).members) == 2


def test_while_a_change_is_under_way_others_are_busy(case: Case) -> None:
    case.put(1)
    assert case.port.pool(case.pool_id).readiness is Readiness.BUSY
    with pytest.raises(BalancerBusy):
        case.put(2)
    with pytest.raises(BalancerBusy):
        case.port.remove(case.pool_id, case.members()["10.0.0.1"].id)
    case.behind.settle()
    case.put(2)
    case.behind.settle()
    assert case.members().keys() == {"10.0.0.1", "10.0.0.2"}


def test_a_member_is_deleted_and_one_already_gone_is_a_success(case: Case) -> None:
    case.put(1, 2)
    case.behind.settle()
    id_ = case.members()["10.0.0.1"].id
    case.port.remove(case.pool_id, id_)
    case.behind.settle()
    assert case.members().keys() == {"10.0.0.2"}
    case.port.remove(case.pool_id, id_)
    case.port.remove(case.pool_id, PoolMemberId(NOBODY))


def test_a_load_balancer_in_error_takes_no_change(case: Case) -> None:
    case.put(1)
    case.behind.settle()
    case.behind.force(case.pool_id, Readiness.BROKEN)
    sight = case.port.pool(case.pool_id)
    assert (sight.readiness, sight.status) == (Readiness.BROKEN, "ERROR")
    with pytest.raises(BalancerBusy):
        case.port.remove(case.pool_id, case.members()["10.0.0.1"].id)
    case.behind.force(case.pool_id, Readiness.READY)
    assert case.port.pool(case.pool_id).readiness is Readiness.READY


def test_a_pool_that_does_not_exist_is_gone(case: Case) -> None:
    with pytest.raises(PoolGone, match=NOBODY):
        case.port.pool(NOBODY)


# --- Octavia alone


def test_a_member_says_from_which_subnet(behind: BehindOctavia, octavia: Case) -> None:
    octavia.put(1, subnet_id=SUBNET)
    octavia.behind.settle()
    octavia.put(1, weight=0)
    (member,) = behind.cloud.world.pool_members.values()
    assert (member.subnet_id, member.weight) == (SUBNET, 0)


def test_fifty_are_one_request(behind: BehindOctavia, octavia: Case) -> None:
    octavia.put(*range(1, 51))
    changes = [e for e in behind.cloud.requests if e.service == "octavia" and e.method == "PUT"]
    assert [entry.status for entry in changes] == [202]
    assert len(octavia.members()) == 50


def test_a_look_is_three_requests_and_all_pages(behind: BehindOctavia, octavia: Case) -> None:
    octavia.put(*range(1, 8))
    before = len(behind.cloud.requests)
    assert len(octavia.port.pool(octavia.pool_id).members) == 7
    assert len(behind.cloud.requests) == before + 3
    assert isinstance(octavia.port, Octavia)
    octavia.port._page_size = 2
    assert len(octavia.port.pool(octavia.pool_id).members) == 7


def test_an_application_credential_does_as_well(behind: BehindOctavia, octavia: Case) -> None:
    credential, _ = behind.site.application_credential()
    assert entered(behind.site, credential).pool(octavia.pool_id).id == octavia.pool_id


def test_another_projects_pool_is_refused_with_a_hint(behind: BehindOctavia, octavia: Case) -> None:
    pool = behind.cloud.world.pools[octavia.pool_id]
    behind.cloud.world.pools[octavia.pool_id] = replace(pool, project_id="another")
    with pytest.raises(CloudRefused, match="load-balancer_member"):
        octavia.port.pool(octavia.pool_id)


def test_a_quota_is_told_in_octavias_words(behind: BehindOctavia, octavia: Case) -> None:
    body = {"faultcode": "Client", "faultstring": "Quota has been met.", "debuginfo": None}
    behind.cloud.faults.add(Fault(what=Effect.ANSWER, service="octavia", method="PUT", status=403, body=body))
    with pytest.raises(CloudRefused, match="Quota has been met") as refused:
        octavia.put(1)
    assert refused.value.over_quota


@pytest.mark.parametrize("status", [500, 501, 503])
def test_a_broken_octavia_is_unavailable(behind: BehindOctavia, octavia: Case, status: int) -> None:
    behind.cloud.faults.add(Fault(what=Effect.ANSWER, service="octavia", status=status, times=None))
    for attempt in (
        lambda: octavia.port.pool(octavia.pool_id),
        lambda: octavia.put(1),
        lambda: octavia.port.remove(octavia.pool_id, PoolMemberId(NOBODY)),
    ):
        with pytest.raises(CloudUnavailable, match="Simulated fault"):
            attempt()


def test_a_connection_that_broke_is_tried_again(behind: BehindOctavia, octavia: Case) -> None:
    for method in ("GET", "PUT", "DELETE"):
        behind.cloud.faults.add(Fault(what=Effect.DROP, service="octavia", method=method))
    octavia.put(1)
    octavia.behind.settle()
    octavia.port.remove(octavia.pool_id, octavia.members()["10.0.0.1"].id)
    octavia.behind.settle()
    assert octavia.members() == {}


def test_what_was_done_although_its_answer_was_lost_looks_busy(behind: BehindOctavia, octavia: Case) -> None:
    """The request is made again, and Octavia is at work on the first one."""
    behind.cloud.faults.add(Fault(what=Effect.PERFORM_THEN_DROP, service="octavia", method="PUT"))
    with pytest.raises(BalancerBusy):
        octavia.put(1)
    assert len(octavia.members()) == 1


def test_a_token_that_octavia_alone_does_not_take_breaks_no_credential(
    behind: BehindOctavia, octavia: Case
) -> None:
    behind.cloud.faults.add(Fault(what=Effect.ANSWER, service="octavia", status=401, times=None))
    with pytest.raises(CloudRefused, match="does not accept the token"):
        octavia.port.pool(octavia.pool_id)


def test_a_trust_that_is_gone_is_a_broken_credential(behind: BehindOctavia) -> None:
    trust = behind.site.trust()
    behind.site.withdraw(trust)
    with pytest.raises(CredentialBroken):
        entered(behind.site, trust)


def test_a_cloud_without_octavia_is_named_so(behind: BehindOctavia) -> None:
    behind.cloud.world.has_octavia = False
    with pytest.raises(NotInCatalog, match="load-balancer"):
        entered(behind.site, behind.site.trust())


@pytest.mark.parametrize("answer", [{"no": "pool"}, {"pool": {"loadbalancers": []}}, {"pool": []}])
def test_an_answer_that_makes_no_sense_is_unavailable(
    behind: BehindOctavia, octavia: Case, answer: dict[str, Any]
) -> None:
    path = f"/pools/{re.escape(octavia.pool_id)}$"
    fault = Fault(
        what=Effect.ANSWER, service="octavia", method="GET", path=path, status=200, body=answer, times=None
    )
    behind.cloud.faults.add(fault)
    with pytest.raises(CloudUnavailable):
        octavia.port.pool(octavia.pool_id)


def test_a_404_of_something_in_front_says_nothing_about_the_pool() -> None:
    with requests_mock.Mocker() as http:
        http.get(requests_mock.ANY, status_code=404, text="<html>no such page</html>")
        http.delete(requests_mock.ANY, status_code=404, text="<html>no such page</html>")
        octavia = over_http("http://octavia.test")
        with pytest.raises(CloudUnavailable):
            octavia.pool(NOBODY)
        with pytest.raises(CloudUnavailable):
            octavia.remove(NOBODY, PoolMemberId("m"))


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("http://octavia.test", "/v2.0/lbaas"),
        ("http://octavia.test/load-balancer/", "/load-balancer/v2.0/lbaas"),
        ("http://octavia.test/load-balancer/v2.0", "/load-balancer/v2.0/lbaas"),
        ("http://octavia.test/v2/", "/v2/lbaas"),
    ],
)
def test_the_endpoint_may_name_the_version(endpoint: str, path: str) -> None:
    with requests_mock.Mocker() as http:
        http.put(requests_mock.ANY, status_code=202)
        over_http(endpoint).put(PoolId("p"), [an_entry(1)])
        (asked,) = http.request_history
        assert (asked.path, asked.query) == (f"{path}/pools/p/members", "additive_only=true")
        entry = {"name": "web-1", "address": "10.0.0.1", "protocol_port": 80, "weight": 1}
        assert asked.json() == {"members": [entry]}


def over_http(endpoint: str) -> Octavia:
    """Return Octavia at a URL where requests_mock answers."""
    return Octavia(Adapter(Session(), auth=Token(endpoint, "token"), service_type="load-balancer"))
