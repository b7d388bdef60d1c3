"""What tests of several folders share: the AWS APIs on this machine, and who runs what."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from dev.aws import LocalAws
from tests.engines import Engines

settings.register_profile("as long as it takes", deadline=None)
settings.load_profile("as long as it takes")

pytest_plugins = ["tests.kept_secrets"]

DEAR_TO_START = ("tests/end_to_end/", "tests/deploy/", "tests/senders/", "tests/races/")


class ByCost(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Tests that share what is dear to start (the stack, the package) go to one process; others anywhere."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in DEAR_TO_START if nodeid.startswith(folder)), nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """See that every test has a name of its own: of those that share one, only one is run by ``-n``.

    schemathesis names its tests by their operations, and pytest leaves that out of their ids.
    """
    for item in items:
        _, bracket, operation = item.name.partition("[")
        if bracket and item.id.params is None:
            item._id = item.id.with_params(operation.removesuffix("]"))
    twice = [id_ for id_, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(f"several tests have this name: {twice[0]}")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByCost:
    """Return the scheduler of ``-n``."""
    return ByCost(config, log)


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """One ministack for the whole run, to which this process's AWS clients are led."""
    with LocalAws() as aws, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)  # one of them may lead to somebody's own store
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield aws


@pytest.fixture(scope="session")
def engines(local_aws: LocalAws) -> Iterator[Engines]:
    """Every DynamoDB that tests run on; of other services there is one."""
    with ExitStack() as started:
        yield Engines(local_aws, started)
