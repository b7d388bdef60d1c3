"""The storage that contract tests run on: the fakes, and the real adapters on each engine."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from chalicelib.tables.database import Database
from chalicelib.tables.signed_reads import all_by_botocore
from deploy.provision import provision
from tests.engines import ENGINES, Engines
from tests.tables.storage import KEEP_DAYS, Storage, in_dynamodb, in_memory

_BY_BOTOCORE = f"{ENGINES[0]} by botocore"


class Databases:
    """The tables on each engine, made when they are first asked for."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._shared: dict[str, Database] = {}

    def shared(self, engine: str, patch: pytest.MonkeyPatch) -> Database:
        """Return the tables that most tests share, each test with a project of its own."""
        self._lead(engine, patch)
        if engine not in self._shared:
            self._shared[engine] = _made("shared")
        return self._shared[engine]

    def empty(self, engine: str, patch: pytest.MonkeyPatch) -> Database:
        """Return tables with no other test's groups in them."""
        self._lead(engine, patch)
        return _made(f"test-{uuid.uuid4()}")

    def _lead(self, engine: str, patch: pytest.MonkeyPatch) -> None:
        """Have the test's own clients of DynamoDB, too, find this engine."""
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", self._engines.url(engine))


@pytest.fixture(scope="session")
def databases(engines: Engines) -> Databases:
    return Databases(engines)


@pytest.fixture(params=ENGINES)
def database(
    request: pytest.FixtureRequest, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """The shared tables on every engine in turn."""
    return databases.shared(request.param, monkeypatch)


@pytest.fixture
def dynamodb(database: Database) -> Storage:
    """The real adapters, for what only they can show."""
    return in_dynamodb(database)


@pytest.fixture(params=["fake", *ENGINES, _BY_BOTOCORE])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """Every implementation of the ports in turn; one DynamoDB is read in both ways."""
    if request.param == "fake":
        yield in_memory()
        return
    engine = ENGINES[0] if request.param == _BY_BOTOCORE else request.param
    database = request.getfixturevalue("databases").shared(engine, monkeypatch)
    with all_by_botocore() if request.param == _BY_BOTOCORE else nullcontext():
        yield in_dynamodb(database)


@pytest.fixture(params=["fake", *ENGINES])
def empty_storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """The same with one shard and no other test's groups in it."""
    if request.param == "fake":
        return in_memory(shards=1)
    databases = request.getfixturevalue("databases")
    return in_dynamodb(databases.empty(request.param, monkeypatch), shards=1)


def _made(stage: str) -> Database:
    provision(stage)
    return Database(f"thermostat-{stage}-", keep_days=KEEP_DAYS)
