"""Nova, or Keystone, does not answer for a while: what was asked for meanwhile is there soon afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.end_to_end.conftest import MakeGroup
from tests.end_to_end.site import Party, Site
from tests.end_to_end.test_main_job import hook, outcome, path, reached

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif("OS_CLOUD" in os.environ, reason="a real cloud is taken down by make bench-faults"),
]


@contextmanager
def outage(where: Site, service: str) -> Iterator[None]:
    """Have a service of the simulated cloud drop every connection, until the end of the block."""
    faults = f"{where.service_user['OS_AUTH_URL'].removesuffix('/v3')}/faults"
    fault = {"what": "drop", "service": service, "times": None}
    made = requests.post(faults, json=fault, timeout=10).json()
    try:
        yield
    finally:
        requests.delete(f"{faults}/{made['id']}", timeout=10)


@pytest.mark.parametrize("service", ["nova", "keystone"])
def test_what_is_asked_for_during_an_outage_is_accepted_at_once_and_there_soon_after_it(
    owner: Party, where: Site, make_group: MakeGroup, service: str
) -> None:
    credential = owner.api.post("/v1/credentials", {"name": "new", "type": "trust"})
    with outage(where, service):
        group = make_group(credential=credential, desired_capacity=0)
        assert outcome(hook(owner, group, 20)) == "executed"
        troubled = owner.api.until(path(group), lambda shown: bool(shown["status_reason"]), within_seconds=25)
        assert troubled["status"] == "converging"
        assert outcome(hook(owner, group, 1)) == "executed"
    reached(owner, group, 21)
