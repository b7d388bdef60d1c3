"""The plain call: no body, ``{}``, or ``{"event_id": "..."}``. It always means: scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.decision import Event


def parse(document: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Event, str | None] | None:
    """Return the event and its id, or None when the document is something else."""
    del headers  # a plain call is named by its body alone
    event_id = document.get("event_id")
    if document.keys() - {"event_id"} or not (event_id is None or isinstance(event_id, str)):
        return None
    return Event(), event_id or None
