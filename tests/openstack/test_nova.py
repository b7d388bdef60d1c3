from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests_mock
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from chalicelib.core.credential import Credential
from chalicelib.core.ids import GroupId, ResourceId
from chalicelib.core.launch import LaunchType, ServerTemplate
from chalicelib.core.member import GROUP_KEY, Resource, group_metadata, group_tag
from chalicelib.openstack.nova import MICROVERSION, Nova
from chalicelib.ports.cloud import Cloud, CloudRefused, CloudUnavailable, Order
from dev.simcloud import Effect, Fault, SimCloud
from tests.openstack.site import REQUEST_ID, Site

URL = "http://nova.test/v2.1"
NOBODY = ResourceId("00000000-0000-4000-8000-000000000000")


@pytest.fixture
def group_id() -> GroupId:
    return GroupId(str(uuid.uuid4()))


@pytest.fixture
def nova(site: Site, trust: Credential, group_id: GroupId) -> Iterator[Cloud]:
    """An owner's project; what the test makes there is deleted."""
    nova = site.clouds().enter(trust, LaunchType.SERVER, REQUEST_ID)
    yield nova
    for server in nova.resources_of(group_id):
        nova.delete(server.id)
    until(lambda: not nova.resources_of(group_id))


@pytest.fixture
def simulated(sim: Site) -> Cloud:
    return sim.clouds().enter(sim.trust(), LaunchType.SERVER, REQUEST_ID)


def over_http(page_size: int = 1000) -> Nova:
    """Return Nova at a URL where requests_mock answers."""
    adapter = Adapter(
        Session(), auth=Token(URL, "token"), service_type="compute", default_microversion=MICROVERSION
    )
    return Nova(adapter, page_size)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come to hold"
        time.sleep(0.2)


def ids(servers: Sequence[Resource]) -> set[ResourceId]:
    return {server.id for server in servers}


def test_one_server_is_made_and_found_again(site: Site, nova: Cloud, group_id: GroupId) -> None:
    order = site.order(group_id, metadata={"role": "web", GROUP_KEY: "another"}, tags=("mine",))
    resource_id = nova.create(order)
    (server,) = nova.resources_of(group_id)
    assert server.id == resource_id
    assert server.name == order.name
    assert server.metadata == {"role": "web", **group_metadata(group_id)}
    assert abs(server.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    until(lambda: nova.resources_of(group_id)[0].status == "ACTIVE")
    assert nova.resource(server.id) == nova.resources_of(group_id)[0]


def test_several_are_made_in_one_request_and_all_are_found(
    site: Site, nova: Cloud, group_id: GroupId
) -> None:
    order = site.order(group_id, count=3)
    assert nova.create(order) is None
    names = {server.name for server in nova.resources_of(group_id)}
    assert names == {f"{order.name}-{number}" for number in (1, 2, 3)}


def test_a_deleted_server_is_gone_and_deleting_it_again_is_fine(
    site: Site, nova: Cloud, group_id: GroupId
) -> None:
    resource_id = nova.create(site.order(group_id))
    assert resource_id
    until(lambda: nova.resources_of(group_id)[0].status == "ACTIVE")
    nova.delete(resource_id)
    nova.delete(resource_id)
    until(lambda: nova.resource(resource_id) is None)
    nova.delete(resource_id)
    nova.label(resource_id, {"too": "late"})
    assert nova.resources_of(group_id) == ()


def test_a_label_is_added_to_what_is_there(site: Site, nova: Cloud, group_id: GroupId) -> None:
    resource_id = nova.create(site.order(group_id))
    assert resource_id
    until(lambda: nova.resources_of(group_id)[0].status == "ACTIVE")
    nova.label(resource_id, {"thermostat:member": "m1"})
    (server,) = nova.resources_of(group_id)
    assert server.metadata == {**group_metadata(group_id), "thermostat:member": "m1"}


def test_a_server_that_there_is_not_is_none(nova: Cloud) -> None:
    assert nova.resource(NOBODY) is None


def test_of_many_pages_every_server_is_found_once(
    site: Site, nova: Cloud, trust: Credential, group_id: GroupId
) -> None:
    nova.create(site.order(group_id, count=5))
    whole = site.clouds().enter(trust, LaunchType.SERVER, REQUEST_ID)
    assert isinstance(whole, Nova)
    small_pages = Nova(whole._adapter, page_size=2)
    servers = small_pages.resources_of(group_id)
    assert len(servers) == 5
    assert ids(servers) == ids(nova.resources_of(group_id))


def test_another_groups_servers_are_not_this_ones(site: Site, nova: Cloud, group_id: GroupId) -> None:
    nova.create(site.order(group_id))
    assert nova.resources_of(GroupId(str(uuid.uuid4()))) == ()


def test_a_server_with_the_tag_alone_is_not_the_groups(
    sim: Site, simulated: Cloud, group_id: GroupId
) -> None:
    """Its owner may have put the tag there; it is not ours to delete."""
    order = sim.order(group_id)
    simulated.create(replace(order, metadata={}))
    simulated.create(replace(order, metadata={GROUP_KEY: "another"}))
    assert simulated.resources_of(group_id) == ()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"flavor": "no-such-flavor"}, "no-such-flavor"), ({"image": str(uuid.uuid4())}, "image")],
)
def test_what_makes_no_sense_is_refused_in_novas_words(
    site: Site, nova: Cloud, group_id: GroupId, wrong: dict[str, Any], reason: str
) -> None:
    order = site.order(group_id)
    with pytest.raises(CloudRefused, match=reason) as caught:
        nova.create(replace(order, template=replace(order.template, **wrong)))
    assert not caught.value.over_quota


def test_more_than_the_quota_allows_is_refused_as_such_and_nothing_is_made(
    sim: Site, cloud: SimCloud, simulated: Cloud, group_id: GroupId
) -> None:
    cloud.backstage.set_quota("demo", instances=2)
    with pytest.raises(CloudRefused, match="Quota exceeded") as caught:
        simulated.create(sim.order(group_id, count=3))
    assert caught.value.over_quota
    assert simulated.resources_of(group_id) == ()


def test_a_server_that_no_host_can_hold_says_why(sim: Site, simulated: Cloud, group_id: GroupId) -> None:
    order = sim.order(group_id)
    simulated.create(replace(order, template=ServerTemplate(image=sim.image, flavor="m1.huge")))
    (server,) = simulated.resources_of(group_id)
    assert server.status == "ERROR"
    assert server.fault
    assert "No valid host" in server.fault


@pytest.mark.parametrize("effect", [Effect.PERFORM_THEN_DROP, Effect.PERFORM_THEN_ANSWER])
def test_a_creation_that_may_have_happened_is_not_asked_for_again(
    sim: Site, cloud: SimCloud, simulated: Cloud, group_id: GroupId, effect: Effect
) -> None:
    cloud.faults.add(Fault(what=effect, service="nova", method="POST"))
    with pytest.raises(CloudUnavailable) as caught:
        simulated.create(sim.order(group_id))
    assert not caught.value.certainly_not_done
    assert len(simulated.resources_of(group_id)) == 1


def test_a_creation_that_was_turned_away_certainly_did_not_happen(
    sim: Site, cloud: SimCloud, simulated: Cloud, group_id: GroupId
) -> None:
    cloud.faults.add(Fault(what=Effect.ANSWER, service="nova", status=429, retry_after_seconds=3))
    with pytest.raises(CloudUnavailable) as caught:
        simulated.create(sim.order(group_id))
    assert caught.value.certainly_not_done
    assert caught.value.retry_after == timedelta(seconds=3)


def test_reading_and_deleting_survive_a_connection_that_broke_while_it_was_idle(
    sim: Site, cloud: SimCloud, simulated: Cloud, group_id: GroupId
) -> None:
    resource_id = simulated.create(sim.order(group_id))
    assert resource_id
    asks: dict[str, Callable[[], object]] = {
        "GET": lambda: simulated.resources_of(group_id),
        "POST": lambda: simulated.label(resource_id, {"a": "b"}),
        "DELETE": lambda: simulated.delete(resource_id),
    }
    for method, ask in asks.items():
        cloud.faults.add(Fault(what=Effect.PERFORM_THEN_DROP, service="nova", method=method))
        ask()
    assert simulated.resource(resource_id) is None


def test_a_server_that_is_locked_is_refused_so_that_others_are_not_held_up(
    sim: Site, cloud: SimCloud, simulated: Cloud, group_id: GroupId
) -> None:
    resource_id = simulated.create(sim.order(group_id))
    assert resource_id
    locked = {"conflictingRequest": {"code": 409, "message": f"Instance {resource_id} is locked"}}
    cloud.faults.add(Fault(what=Effect.ANSWER, service="nova", method="DELETE", status=409, body=locked))
    with pytest.raises(CloudRefused, match="is locked"):
        simulated.delete(resource_id)


def test_a_404_of_a_proxy_does_not_mean_that_a_server_is_gone(group_id: GroupId) -> None:
    nova = over_http()
    with requests_mock.Mocker() as proxy:
        proxy.register_uri(requests_mock.ANY, requests_mock.ANY, status_code=404, text="<h1>Not Found</h1>")
        asks: list[Callable[[], object]] = [
            lambda: nova.resource(NOBODY),
            lambda: nova.delete(NOBODY),
            lambda: nova.label(NOBODY, {}),
            lambda: nova.resources_of(group_id),
        ]
        for ask in asks:
            with pytest.raises(CloudUnavailable):
                ask()


def test_everything_of_a_template_is_asked_of_nova(group_id: GroupId) -> None:
    template = ServerTemplate(
        image="image-1",
        flavor="flavor-1",
        networks=({"uuid": "net-1"}, {"port": "port-1"}),
        key_name="key",
        security_groups=("web", "ssh"),
        user_data="IyEvYmluL3No",
        config_drive=True,
        metadata={"role": "web", "thermostat:group": "another"},
        tags=("mine", group_tag(group_id)),
        scheduler_hints={"group": "sg-1"},
        block_device_mapping_v2=({"boot_index": 0, "uuid": "image-1", "source_type": "image"},),
    )
    order = Order(
        template=template,
        count=2,
        name="web-1",
        availability_zone="az1",
        metadata=group_metadata(group_id),
        tags=(group_tag(group_id),),
    )
    assert asked_of_nova(order) == {
        "server": {
            "name": "web-1",
            "imageRef": "image-1",
            "flavorRef": "flavor-1",
            "networks": [{"uuid": "net-1"}, {"port": "port-1"}],
            "key_name": "key",
            "security_groups": [{"name": "web"}, {"name": "ssh"}],
            "user_data": "IyEvYmluL3No",
            "config_drive": True,
            "metadata": {"role": "web", **group_metadata(group_id)},
            "tags": ["mine", group_tag(group_id)],
            "availability_zone": "az1",
            "block_device_mapping_v2": [{"boot_index": 0, "uuid": "image-1", "source_type": "image"}],
            "min_count": 2,
            "max_count": 2,
        },
        "os:scheduler_hints": {"group": "sg-1"},
    }


def test_what_a_template_leaves_open_is_left_to_nova() -> None:
    template = ServerTemplate(image=None, flavor="flavor-1", networks="auto")
    order = Order(template=template, count=1, name="a", availability_zone=None, metadata={}, tags=())
    server = {"name": "a", "flavorRef": "flavor-1", "networks": "auto", "metadata": {}, "tags": []}
    assert asked_of_nova(order) == {"server": server}


def asked_of_nova(order: Order) -> Any:
    with requests_mock.Mocker() as nova:
        nova.post(f"{URL}/servers", status_code=202, json={"server": {"id": "s1"}})
        over_http().create(order)
        request = nova.request_history[0]
    assert request.headers["OpenStack-API-Version"] == f"compute {MICROVERSION}"
    return request.json()


def test_addresses_are_shown_in_novas_order_fixed_and_floating() -> None:
    shown = {
        "id": NOBODY,
        "addresses": {
            "dmz": [
                {"addr": "2001:db8::1", "version": 6, "OS-EXT-IPS:type": "fixed"},
                {"addr": "10.0.0.4", "version": 4, "OS-EXT-IPS:type": "fixed"},
            ],
            "net": [{"addr": "203.0.113.4", "version": 4, "OS-EXT-IPS:type": "floating"}],
        },
    }
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/servers/{NOBODY}", json={"server": shown})
        server = over_http().resource(NOBODY)
    assert server is not None
    assert [(a.network, a.address, a.version, a.fixed) for a in server.addresses] == [
        ("dmz", "2001:db8::1", 6, True),
        ("dmz", "10.0.0.4", 4, True),
        ("net", "203.0.113.4", 4, False),
    ]


def test_a_server_whose_cell_is_down_is_shown_as_far_as_it_is_known(group_id: GroupId) -> None:
    """See "Handling Down Cells" in Nova's API guide: since 2.69 most fields are missing then."""
    document = {"id": "s1", "status": "UNKNOWN", "tenant_id": "p1", "created": "2026-11-22T16:00:00Z"}
    with requests_mock.Mocker() as nova:
        nova.get(f"{URL}/servers/s1", json={"server": document})
        nova.get(f"{URL}/servers/detail", json={"servers": [document, {"id": "s2"}]})
        shown = over_http().resource(ResourceId("s1"))
        listed = over_http().resources_of(group_id)
    assert shown == Resource(
        id=ResourceId("s1"),
        name="",
        status="UNKNOWN",
        task=None,
        created_at=datetime(2026, 11, 22, 16, tzinfo=UTC),
        metadata={},
    )
    assert listed == ()


@pytest.mark.parametrize("status", ["SOFT_DELETED", "DELETED"])
def test_a_server_that_is_only_kept_for_a_time_is_gone(status: str, group_id: GroupId) -> None:
    """With ``reclaim_instance_interval`` Nova shows it by its id; deleted again it would be kept anew."""
    document = {"id": "s1", "status": status, "metadata": group_metadata(group_id)}
    with requests_mock.Mocker() as nova:
        nova.get(f"{URL}/servers/s1", json={"server": document})
        nova.get(f"{URL}/servers/detail", json={"servers": [document]})
        assert over_http().resource(ResourceId("s1")) is None
        assert over_http().resources_of(group_id) == ()
        assert over_http().among([ResourceId("s1")]) == {}


def page(*server_ids: str, group_id: GroupId, more: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {
        "servers": [{"id": each, "metadata": group_metadata(group_id)} for each in server_ids]
    }
    return {"json": body | ({"servers_links": [{"rel": "next", "href": URL}]} if more else {})}


GONE = {"status_code": 400, "json": {"badRequest": {"message": "marker [s2] not found"}}}


def test_a_listing_whose_marker_was_deleted_meanwhile_begins_anew(group_id: GroupId) -> None:
    answers = [
        page("s1", "s2", group_id=group_id),
        GONE,
        page("s1", "s3", group_id=group_id),
        page("s3", "s4", group_id=group_id, more=False),
    ]
    with requests_mock.Mocker() as nova:
        nova.get(f"{URL}/servers/detail", answers)
        servers = over_http(page_size=2).resources_of(group_id)
        markers = [request.qs.get("marker") for request in nova.request_history]
    assert [server.id for server in servers] == ["s1", "s3", "s4"]
    assert markers == [None, ["s2"], None, ["s3"]]


def test_a_listing_that_is_never_finished_is_given_up(group_id: GroupId) -> None:
    with requests_mock.Mocker() as nova:
        nova.get(f"{URL}/servers/detail", [page("s1", "s2", group_id=group_id), GONE] * 3)
        with pytest.raises(CloudUnavailable):
            over_http(page_size=2).resources_of(group_id)
        assert nova.call_count == 6


def test_a_nova_that_always_links_to_a_next_page_is_left_in_the_end(group_id: GroupId) -> None:
    with requests_mock.Mocker() as nova:
        nova.get(f"{URL}/servers/detail", **page("s1", group_id=group_id))
        assert len(over_http(page_size=1).resources_of(group_id)) == 1


def test_a_list_that_nova_refuses_is_not_asked_for_again(group_id: GroupId) -> None:
    with requests_mock.Mocker() as nova:
        nova.get(f"{URL}/servers/detail", status_code=400, json={"badRequest": {"message": "Bad tags"}})
        with pytest.raises(CloudRefused, match="Bad tags"):
            over_http().resources_of(group_id)
        assert nova.call_count == 1


@pytest.mark.parametrize("answer", [{"text": "<html>"}, {"json": {}}, {"json": []}, {"json": None}])
def test_an_answer_that_is_none_is_unavailable(group_id: GroupId, answer: dict[str, Any]) -> None:
    with requests_mock.Mocker() as nova:
        nova.register_uri(requests_mock.ANY, requests_mock.ANY, **answer)
        with pytest.raises(CloudUnavailable):
            over_http().resource(NOBODY)
        with pytest.raises(CloudUnavailable):
            over_http().resources_of(group_id)
