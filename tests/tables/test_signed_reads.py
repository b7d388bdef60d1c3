from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.session import Session

from chalicelib.tables.database import Database
from chalicelib.tables.signed_reads import Answer, SignedReads, all_by_botocore
from tests.at_once import at_once
from tests.tables.scripted import Scripted, answer, scripted
from tests.tables.storage import Storage
from tests.tls import loopback_certificate

QUERY = {"TableName": "shelves", "KeyConditionExpression": "k = :k"}
EMPTY = answer(b'{"Items": [], "Count": 0}')


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def session() -> Session:
    found = Session()
    found.set_credentials("access", "dear", "token")
    return found


def reads_of(url: str, clock: Clock | None = None, of: Session | None = None, **config: Any) -> SignedReads:
    of = of or session()
    client = of.create_client("dynamodb", "us-east-1", endpoint_url=url, config=Config(**config))
    return SignedReads(of, client, clock or Clock())


def test_an_answer_is_what_botocore_makes_of_it(database: Database, dynamodb: Storage) -> None:
    """Every type that a row may have, numbers and bytes as they are, and pages that go on."""
    client: Any = database.connection.client
    table = f"{database._prefix}folds"
    key = {"series_key": {"S": dynamodb.project}, "place": {"S": "p#1"}}
    values = {
        "b": {"B": b"\x00\xff"},
        "n": {"N": "1.5"},
        "yes": {"BOOL": True},
        "nothing": {"NULL": True},
        "words": {"SS": ["a", "ü"]},
        "numbers": {"NS": ["1", "2"]},
        "more": {"BS": [b"\x01"]},
        "list": {"L": [{"S": "a"}, {"M": {"deep": {"B": b"\x02"}}}]},
    }
    for place in ("p#1", "p#2", "p#3"):
        client.put_item(TableName=table, Item={**key, **values, "place": {"S": place}})
    query: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "series_key = :k",
        "ExpressionAttributeValues": {":k": {"S": dynamodb.project}},
        "Limit": 2,
    }
    missing = {**key, "place": {"S": "none"}}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("Query", query),
        ("Query", {**query, "ScanIndexForward": False, "ConsistentRead": True}),
        ("Query", {**query, "ExclusiveStartKey": {**key, "place": {"S": "p#2"}}}),
        ("GetItem", {"TableName": table, "Key": key}),
        ("GetItem", {"TableName": table, "Key": missing}),
    ]
    reads = database.connection._reads
    for operation, request in asked:
        told = client._make_api_call(operation, request)
        told.pop("ResponseMetadata")
        assert reads.read(operation, request) == told


def test_a_request_is_signed_and_a_connection_kept(server: Scripted) -> None:
    server.script = [EMPTY, EMPTY]
    reads = reads_of(server.url)
    for _ in range(2):
        assert reads.read("Query", QUERY) == {"Items": [], "Count": 0}
    assert server.connections == 1
    headers, body = server.requests[0]
    assert body == b'{"TableName":"shelves","KeyConditionExpression":"k = :k"}'
    assert headers["x-amz-target"] == "DynamoDB_20120810.Query"
    assert headers["x-amz-security-token"] == "token"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=access/")
    assert "dear" not in str(headers)


TROUBLES = {
    "throttled": answer(b'{"__type": "ThrottlingException"}', status="400 Bad Request"),
    "broken": answer(b"{}", status="500 Internal Server Error"),
    "elsewhere": answer(b"", status="301 Moved Permanently", location="http://127.0.0.1:1/"),
    "changed on its way": answer(b"{}", x_amz_crc32="1"),
    "negative length": answer(b"{}", content_length="-1"),
    "too short": answer(b"{}", content_length="3", connection="close"),
    "no JSON": answer(b"<html>"),
    "another shape": answer(b'{"Items": {}}'),
    "no HTTP": b"SSH-2.0-OpenSSH\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100,
    "a line without end": b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000,
    "no header": b"HTTP/1.1 200 OK\r\nwhat\r\n\r\n",
    "silence": b"",
}


@pytest.mark.parametrize("said", TROUBLES.values(), ids=TROUBLES)
def test_all_trouble_is_botocores_for_a_while(
    server: Scripted, clock: Clock, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [EMPTY, said, EMPTY]
    reads = reads_of(server.url, clock)
    assert reads.read("Query", QUERY) is not None
    with caplog.at_level(logging.WARNING, "chalicelib"):
        assert reads.read("Query", QUERY) is None
    assert "botocore" in caplog.text
    clock.now += 9.9
    assert reads.read("Query", QUERY) is None
    assert len(server.requests) == 2
    clock.now += 0.2
    assert reads.read("Query", QUERY) == {"Items": [], "Count": 0}


def test_nobody_there_is_botocores(clock: Clock) -> None:
    assert reads_of("http://127.0.0.1:1", clock).read("Query", QUERY) is None


@pytest.mark.parametrize("said", [EMPTY, answer(b'{"Count": 0}', connection="close")])
def test_a_connection_that_ended_meanwhile_is_no_trouble(server: Scripted, said: bytes) -> None:
    """Each of them ends after one answer: told, or while the function was frozen."""
    reads = reads_of(server.url)
    for _ in range(3):
        server.script = [said]
        assert reads.read("Query", QUERY) is not None
        if said is EMPTY:
            _end_of(reads)
    assert server.connections == 3


def _end_of(reads: SignedReads) -> None:
    """Have the server end the connection that is kept, by a request that it has no answer to."""
    [wire] = reads._idle
    wire._http.sock.sendall(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
    while wire.is_reusable():
        pass


def test_where_there_is_a_proxy_all_is_botocores(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reads_of(server.url, proxies={"http": "http://127.0.0.1:1"}).read("Query", QUERY) is None
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    assert reads_of(server.url).read("Query", QUERY) is None
    assert server.requests == []


def test_without_credentials_all_is_botocores(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert reads_of(server.url, of=Session()).read("Query", QUERY) is None
    assert server.requests == []


def test_keys_that_end_are_replaced_in_time(server: Scripted) -> None:
    made = iter(range(9))

    def fresh() -> dict[str, str]:
        name = f"access-{next(made)}"
        return {
            "access_key": name,
            "secret_key": "dear",
            "token": "token",
            "expiry_time": "2000-01-01T00:00:00Z" if name == "access-0" else "2999-01-01T00:00:00Z",
        }

    of: Any = Session()
    of._credentials = RefreshableCredentials.create_from_metadata(fresh(), fresh, "test")
    server.script = [EMPTY, EMPTY]
    reads = reads_of(server.url, of=of)
    for _ in range(2):
        assert reads.read("Query", QUERY) is not None
    assert ["access-1" in headers["authorization"] for headers, _ in server.requests] == [True, True]


def test_who_watches_botocore_sees_every_read(server: Scripted) -> None:
    reads = reads_of(server.url)
    with all_by_botocore():
        assert reads.read("Query", QUERY) is None
    server.script = [EMPTY]
    assert reads.read("Query", QUERY) is not None


def test_threads_do_not_get_each_others_answers(database: Database, dynamodb: Storage) -> None:
    client: Any = database.connection.client
    table = f"{database._prefix}folds"
    reads = database.connection._reads
    keys = [{"series_key": {"S": dynamodb.project}, "place": {"S": f"p#{n}"}} for n in range(8)]
    for key in keys:
        client.put_item(TableName=table, Item=key)

    def own(number: int) -> list[Answer | None]:
        return [reads.read("GetItem", {"TableName": table, "Key": keys[number]}) for _ in range(30)]

    assert at_once(8, own) == [[{"Item": key}] * 30 for key in keys]


def test_over_tls_only_who_is_trusted_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = loopback_certificate(tmp_path)
    with scripted(certificate) as server:
        server.script = [EMPTY]
        assert reads_of(server.url).read("Query", QUERY) is None
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        assert server.requests == []
        assert reads_of(server.url).read("Query", QUERY) is not None


def test_connections_are_closed_with_what_keeps_them(server: Scripted) -> None:
    server.script = [EMPTY]
    reads = reads_of(server.url)
    reads.read("Query", QUERY)
    [wire] = reads._idle
    del reads
    gc.collect()
    assert wire._http.sock is None
