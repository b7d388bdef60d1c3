"""What tests of several folders share: the AWS APIs on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.aws import LocalAws


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """One ministack for the whole run, to which this process's AWS clients are led."""
    with LocalAws() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield aws
