"""The plain call: no body, ``{}``, or ``{"event_id": "..."}``. It always means: scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.decision import Event
from chalicelib.core.notification import Notification


def parse(document: Mapping[str, Any], headers: Mapping[str, str]) -> Notification | None:
    """Return what it says, or None when the document is something else."""
    del headers  # a plain call is named by its body alone
    event_id = document.get("event_id")
    if document.keys() - {"event_id"} or not (event_id is None or isinstance(event_id, str)):
        return None
    return Notification(event=Event(), event_id=event_id or None)
