"""The work queue in SQS: what is sent, and how a message is read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws import client
from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.ports import Share
from chalicelib.ports.storage import GroupKey

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

_BATCH = 10  # what SQS takes in one request
_LONGEST_DELAY_SECONDS = 900  # what SQS can hold a message back
_ASKED_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvergeWork:
    """Run a round for a group, on behalf of a request."""

    key: GroupKey
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWork:
    """Sweep one shard of the due-time index."""

    shard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchWork:
    """Judge the alarms and metric policies of a share."""

    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeWork:
    """Judge one group now."""

    key: GroupKey


Work = ConvergeWork | SweepWork | WatchWork | JudgeWork


def parse(body: str) -> Work:
    """Return the work that a message asks for.

    Raises:
        Invalid: it is none of ours.
    """
    try:
        match json.loads(body):
            case {
                "kind": "converge",
                "project_id": str(project_id),
                "group_id": str(group_id),
                "request_id": str(request_id),
            }:
                key = GroupKey(project_id=ProjectId(project_id), group_id=GroupId(group_id))
                return ConvergeWork(key=key, request_id=request_id)
            case {"kind": "sweep", "shard": int(shard)} if not isinstance(shard, bool) and shard >= 0:
                return SweepWork(shard=shard)
            case {"kind": "judge", "project_id": str(project_id), "group_id": str(group_id)}:
                return JudgeWork(key=GroupKey(project_id=ProjectId(project_id), group_id=GroupId(group_id)))
            case {
                "kind": "watch",
                "shard": int(shard),
                "after": str() | None as after,
                "until": str() | None as until,
            } if not isinstance(shard, bool) and shard >= 0:
                last = None if until is None else GroupId(until)
                return WatchWork(share=Share(shard=shard, after=after, until=last))
    except (json.JSONDecodeError, RecursionError):
        pass
    raise Invalid("queue.message", "The message is no work that we know.")


class SqsQueue:
    """The queue behind ``url``.

    Args:
        region: None leaves it to the environment.
    """

    def __init__(self, url: str, region: str | None = None) -> None:
        self._url = url
        self._sqs: SQSClient = client("sqs", region)
        self._asked: dict[GroupKey, datetime] = {}

    def converge_soon(self, keys: Sequence[GroupKey], request_id: str, delay_seconds: int = 0) -> None:
        """Ask for a round for each group, after at most 900 s of delay; Unavailable if SQS takes not all."""
        bodies = (
            {
                "kind": "converge",
                "project_id": key.project_id,
                "group_id": key.group_id,
                "request_id": request_id,
            }
            for key in keys
        )
        self._send(bodies, max(0, min(delay_seconds, _LONGEST_DELAY_SECONDS)))

    def sweep_soon(self, shards: Sequence[int]) -> None:
        """Ask for each shard to be swept; Unavailable if SQS takes not all."""
        self._send(({"kind": "sweep", "shard": shard} for shard in shards), 0)

    def watch_soon(self, shares: Sequence[Share]) -> None:
        """Ask for the judging of each share; Unavailable if SQS takes not all."""
        self._send(({"kind": "watch", **asdict(share)} for share in shares), 0)

    def judge_soon(self, key: GroupKey, slot: datetime) -> None:
        """Ask for the judging of one group, once for each ``slot`` in this process; may be Unavailable."""
        if self._asked.get(key) == slot:
            return
        body = {"kind": "judge", "project_id": key.project_id, "group_id": key.group_id}
        self._send([body], 0)
        if len(self._asked) >= _ASKED_MAX:
            self._asked.clear()
        self._asked[key] = slot

    def _send(self, bodies: Iterable[Mapping[str, Any]], delay_seconds: int) -> None:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": json.dumps(body), "DelaySeconds": delay_seconds}
            for number, body in enumerate(bodies)
        ]
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            if self._refused(self._refused(batch)):
                raise _unavailable()

    def _refused(
        self, entries: list[SendMessageBatchRequestEntryTypeDef]
    ) -> list[SendMessageBatchRequestEntryTypeDef]:
        """Send the entries; return those that SQS did not take."""
        if not entries:
            return []
        try:
            answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise _unavailable() from error
        failed = {each["Id"] for each in answer.get("Failed", [])}
        return [entry for entry in entries if entry["Id"] in failed]


def _unavailable() -> Unavailable:
    return Unavailable("queue.unavailable", "The work queue does not answer.", retry_after_seconds=1)
