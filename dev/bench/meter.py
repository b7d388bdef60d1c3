"""Watches what this process asks of AWS: which calls, what they took from DynamoDB, what they answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore
from botocore.session import Session

from chalicelib.tables.signed_reads import all_by_botocore

_COSTED = frozenset({"GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"})
_COSTED |= {"BatchGetItem", "BatchWriteItem", "TransactWriteItems", "TransactGetItems"}


@dataclass(slots=True)
class AwsCall:
    """One call: a request, unless botocore had to send it again."""

    service: str
    operation: str
    parameters: dict[str, Any]
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> float:
        """The read and write units that DynamoDB says it took."""
        told = self.answer.get("ConsumedCapacity", [])
        return float(sum(each["CapacityUnits"] for each in (told if isinstance(told, list) else [told])))


@dataclass(slots=True)
class Seen:
    """The calls of one piece of work, in their order."""

    calls: list[AwsCall] = field(default_factory=list)

    def of(self, service: str) -> list[AwsCall]:
        """Return the calls of one service."""
        return [call for call in self.calls if call.service == service]

    def __str__(self) -> str:
        asked = self.of("dynamodb")
        names = Counter(call.operation for call in asked)
        listed = ", ".join(f"{count} {name}" for name, count in names.items())
        return f"{len(asked)} ({listed}), {sum(call.units for call in asked):g} units"


class Meter:
    """Sees the calls of every botocore client that is made after it, also of those inside libraries."""

    def __init__(self) -> None:
        self._seen: Seen | None = None
        botocore.register_initializer(self._watch)

    @contextmanager
    def watching(self) -> Iterator[Seen]:
        """Yield what is called until the end of the block; DynamoDB is asked what each call costs.

        Reads that are otherwise signed and sent by ourselves are botocore's meanwhile, as they would be.
        """
        self._seen = seen = Seen()
        try:
            with all_by_botocore():
                yield seen
        finally:
            self._seen = None

    def _watch(self, session: Session) -> None:
        session.register("before-parameter-build", self._begin)
        session.register("after-call", self._end)

    def _begin(self, **event: Any) -> None:
        if self._seen is None:
            return
        model, parameters = event["model"], event["params"]
        service = str(model.service_model.service_name)
        self._seen.calls.append(AwsCall(service, str(model.name), dict(parameters)))
        if service == "dynamodb" and model.name in _COSTED:
            parameters["ReturnConsumedCapacity"] = "TOTAL"

    def _end(self, **event: Any) -> None:
        if self._seen is not None:
            self._seen.calls[-1].answer = event["parsed"]
