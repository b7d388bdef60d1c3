"""The DynamoDBs that tests run on: ministack, dynoxide where it was fetched, and any other that is named."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from dev.aws import LocalAws
from dev.dynoxide import Dynoxide

GIVEN_URL = os.environ.get("DYNAMODB_URL", "")
"""Where a DynamoDB is that is not ours to start: whoever has one may hold it to what we need of it."""

ENGINES = ("ministack", "dynoxide", *(["given_store"] if GIVEN_URL else []))

_NO_DYNOXIDE = "no dynoxide here; make dynoxide fetches it"

needs_dynoxide = pytest.mark.skipif(not Dynoxide.is_here(), reason=_NO_DYNOXIDE)


class Engines:
    """The engines by their names, each started when it is first asked for.

    Args:
        started: what was started is entered here, and stopped with it.
    """

    def __init__(self, aws: LocalAws, started: ExitStack) -> None:
        self._urls = {"ministack": aws.url, "given_store": GIVEN_URL}
        self._started = started

    def url(self, name: str) -> str:
        """Return where an engine is; the test is skipped where it is not to be had."""
        if name not in self._urls:
            if not Dynoxide.is_here():
                pytest.skip(_NO_DYNOXIDE)
            self._urls[name] = self._started.enter_context(Dynoxide()).url
        return self._urls[name]
