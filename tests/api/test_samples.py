"""Samples through the API: who may post, what is counted, and what senders are told."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from chalice.app import Blueprint, Chalice
from chalice.test import Client

from chalicelib.api.errors import response_of_answer
from chalicelib.api.operation import OPERATIONS, Access, operation
from chalicelib.core.errors import ThermostatError, Unavailable
from chalicelib.core.ids import GroupId
from chalicelib.core.series import Series
from chalicelib.intake.metrics.answer import Answer
from tests.api.caller import NO_SUCH_ID, NO_SUCH_TOKEN, OUTSIDER, READER, Api, token_in
from tests.api.conftest import SETTINGS
from tests.core.factories import PROJECT, seconds
from tests.world import World

CPU = {"metric": "cpu", "value": 5}


@pytest.fixture
def group_id(api: Api) -> str:
    """A group of two, which has settled."""
    group = api.group()
    api.world.settle()
    return str(group["id"])


@pytest.fixture
def path(api: Api, group_id: str) -> str:
    """Where its servers post their samples."""
    return f"/v1/intake/{token_in(api.intake(group_id)['url'])}/samples"


def counted(api: Api, group_id: str, metric: str = "cpu") -> tuple[int, float]:
    """Return how many samples of the metric are counted, and their sum."""
    series = Series(project_id=PROJECT, group_id=GroupId(group_id), metric=metric)
    now = api.world.clock.now
    folds = api.world.services.folds.read(series, now - seconds(7200), now + seconds(7200))
    return sum(fold.total.count for fold in folds), sum(fold.total.sum for fold in folds)


def test_a_project_posts_samples_of_its_group(api: Api, group_id: str) -> None:
    member = api.world.members(GroupId(group_id))[0]
    samples = [{**CPU, "server_id": member.resource_id}, CPU, {**CPU, "server_id": "stranger"}]
    answer = api.post("/v1/samples", {"group_id": group_id, "samples": samples})
    assert (answer.status, answer.document["accepted"]) == (202, 2)
    [rejected] = answer.document["rejected"]
    assert rejected["index"] == 2
    assert counted(api, group_id) == (2, 10)


def test_servers_post_samples_with_nothing_but_the_url(api: Api, group_id: str, path: str) -> None:
    answer = api.post(path, {"samples": [CPU]}, token=None)
    assert (answer.status, answer.document) == (202, {"accepted": 1, "rejected": []})
    assert counted(api, group_id) == (1, 5)


def test_who_may_not_post(api: Api, group_id: str, path: str) -> None:
    body = {"group_id": group_id, "samples": [CPU]}
    with api.unchanged():
        assert api.post("/v1/samples", body, token=READER).status == 403
        assert api.post("/v1/samples", body, token=OUTSIDER).status == 404
        assert api.post("/v1/samples", {**body, "group_id": NO_SUCH_ID}).status == 404
        for token in (NO_SUCH_TOKEN, "short", NO_SUCH_TOKEN + "x", "%2e%2e"):
            answer = api.post(f"/v1/intake/{token}/samples", {"samples": [CPU]}, token=None)
            assert (answer.status, answer.code) == (404, "intake.unknown")
    assert path not in api.world.services.intakes.get(PROJECT, GroupId(group_id)).base


def test_a_batch_counts_once(api: Api, group_id: str, path: str) -> None:
    timed = {**CPU, "timestamp": api.world.clock.now.isoformat()}
    for _ in range(3):
        assert api.post(path, {"samples": [timed]}, token=None).document["accepted"] == 1
    assert counted(api, group_id) == (1, 5)
    for key in ("one", "two", "two"):
        api.post(path, {"samples": [CPU]}, token=None, headers={"Idempotency-Key": key})
    assert counted(api, group_id) == (3, 15)
    answer = api.post(path, {"samples": [CPU]}, token=None, headers={"Idempotency-Key": "x" * 256})
    assert (answer.status, answer.code) == (400, "samples.batch_id")


@pytest.mark.parametrize(
    ("format_", "body"),
    [
        ("samples", {"samples": [CPU]}),
        ("write", "cpu value=5"),
        ("api/v2/write", "cpu value=5"),
        ("v1/batch/metrics/measures", {"cpu": [{"timestamp": "-1 s", "value": 5}]}),
        (
            "v1/metrics",
            {
                "resourceMetrics": [
                    {
                        "scopeMetrics": [
                            {"metrics": [{"name": "cpu", "gauge": {"dataPoints": [{"asInt": 5}]}}]}
                        ]
                    }
                ]
            },
        ),
    ],
)
def test_what_says_no_time_is_new_each_time_it_comes(
    api: Api, group_id: str, path: str, format_: str, body: Any
) -> None:
    """A counter's steps look alike: six of them in a minute are six."""
    where = f"{path.removesuffix('samples')}{format_}"
    raw = (body if isinstance(body, str) else json.dumps(body)).encode()
    for _ in range(6):
        answer = api.post(where, raw=raw, token=None, headers={"content-type": "application/json"})
        assert answer.status in (200, 202, 204)
        api.world.clock.pass_(5)
    assert counted(api, group_id) == (6, 30)


def test_a_batch_in_which_any_sample_says_its_time_is_known_again(api: Api, group_id: str, path: str) -> None:
    timed = {**CPU, "timestamp": api.world.clock.now.isoformat()}
    for _ in range(2):
        api.post(path, {"samples": [CPU, timed]}, token=None)
    assert counted(api, group_id) == (2, 10)


def test_a_body_may_be_compressed_whatever_its_header_says(api: Api, group_id: str, path: str) -> None:
    for number, headers in enumerate(({"Content-Encoding": "gzip"}, {}, {"content-type": "text/plain"})):
        raw = gzip.compress(json.dumps({"samples": [{**CPU, "value": number}]}).encode())
        assert api.post(path, raw=raw, token=None, headers=headers).status == 202
    raw = gzip.compress(json.dumps({"group_id": group_id, "samples": [{**CPU, "value": 9}]}).encode())
    assert api.post("/v1/samples", raw=raw).status == 202
    assert counted(api, group_id) == (4, 12)


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "request.body"),
        (b"{", 400, "request.body"),
        (b'{"samples": 1}', 400, "request.body"),
        (b"\x1f\x8bno", 400, "intake.compression"),
        (gzip.compress(bytes(17 * 2**20)), 413, "intake.too_large"),
        (b" " * (4 * 2**20 + 1), 413, "request.too_large"),
    ],
    ids=["empty", "cut-off", "not-a-list", "not-gzip", "a-bomb", "too-large"],
)
def test_what_cannot_be_read_changes_nothing(api: Api, path: str, raw: bytes, status: int, code: str) -> None:
    for where in (path, "/v1/samples"):
        with api.unchanged():
            answer = api.post(where, raw=raw)
        assert (answer.status, answer.code) == (status, code)


def test_a_large_body_is_read_on_the_routes_of_samples_only(api: Api, group_id: str, path: str) -> None:
    samples = [{**CPU, "dimensions": {"padding": "x" * 200}}] * 5000
    assert api.post(path, {"samples": samples}, token=None).document["accepted"] == 5000
    assert api.post("/v1/groups", raw=b" " * 300_000).status == 413


def test_the_metrics_of_a_group_are_listed(api: Api, group_id: str, path: str) -> None:
    assert api.get(f"/v1/groups/{group_id}/metrics").document == {"metrics": [], "links": []}
    api.post(path, {"samples": [{**CPU, "dimensions": {"core": "1"}}, CPU, {**CPU, "metric": "a"}]})
    metrics = api.get(f"/v1/groups/{group_id}/metrics", token=READER).document["metrics"]
    assert [(each["name"], each["dimensions"]) for each in metrics] == [
        ("a", {}),
        ("cpu", {}),
        ("cpu", {"core": "1"}),
    ]
    assert metrics[0]["last_seen"] == api.world.clock.now.isoformat(timespec="milliseconds").replace(
        "+00:00", "Z"
    )
    for missing in (NO_SUCH_ID, "x"):
        assert api.get(f"/v1/groups/{missing}/metrics").status == 404
    assert api.get(f"/v1/groups/{group_id}/metrics", token=OUTSIDER).status == 404


def test_the_life_of_an_intake(api: Api, group_id: str) -> None:
    where = f"/v1/groups/{group_id}/intake"
    assert (api.get(where).status, api.get(where).code) == (404, "intake.not_found")
    made = api.intake(group_id)
    assert made["url"].startswith("http://scale.example/v1/intake/")
    shown = api.get(where, token=READER)
    assert (shown.status, shown.document) == (200, {**made, "url": None})
    again = api.put(where)
    assert (again.status, again.document["url"]) == (200, None)

    rotated = api.post(f"{where}/rotations", {"keep_previous": 60})
    api.secrets.add(token_in(rotated.document["url"]))
    assert (rotated.status, len(rotated.document["tokens"])) == (201, 2)
    urls = [document["url"].removeprefix("http://scale.example") for document in (made, rotated.document)]
    assert [posted(api, url) for url in urls] == [202, 202]
    api.world.clock.pass_(60)
    assert [posted(api, url) for url in urls] == [404, 202]

    assert api.delete(where, token=READER).status == 403
    assert api.delete(where).status == 204
    assert [posted(api, url) for url in urls] == [404, 404]
    assert [api.delete(where).status, api.post(f"{where}/rotations").status] == [404, 404]


def posted(api: Api, url: str) -> int:
    return api.post(f"{url}/samples", {"samples": [CPU]}, token=None).status


def test_a_rotation_keeps_the_previous_url_until_the_next_if_nothing_else_is_said(
    api: Api, group_id: str
) -> None:
    url = api.intake(group_id)["url"].removeprefix("http://scale.example")
    for body in (None, {"keep_previous": None}):
        document = api.post(f"/v1/groups/{group_id}/intake/rotations", body).document
        api.secrets.add(token_in(document["url"]))
        assert [token["expires_at"] for token in document["tokens"]] == [None, None]
        assert posted(api, url) == (202 if body is None else 404)
    bad = api.post(f"/v1/groups/{group_id}/intake/rotations", {"keep_previous": -1})
    assert (bad.status, bad.code) == (400, "request.body")


def test_an_intake_needs_a_group_of_the_project(api: Api, group_id: str) -> None:
    assert api.put(f"/v1/groups/{NO_SUCH_ID}/intake").status == 404
    assert api.put(f"/v1/groups/{group_id}/intake", token=OUTSIDER).status == 404
    assert api.put(f"/v1/groups/{group_id}/intake", token=READER).status == 403


@pytest.mark.parametrize(
    ("user_data", "code"),
    [
        (None, "intake_placeholder"),
        ("IyEvYmluL3No", "intake_placeholder"),
        ("x", "user_data"),
    ],
)
def test_user_data_must_have_a_place_for_the_url(api: Api, user_data: str | None, code: str) -> None:
    server = {"image": "i", "flavor": "f", "user_data": user_data, "intake_in_user_data": True}
    answer = api.post("/v1/launch-configurations", {"name": "web", "server": server})
    assert (answer.status, answer.code) == (400, f"launch_configuration.{code}")


@pytest.mark.parametrize(("padding", "status"), [(48_000, 201), (48_950, 400)])
def test_user_data_must_have_room_for_the_url(api: Api, padding: int, status: int) -> None:
    text = b"${THERMOSTAT_INTAKE_URL}" + b"#" * padding
    server = {"image": "i", "flavor": "f", "intake_in_user_data": True}
    server["user_data"] = base64.b64encode(text).decode()
    answer = api.post("/v1/launch-configurations", {"name": "web", "server": server})
    assert answer.status == status


BYTES = b"\x0a\x03\x08\xff\x01"


@pytest.fixture
def foreign(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An app with one operation of a foreign protocol, which answers with bytes or fails."""
    monkeypatch.setattr("chalicelib.wiring.settings", lambda: SETTINGS)
    blueprint = Blueprint("foreign")
    known = list(OPERATIONS)

    def refusal(error: ThermostatError, headers: Any) -> Answer:
        retry = {"Retry-After": str(error.retry_after_seconds)}
        return Answer(
            status=503, body=error.code.encode(), content_type=headers["content-type"], headers=retry
        )

    @operation(
        blueprint,
        "POST",
        "/v1/foreign",
        access=Access.OPEN,
        any_query=True,
        answers={200: None},
        refusal=refusal,
        foreign=("application/x-protobuf",),
        content_types=("*/*",),
    )
    def speak_foreign(call: Any) -> Answer:
        """Speak a foreign protocol."""
        if call.query.get("fail"):
            raise Unavailable("storage.unavailable", "Busy.", retry_after_seconds=7)
        return Answer(status=200, body=call.raw_body, content_type="application/x-protobuf")

    app = Chalice(app_name="foreign")
    app.register_blueprint(blueprint)
    yield app
    OPERATIONS[:] = known


def test_answers_of_bytes_need_no_accept_header(foreign: Chalice, tmp_path: Any) -> None:
    headers = {"content-type": "application/x-protobuf"}
    client = Client(foreign, project_dir=str(tmp_path))
    answer = client.http.post("/v1/foreign", headers=headers, body=BYTES)
    assert (answer.status_code, answer.body) == (200, BYTES)
    assert answer.headers["Content-Type"] == "application/x-protobuf"
    assert answer.headers["X-Openstack-Request-Id"].startswith("req-")
    failed = client.http.post("/v1/foreign?fail=1", headers=headers, body=BYTES)
    assert (failed.status_code, failed.body) == (503, b"autoscaling.storage.unavailable")
    assert failed.headers["Retry-After"] == "7"


def test_an_answer_without_a_body_or_of_text_is_sent_as_such() -> None:
    empty = response_of_answer(Answer(status=204, content_type="text/plain"), "req-1").to_dict([])
    assert (empty["statusCode"], empty["body"], "isBase64Encoded" in empty) == (204, "", False)
    said = Answer(status=200, body=b'{"a": 1}', content_type="application/json; charset=utf-8")
    text = response_of_answer(said, "req-1").to_dict([])
    assert (text["body"], "isBase64Encoded" in text) == ('{"a": 1}', False)
