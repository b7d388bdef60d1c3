"""The API in this process, over services in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from chalice.test import Client

from app import app
from chalicelib import wiring
from chalicelib.api import openapi
from chalicelib.api.operation import OPERATIONS
from chalicelib.logs import JsonFormatter
from chalicelib.settings import ServiceUserSettings, Settings
from tests.api.caller import Api, Estate
from tests.api.contract import Contract
from tests.world import LIMITS, World

SETTINGS = Settings(
    stage="test",
    table_prefix="test-",
    queue_url="http://queue.invalid",
    kms_key="alias/test",
    public_url=None,
    region="eu-central-1",
    service_user=ServiceUserSettings(auth_url="http://keystone.invalid/v3"),
    limits=LIMITS,
    history_days=1,
    log_level="DEBUG",
)


@pytest.fixture(scope="session")
def contract() -> Contract:
    """What the OpenAPI document promises."""
    return Contract(openapi.document(OPERATIONS, "http://scale.example"))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A service in memory, which the API is led to."""
    world = World()
    monkeypatch.setattr(wiring, "services", lambda: world.services)
    monkeypatch.setattr(wiring, "settings", lambda: SETTINGS)
    return world


@pytest.fixture
def api(
    world: World,
    contract: Contract,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Api]:
    """The API; at the end of every test, no secret may have been logged, at any level."""
    monkeypatch.setattr(logging.getLogger("chalicelib"), "propagate", True)
    monkeypatch.setattr(app.log, "propagate", True)
    for logger in (None, "chalicelib", app.log.name):
        caplog.set_level(logging.DEBUG, logger)
    # Chalice looks for a project's configuration there, and is content with none.
    api = Api(world=world, client=Client(app, project_dir=str(tmp_path)), contract=contract)
    yield api
    api.require_no_secret(caplog.text)
    api.require_no_secret("\n".join(map(JsonFormatter(SETTINGS.stage).format, caplog.records)))


@pytest.fixture
def estate(api: Api) -> Estate:
    """One of everything, in the project of the member, the reader and the admin."""
    return api.estate()
