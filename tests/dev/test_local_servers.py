from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

from dev.aws import LocalAws
from dev.dynoxide import Dynoxide
from dev.local_server import LocalServer
from tests.engines import needs_dynoxide


def client(server: LocalServer, service: Any) -> Any:
    """Return a client of a service there, whatever the environment says."""
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def make_table(server: LocalServer) -> None:
    client(server, "dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_a_clean_stop_of_ministack_keeps_tables_keys_and_queues(tmp_path: Path) -> None:
    with LocalAws(state_dir=tmp_path / "state") as aws:
        make_table(aws)
        client(aws, "dynamodb").put_item(TableName="table", Item={"id": {"S": "a"}, "n": {"N": "1"}})
        key = client(aws, "kms").create_key()["KeyMetadata"]["KeyId"]
        sealed = client(aws, "kms").encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
        url = client(aws, "sqs").create_queue(QueueName="q")["QueueUrl"]
        client(aws, "sqs").send_message(QueueUrl=url, MessageBody="waiting")
        port = aws.port
    with LocalAws(port, tmp_path / "state") as aws:
        found = client(aws, "dynamodb").get_item(TableName="table", Key={"id": {"S": "a"}})["Item"]
        assert found == {"id": {"S": "a"}, "n": {"N": "1"}}
        assert client(aws, "kms").decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
        (message,) = client(aws, "sqs").receive_message(QueueUrl=url)["Messages"]
        assert message["Body"] == "waiting"


@needs_dynoxide
def test_what_dynoxide_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    engine = Dynoxide(database=tmp_path / "tables.db")
    engine.start()
    make_table(engine)
    for number in range(50):
        client(engine, "dynamodb").put_item(TableName="table", Item={"id": {"S": str(number)}})
    engine.kill()
    with engine:
        assert client(engine, "dynamodb").scan(TableName="table", Select="COUNT")["Count"] == 50


def test_a_port_that_is_taken_is_reported() -> None:
    with LocalAws() as aws, pytest.raises(RuntimeError, match=str(aws.port)):
        LocalAws(aws.port).start()


class Littering(LocalServer):
    """A server that leaves a temporary directory behind."""

    name = "littering"
    health = "/"

    def command(self) -> Sequence[str]:
        """Return what starts it."""
        serve = "from http.server import test, SimpleHTTPRequestHandler as Files"
        litter = "import tempfile; tempfile.mkdtemp()"
        return [sys.executable, "-c", f"{litter}; {serve}; test(Files, port={self.port}, bind='127.0.0.1')"]


@pytest.mark.parametrize("end", [Littering.stop, Littering.kill])
def test_what_it_leaves_among_temporary_files_goes_with_it(
    end: Callable[[Littering], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server = Littering()
    server.start()
    (scratch,) = tmp_path.iterdir()
    assert len(list(scratch.iterdir())) == 1
    end(server)
    assert not list(tmp_path.iterdir())
