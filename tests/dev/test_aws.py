from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from dev.aws import LocalAws


def client(aws: LocalAws, service: Any) -> Any:
    """Return a client of a service there, whatever the environment says."""
    return boto3.client(
        service,
        endpoint_url=aws.url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def test_a_clean_stop_keeps_tables_keys_and_queues(tmp_path: Path) -> None:
    with LocalAws(state_dir=tmp_path / "state") as aws:
        client(aws, "dynamodb").create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
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


def test_a_port_that_is_taken_is_reported() -> None:
    with LocalAws() as aws, pytest.raises(RuntimeError, match=str(aws.port)):
        LocalAws(aws.port).start()
