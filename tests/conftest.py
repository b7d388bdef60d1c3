"""What tests of several folders share: the AWS APIs on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.aws import LocalAws

DEAR_TO_START = {"end_to_end", "deploy", "senders"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share what is dear to start (the stack, the package) in one process."""
    for item in items:
        if item.path.parent.name in DEAR_TO_START:
            item.add_marker(pytest.mark.xdist_group(item.path.parent.name))


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """One ministack for the whole run, to which this process's AWS clients are led."""
    with LocalAws() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield aws
