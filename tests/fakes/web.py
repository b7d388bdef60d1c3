"""The web and Amazon's signatures, as tests want them."""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.core.errors import ThermostatError
from chalicelib.core.sns import SnsMessage


@dataclass
class FakeWeb:
    """Has the pages that a test puts there, and remembers what was asked for."""

    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    outage: ThermostatError | None = None

    def get(self, url: str) -> bytes:
        self.asked.append(url)
        if self.outage is not None:
            raise self.outage
        return self.pages[url]


@dataclass
class FakeSns:
    """Takes every message for genuine, until a test says otherwise."""

    refusal: ThermostatError | None = None

    def require_genuine(self, message: SnsMessage) -> None:
        if self.refusal is not None:
            raise self.refusal
