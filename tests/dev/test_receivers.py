"""Who waits for messages on one machine: several at once, until told to stop or until something breaks."""

from __future__ import annotations

import threading
from typing import Any

import boto3
import pytest

from dev.aws import LocalAws
from dev.receivers import take_messages

WAIT_SECONDS = 30


@pytest.fixture
def url(local_aws: LocalAws) -> str:
    return str(boto3.client("sqs").create_queue(QueueName="receivers")["QueueUrl"])


def send(url: str, *bodies: str) -> None:
    for body in bodies:
        boto3.client("sqs").send_message(QueueUrl=url, MessageBody=body)


def left(url: str) -> int:
    """How many messages wait, or are being worked on."""
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    sqs: Any = boto3.client("sqs")
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(told[name]) for name in names)


def test_messages_are_worked_on_at_once_and_what_is_done_is_deleted(url: str) -> None:
    send(url, "a", "b")
    both_have_begun, stopping = threading.Barrier(2), threading.Event()

    def handle(_message: Any) -> bool:
        both_have_begun.wait(WAIT_SECONDS)
        stopping.set()
        return True

    take_messages(url, handle, stopping)
    assert left(url) == 0


def test_what_is_not_done_stays(url: str) -> None:
    send(url, "a")
    stopping = threading.Event()

    def handle(_message: Any) -> bool:
        stopping.set()
        return False

    take_messages(url, handle, stopping)
    assert left(url) == 1
    boto3.client("sqs").purge_queue(QueueUrl=url)


def test_when_one_receiver_breaks_all_stop_and_it_is_known(url: str) -> None:
    send(url, "a")
    stopping = threading.Event()

    def handle(_message: Any) -> bool:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        take_messages(url, handle, stopping)
    assert stopping.is_set()
