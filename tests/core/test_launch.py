from __future__ import annotations

from typing import Any

import pytest

from tests.core.factories import a_template


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"networks": "auto"},
        {"networks": ({"uuid": "network-1"}, {"uuid": "network-2"})},
        {"scheduler_hints": {"different_host": ["server-9"]}},
        {"block_device_mapping_v2": ({"source_type": "image", "uuid": "image-1"},)},
        {"block_device_mapping_v2": ({"uuid": "image-1"},)},
    ],
)
def test_equal_servers_are_asked_for_together(changes: dict[str, Any]) -> None:
    assert a_template(**changes).together_at_most(50) == 50


@pytest.mark.parametrize(
    "changes",
    [
        {"scheduler_hints": {"group": "server-group-1"}},
        {"networks": ({"port": "port-1"},)},
        {"networks": ({"uuid": "network-1"}, {"uuid": "network-2", "fixed_ip": "10.0.0.5"})},
        {"block_device_mapping_v2": ({"source_type": "blank"}, {"source_type": "volume", "uuid": "v"})},
    ],
)
def test_what_can_belong_to_one_server_only_is_asked_for_one_by_one(changes: dict[str, Any]) -> None:
    assert a_template(**changes).together_at_most(50) == 1
