"""The storage that contract tests run on: the fakes, and the real adapters on a local engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from chalicelib.tables.database import Database
from chalicelib.tables.signed_reads import all_by_botocore
from deploy.provision import provision
from dev.aws import LocalAws
from tests.tables.storage import KEEP_DAYS, Storage, in_dynamodb, in_memory

_other_stages = (f"test{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def database(local_aws: LocalAws) -> Database:
    """The tables that most tests share, each test with a project of its own."""
    return _made("shared")


@pytest.fixture
def dynamodb(database: Database) -> Storage:
    """The real adapters, for what only they can show."""
    return in_dynamodb(database)


@pytest.fixture(params=["fake", "dynamodb", "dynamodb by botocore"])
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """Every implementation of the ports in turn; DynamoDB is read in both ways."""
    if request.param == "fake":
        yield in_memory()
        return
    with all_by_botocore() if request.param == "dynamodb by botocore" else nullcontext():
        yield in_dynamodb(request.getfixturevalue("database"))


@pytest.fixture(params=["fake", "dynamodb"])
def empty_storage(request: pytest.FixtureRequest) -> Storage:
    """The same with one shard and no other test's groups in it."""
    if request.param == "fake":
        return in_memory(shards=1)
    request.getfixturevalue("local_aws")
    return in_dynamodb(_made(next(_other_stages)), shards=1)


def _made(stage: str) -> Database:
    provision(stage)
    return Database(f"thermostat-{stage}-", keep_days=KEEP_DAYS)
