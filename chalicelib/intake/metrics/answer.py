"""What a sender of metrics is answered, in the words of its own protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer.

    Attributes:
        body: empty where the protocol has none.
        headers: beside Content-Type.
    """

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
