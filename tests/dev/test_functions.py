"""What the functions on one machine log of a request."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chalicelib.api.openapi import document
from chalicelib.api.operation import OPERATIONS
from dev.functions import Handler

TOKEN = "t" * 43
WITH_TOKENS = [path for path in document(OPERATIONS, "http://scale.example")["paths"] if "token}" in path]


@pytest.mark.parametrize("path", WITH_TOKENS)
@pytest.mark.parametrize("rest", ["", "?token=a", "/", "/more"])
def test_no_token_of_a_path_is_logged(
    path: str, rest: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("chalicelib"), "propagate", True)
    asked = path.format(project_id="p", alarm_id="a", token=TOKEN, intake_token=TOKEN)
    handler: Any = object.__new__(Handler)
    with caplog.at_level(logging.INFO, "chalicelib.dev"):
        handler.log_message('"%s" %s -', f"POST {asked}{rest} HTTP/1.1", "202")
    assert TOKEN not in caplog.text
    assert "/***" in caplog.text
    assert " HTTP/1.1" in caplog.text
