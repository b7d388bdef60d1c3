"""The pools of load balancers that a group's members stand in, as documents."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.documents.common import Input, Uuid, consists_of
from chalicelib.core.ids import PoolId
from chalicelib.core.pool import DRAIN_SECONDS_MAX, POOLS_MAX, Pool, require_possible

Port = Annotated[int, Meta(ge=1, le=65_535, description="On which the members listen.")]
Weight = Annotated[int, Meta(ge=1, le=256, description="Of each member, beside the pool's other members.")]
DrainSeconds = Annotated[
    int,
    Meta(ge=0, le=DRAIN_SECONDS_MAX, description="From the last new connection until a member is taken out."),
]
NetworkName = Annotated[str, consists_of(r"[^\x00-\x1f\x7f]+", min_length=1, max_length=255)]


class NewLoadBalancer(Input, kw_only=True):
    """A pool that every member in service is to stand in."""

    pool_id: Uuid
    protocol_port: Port
    subnet_id: Uuid | None = None
    network: NetworkName | None = None
    weight: Weight = 1
    drain_seconds: DrainSeconds = 60

    def to_pool(self) -> Pool:
        """Return the pool."""
        return Pool(
            id=PoolId(self.pool_id),
            protocol_port=self.protocol_port,
            subnet_id=self.subnet_id,
            network=self.network,
            weight=self.weight,
            drain_seconds=self.drain_seconds,
        )


NewLoadBalancers = Annotated[list[NewLoadBalancer], Meta(max_length=POOLS_MAX)]


class LoadBalancerDocument(msgspec.Struct, kw_only=True):
    """A pool that every member in service stands in."""

    pool_id: str
    protocol_port: int
    subnet_id: str | None
    network: str | None
    weight: int
    drain_seconds: int


def to_pools(given: list[NewLoadBalancer]) -> tuple[Pool, ...]:
    """Return the pools; Invalid where one is named twice."""
    pools = tuple(each.to_pool() for each in given)
    require_possible(pools)
    return pools


def load_balancer_document(pool: Pool) -> LoadBalancerDocument:
    """Return the pool as it is shown."""
    return LoadBalancerDocument(
        pool_id=pool.id,
        protocol_port=pool.protocol_port,
        subnet_id=pool.subnet_id,
        network=pool.network,
        weight=pool.weight,
        drain_seconds=pool.drain_seconds,
    )
