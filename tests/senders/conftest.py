"""The API over HTTP, for senders that know nothing of tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chalice.test import Client

from app import app
from chalicelib import wiring
from chalicelib.api import openapi
from chalicelib.api.operation import OPERATIONS
from tests.api.caller import Api
from tests.api.conftest import SETTINGS
from tests.api.contract import Contract
from tests.senders.served import Served
from tests.world import World


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Served]:
    """A group of 3 within 1 to 5, and a webhook of a policy that adds one."""
    world = World()
    monkeypatch.setattr(wiring, "services", lambda: world.services)
    monkeypatch.setattr(wiring, "settings", lambda: SETTINGS)
    contract = Contract(openapi.document(OPERATIONS, "http://scale.example"))
    api = Api(world=world, client=Client(app, project_dir=str(tmp_path)), contract=contract)
    served = Served(world=world, estate=api.estate())
    yield served
    served.close()
