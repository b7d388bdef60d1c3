"""The payload that Standard Webhooks recommends: ``{"type", "timestamp", "data"}`` around a notification.

Its headers, whatever the payload, are the signature's matter (``core.signature``).

Source:
    Standard Webhooks specification, "Payload structure".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def opened(document: Mapping[str, Any]) -> Any:
    """Return what the payload holds, or None when the document is something else."""
    whole = document.keys() == {"type", "timestamp", "data"}
    texts = isinstance(document.get("type"), str) and isinstance(document.get("timestamp"), str)
    return document["data"] if whole and texts else None
