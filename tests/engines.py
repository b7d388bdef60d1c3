"""The DynamoDBs that tests run on: ministack, dynoxide where it was fetched, and any other that is named."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from dev.aws import LocalAws
from dev.dynoxide import Dynoxide

GIVEN_URL = os.environ.get("DYNAMODB_URL", "")
"""Where a DynamoDB is that is not ours to start: whoever has one may hold it to what we need of it."""

ENGINES = (
    "ministack",
    *(["dynoxide"] if Dynoxide.is_here() else []),
    *(["given_store"] if GIVEN_URL else []),
)

needs_dynoxide = pytest.mark.skipif(
    not Dynoxide.is_here(), reason="no dynoxide here; make dynoxide fetches it"
)


class Engines:
    """The engines by their names, each started when it is first asked for.

    Args:
        started: what was started is entered here, and stopped with it.
    """

    def __init__(self, aws: LocalAws, started: ExitStack) -> None:
        self._urls = {"ministack": aws.url, "given_store": GIVEN_URL}
        self._started = started

    def url(self, name: str) -> str:
        """Return where an engine is."""
        if name not in self._urls:
            self._urls[name] = self._started.enter_context(Dynoxide()).url
        return self._urls[name]
