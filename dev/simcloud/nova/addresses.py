"""The fixed addresses of servers. There is no Neutron: each network that is named exists."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

from dev.simcloud.nova.lifecycle import is_gone
from dev.simcloud.records import Server
from dev.simcloud.world import World

_RANGE = IPv4Network("10.0.0.0/16")


def given(world: World, networks: object, servers: Sequence[Server]) -> list[Server]:
    """Return the new servers with an address on each network asked for; ``none`` asks for no network."""
    names = _names(networks)
    free = _free(world)
    return [replace(server, addresses={name: [_address(next(free))] for name in names}) for server in servers]


def _names(networks: object) -> list[str]:
    """Return the networks' names: ``net-`` and the first digits of the id."""
    if networks == "auto":
        return ["private"]
    if not isinstance(networks, list):
        return []
    ids = (str(network.get("uuid") or network.get("port") or "") for network in networks)
    return list(dict.fromkeys(f"net-{id_[:8]}" for id_ in ids))


def _free(world: World) -> Iterator[str]:
    """Yield the addresses that no server has, the lowest first, so that one given back is soon used again."""
    now = world.now()
    used = {
        address["addr"]
        for server in world.servers.values()
        if not is_gone(server, now)
        for address in itertools.chain.from_iterable(server.addresses.values())
    }
    # The first ones are the router's and the DHCP server's.
    hosts = itertools.islice(_RANGE.hosts(), 9, None)
    return (str(host) for host in hosts if str(host) not in used)


def _address(address: str) -> dict[str, Any]:
    mac = ":".join(f"{int(part):02x}" for part in address.split("."))
    return {
        "addr": address,
        "version": 4,
        "OS-EXT-IPS:type": "fixed",
        "OS-EXT-IPS-MAC:mac_addr": f"fa:16:{mac}",
    }
