"""Who waits for messages of the work queue on this machine, in the place of Lambda's pollers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

_RECEIVERS = 8
"""How many wait for messages in each process."""

_AT_ONCE = 4
"""How many messages a process works on at once, for which Lambda would take as many instances. More threads
only take each other's time, where a round waits little for the cloud."""

_STAND_IN_LOOKS_EACH_SECONDS = 0.1
"""So often the stand-in of SQS looks for a message, for each that waits; SQS itself is not known to pause."""

_LONG_POLL_SECONDS = 5


def take_messages(url: str, handle: Callable[[Any], bool], stopping: threading.Event) -> None:
    """Hand each message of the queue to ``handle`` until told to stop, or until one of the receivers fails.

    Args:
        handle: returns whether the message is done; else it comes back after its visibility timeout.
    """
    sqs = boto3.client("sqs")
    places = threading.Semaphore(_AT_ONCE)

    def receive(number: int) -> None:
        try:
            stopping.wait(number * _STAND_IN_LOOKS_EACH_SECONDS / _RECEIVERS)  # so that they look in turn
            while not stopping.is_set():
                for message in _received(sqs, url):
                    with places:
                        done = handle(message)
                    if done:
                        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        finally:
            stopping.set()

    with ThreadPoolExecutor(_RECEIVERS) as receivers:
        for _ in receivers.map(receive, range(_RECEIVERS)):
            pass


def _received(sqs: Any, url: str) -> Sequence[Any]:
    """Return a message, once there is one; none, when none came for a while."""
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=1,
        WaitTimeSeconds=_LONG_POLL_SECONDS,
        MessageSystemAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))
