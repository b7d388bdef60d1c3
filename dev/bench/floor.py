"""The floors: what the same work needs at least, made by bare clients against the same stand-ins."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import Any

import boto3
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from dev import simulated
from dev.bench.meter import AwsCall, Seen
from dev.simcloud import PASSWORD

_MICROVERSION = "2.79"


class BareDecision:
    """The AWS calls of one decision, made again with nothing around them.

    A decision was watched; its requests are sent again as they were, so reads and writes are as large. For
    that the group's row is put back first, and the execution gets an id of its own.
    """

    def __init__(self, watched: Seen) -> None:
        self._dynamodb: Any = boto3.client("dynamodb")
        self._sqs: Any = boto3.client("sqs")
        *self._reads, self._write = watched.of("dynamodb")
        [self._send] = watched.of("sqs")
        assert {call.operation for call in self._reads} == {"GetItem"}
        assert self._write.operation == "TransactWriteItems"
        self._group = _read_before(self._reads, self._write)

    def prepare(self) -> dict[str, Any]:
        """Put the group's row back; return the transaction for the next ``run``. Not to be timed."""
        table = self._group.parameters["TableName"]
        self._dynamodb.put_item(TableName=table, Item=self._group.answer["Item"])
        items = copy.deepcopy(self._write.parameters["TransactItems"])
        for item in items:
            if "Put" in item:
                item["Put"]["Item"]["id"] = {"S": str(uuid.uuid4())}
        return {"TransactItems": items}

    def run(self, transaction: Mapping[str, Any]) -> None:
        """Make the calls, one after the other."""
        for read in self._reads:
            self._dynamodb.get_item(**read.parameters)
        self._dynamodb.transact_write_items(**transaction)
        self._sqs.send_message_batch(**self._send.parameters)

    def least(self, transaction: Mapping[str, Any]) -> None:
        """Make two of the calls alone: read the group, and write what was decided."""
        self._dynamodb.get_item(**self._group.parameters)
        self._dynamodb.transact_write_items(**transaction)


def _read_before(reads: list[AwsCall], write: AwsCall) -> AwsCall:
    """Return the read of the row that the transaction updates."""
    [update] = [item["Update"] for item in write.parameters["TransactItems"] if "Update" in item]
    [read] = [call for call in reads if call.parameters["TableName"] == update["TableName"]]
    return read


class BareNova:
    """Creates servers with keystoneauth alone; it has its token, and knows where Nova is, beforehand."""

    def __init__(self, auth_url: str) -> None:
        auth = v3.Password(
            auth_url,
            username="demo",
            password=PASSWORD,
            project_name="demo",
            user_domain_name="Default",
            project_domain_name="Default",
        )
        self._nova = Adapter(Session(auth), service_type="compute", default_microversion=_MICROVERSION)
        self._nova.get("/servers")

    def create(self, count: int) -> str:
        """Ask for servers in one request; return their tag."""
        tag = f"bare-{uuid.uuid4()}"
        server = {
            "name": "bare",
            "imageRef": simulated.IMAGE,
            "flavorRef": simulated.FLAVOR,
            "networks": "none",
            "tags": [tag],
            "min_count": count,
            "max_count": count,
        }
        self._nova.post("/servers", json={"server": server})
        return tag
