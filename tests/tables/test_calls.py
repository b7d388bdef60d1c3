"""What no engine on one machine shows: transactions in the way, throttling, no answer at all."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from pynamodb.exceptions import (
    CancellationReason,
    PutError,
    QueryError,
    TransactWriteError,
    UpdateError,
    VerboseClientError,
)

from chalicelib.core.errors import Unavailable
from chalicelib.core.ids import ProjectId
from chalicelib.tables.calls import Refused, perform
from chalicelib.tables.database import Database
from chalicelib.tables.usage import UsageTable
from tests.core.factories import a_credential
from tests.tables.storage import QUOTA, in_dynamodb


def client_error(code: str, *reasons: str | None) -> VerboseClientError:
    return VerboseClientError(
        {"Error": {"Code": code}},
        "Operation",
        cancellation_reasons=[CancellationReason(code=each) if each else None for each in reasons],
    )


def cancelled(*reasons: str | None) -> TransactWriteError:
    return TransactWriteError("cancelled", client_error("TransactionCanceledException", *reasons))


@pytest.mark.parametrize(
    "conflict",
    [
        cancelled(None, "TransactionConflict"),
        UpdateError("in the way", client_error("TransactionConflictException")),
    ],
)
def test_a_write_that_met_another_is_tried_again(conflict: Exception) -> None:
    answers = [conflict, conflict, "done"]

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert perform(call) == "done"


def test_a_write_that_always_meets_another_is_given_up() -> None:
    tries = []

    def call() -> NoReturn:
        tries.append(1)
        raise cancelled("TransactionConflict")

    with pytest.raises(Unavailable) as given_up:
        perform(call)
    assert given_up.value.retry_after_seconds == 1
    assert len(tries) == 6


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (cancelled("ConditionalCheckFailed", "TransactionConflict"), TransactWriteError),
        (cancelled("ThrottlingError"), Unavailable),
        (PutError("slow", client_error("ProvisionedThroughputExceededException")), Unavailable),
        (PutError("unprocessed"), Unavailable),
        (QueryError("no answer", ReadTimeoutError(endpoint_url="http://127.0.0.1/")), Unavailable),
        (QueryError("nobody there", EndpointConnectionError(endpoint_url="http://127.0.0.1/")), Unavailable),
        (UpdateError("refused", client_error("ConditionalCheckFailedException")), Refused),
        (UpdateError("ours", client_error("ValidationException")), UpdateError),
    ],
)
def test_what_is_not_tried_again(error: Exception, becomes: type[Exception]) -> None:
    tries = []

    def call() -> NoReturn:
        tries.append(1)
        raise error

    with pytest.raises(becomes):
        perform(call)
    assert len(tries) == 1


def test_a_commit_that_is_tried_again_is_not_refused_for_what_it_did_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB says so of a request that botocore sent again while the first one was still being done."""
    done = database.connection.dispatch
    first: list[str] = []

    def dispatch(operation: str, request: dict[str, Any]) -> Any:
        answer = done(operation, request)
        if operation == "TransactWriteItems" and not first:
            first.append(operation)
            raise TransactWriteError("in progress", client_error("TransactionInProgressException"))
        return answer

    monkeypatch.setattr(database.connection, "dispatch", dispatch)
    storage = in_dynamodb(database)
    new = a_credential(project_id=storage.project)
    assert storage.credentials.create(new, QUOTA) == new
    assert first
    assert storage.usage.of_project(storage.project).credentials == 1


def test_a_database_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        UsageTable(Database("nowhere-", "us-east-1")).of_project(ProjectId("project"))


def test_tables_that_were_never_made_are_not_reachable(local_aws: object) -> None:
    assert not UsageTable(Database("never-made-")).reachable()
