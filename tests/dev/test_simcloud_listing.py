"""The simulated Nova filters, orders and pages as Nova 34 was seen to."""

from __future__ import annotations

import pytest

from dev.simcloud import ManualClock, SimCloud
from tests.dev.caller import Caller, error_of


@pytest.fixture
def labelled(demo: Caller) -> Caller:
    """Return demo, who has three servers with tags."""
    demo.created(name="g1-a", tags=["group:g1", "odd"])
    demo.created(name="g1-b", tags=["group:g1"])
    demo.created(name="g2-a", tags=["group:g2", "odd"])
    return demo


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?tags=group:g1", ["g1-a", "g1-b"]),
        ("?tags=group:g1,odd", ["g1-a"]),
        ("?tags-any=group:g2,nope", ["g2-a"]),
        ("?not-tags=group:g1", ["g2-a"]),
        ("?not-tags-any=group:g2,odd", ["g1-b"]),
        ("?name=g1", ["g1-a", "g1-b"]),
        ("?name=^g1-a$", ["g1-a"]),
        ("?status=BUILD", ["g1-a", "g1-b", "g2-a"]),
        ("?status=active", []),
        ("?metadata={}", ["g1-a", "g1-b", "g2-a"]),
        ("?flavor=m1.small", []),
    ],
)
def test_filters(labelled: Caller, query: str, names: list[str]) -> None:
    assert labelled.names(query) == names


def test_tags_are_no_filter_before_2_26(labelled: Caller) -> None:
    assert labelled.names("?tags=group:g2", version="2.25") == ["g1-a", "g1-b", "g2-a"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?nope=1", "'nope' does not match any of the regexes: '^_'"),
        ("?status=NOPE", "Invalid status value"),
        ("?marker=nope", "marker [nope] not found"),
        ("?limit=-1", "Invalid input for query parameters limit. Value: -1. '-1' does not match '^[0-9]*$'"),
        ("?name=(", "Invalid input for query parameters name. Value: (. '(' is not a 'regex'"),
        ("?tags=", "Invalid input for query parameters tags. Value: . '' is not a 'regex'"),
        ("?sort_dir=up", "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'"),
    ],
)
def test_a_query_may_be_malformed(demo: Caller, query: str, message: str) -> None:
    response = demo.nova("GET", f"/servers/detail{query}")
    assert (response.status_code, error_of(response)) == (400, message)


def test_only_admins_list_all_projects_and_cannot_filter_by_metadata(
    cloud: SimCloud, labelled: Caller
) -> None:
    refused = labelled.nova("GET", "/servers/detail?all_tenants=1")
    message = "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed."
    assert (refused.status_code, error_of(refused)) == (403, message)
    admin = Caller.named(cloud, "admin", "admin")
    assert admin.names() == []
    assert admin.names("?all_tenants=1") == ["g1-a", "g1-b", "g2-a"]
    assert error_of(admin.nova("GET", "/servers?metadata={}")) == "Invalid filter field: metadata."


def test_the_newest_come_first_unless_asked_otherwise(labelled: Caller) -> None:
    def ordered(query: str) -> list[str]:
        servers = labelled.nova("GET", f"/servers{query}").json()["servers"]
        return [server["name"] for server in servers]

    assert ordered("") == ["g2-a", "g1-b", "g1-a"]
    assert ordered("?sort_key=created_at&sort_dir=asc") == ["g1-a", "g1-b", "g2-a"]
    assert ordered("?sort_key=display_name") == ["g2-a", "g1-b", "g1-a"]


def test_pages_link_to_the_next(cloud: SimCloud, labelled: Caller) -> None:
    seen, path = [], "/servers/detail?limit=2&sort_key=created_at&sort_dir=asc"
    while path:
        page = labelled.nova("GET", path).json()
        seen.append([server["name"] for server in page["servers"]])
        hrefs = [link["href"] for link in page.get("servers_links", []) if link["rel"] == "next"]
        path = hrefs[0].removeprefix(f"{cloud.url}/compute/v2.1") if hrefs else ""
    assert seen == [["g1-a", "g1-b"], ["g2-a"]]


def test_changes_since_include_deleted_servers(demo: Caller, clock: ManualClock) -> None:
    demo.created(name="old")
    gone = demo.created(name="gone")
    clock.advance(60)
    demo.nova("DELETE", f"/servers/{gone}")
    clock.advance(5)
    servers = demo.nova("GET", "/servers/detail?changes-since=2026-01-01T00:01:00Z").json()["servers"]
    assert [(server["name"], server["status"]) for server in servers] == [("gone", "DELETED")]
    assert demo.names() == ["old"]
