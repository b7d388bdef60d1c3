"""Who waits for messages of the work queue on this machine, in the place of Lambda's pollers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

_RECEIVERS = 8
"""How many wait in each process. It works on as many messages at once; Lambda would take more instances."""

_STAND_IN_LOOKS_EACH_SECONDS = 0.1
"""So often the stand-in of SQS looks for a message, for each that waits; SQS itself is not known to pause."""

_LONG_POLL_SECONDS = 5


def take_messages(url: str, handle: Callable[[Any], bool], stopping: threading.Event) -> None:
    """Hand each message of the queue to ``handle`` until told to stop, or until one of the receivers fails.

    Args:
        handle: returns whether the message is done; else it comes back after its visibility timeout.
    """
    sqs = boto3.client("sqs")

    def receive(number: int) -> None:
        try:
            stopping.wait(number * _STAND_IN_LOOKS_EACH_SECONDS / _RECEIVERS)  # so that they look in turn
            while not stopping.is_set():
                _take_one(sqs, url, handle)
        finally:
            stopping.set()

    with ThreadPoolExecutor(_RECEIVERS) as receivers:
        for _ in receivers.map(receive, range(_RECEIVERS)):
            pass


def _take_one(sqs: Any, url: str, handle: Callable[[Any], bool]) -> None:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=1,
        WaitTimeSeconds=_LONG_POLL_SECONDS,
        MessageSystemAttributeNames=["All"],
    )
    for message in answer.get("Messages", []):
        if handle(message):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
