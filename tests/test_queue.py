from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.ports.storage import GroupKey
from chalicelib.queue import ConvergeWork, SqsQueue, SweepWork, Work, parse
from deploy.provision import provision
from dev.aws import LocalAws

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def keys(count: int) -> list[GroupKey]:
    return [GroupKey(project_id=ProjectId("p"), group_id=GroupId(f"g{n}")) for n in range(count)]


@pytest.fixture(scope="module")
def made_url(local_aws: LocalAws) -> str:
    """The URL of a queue."""
    provision("queue")
    return boto3.client("sqs").get_queue_url(QueueName="thermostat-queue-work")["QueueUrl"]


@pytest.fixture
def url(made_url: str) -> str:
    """The URL of a queue that is empty."""
    boto3.client("sqs").purge_queue(QueueUrl=made_url)
    return made_url


def received(url: str) -> Iterable[Work]:
    """Yield everything that waits in the queue."""
    sqs: SQSClient = boto3.client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        yield from (parse(message["Body"]) for message in messages)


def test_every_group_gets_its_message(url: str) -> None:
    SqsQueue(url).converge_soon(keys(23), "req-1")
    assert set(received(url)) == {ConvergeWork(key=key, request_id="req-1") for key in keys(23)}


def test_a_delayed_message_does_not_come_yet(url: str) -> None:
    SqsQueue(url).converge_soon(keys(1), "req-1", delay_seconds=5000)
    assert list(received(url)) == []


def test_every_shard_gets_its_message(url: str) -> None:
    SqsQueue(url).sweep_soon(range(8))
    assert set(received(url)) == {SweepWork(shard=shard) for shard in range(8)}


def test_nothing_to_send_is_no_request() -> None:
    SqsQueue("http://127.0.0.1:9/nowhere", "us-east-1").sweep_soon([])


def a_stubbed_queue(*answers: Sequence[str]) -> tuple[SqsQueue, Stubber]:
    """Return a queue whose requests, one for each answer, leave the messages of these ids behind."""
    queue = SqsQueue("http://127.0.0.1:9/queue", "us-east-1")
    stubber = Stubber(queue._sqs)
    for failed in answers:
        entries: list[dict[str, Any]] = [{"Id": id_, "SenderFault": False, "Code": "x"} for id_ in failed]
        expected = {"QueueUrl": ANY, "Entries": ANY}
        stubber.add_response("send_message_batch", {"Successful": [], "Failed": entries}, expected)
    stubber.activate()
    return queue, stubber


def test_what_was_left_behind_is_sent_once_more() -> None:
    queue, stubber = a_stubbed_queue(["1"], [])
    queue.sweep_soon([0, 1])
    stubber.assert_no_pending_responses()


def test_what_is_left_behind_twice_is_reported() -> None:
    queue, _ = a_stubbed_queue(["0", "1"], ["1"])
    with pytest.raises(Unavailable):
        queue.sweep_soon([0, 1])


def test_a_queue_that_does_not_exist_is_unavailable(local_aws: LocalAws) -> None:
    with pytest.raises(Unavailable):
        SqsQueue(f"{local_aws.url}/000000000000/none").sweep_soon([0])


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{",
        "{}",
        '{"kind": "sweep"}',
        '{"kind": "sweep", "shard": true}',
        '{"kind": "sweep", "shard": -1}',
        '{"kind": "sweep", "shard": "1"}',
        '{"kind": "converge", "project_id": "p", "group_id": 1, "request_id": "r"}',
        '{"kind": "converge", "project_id": "p", "group_id": "g"}',
        '{"kind": "other"}',
        "[" * 100_000,
    ],
)
def test_a_malformed_message_is_refused(body: str) -> None:
    with pytest.raises(Invalid):
        parse(body)
