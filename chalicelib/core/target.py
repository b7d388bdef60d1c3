"""What a round of convergence works towards, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.core.group import RemovalOrder
from chalicelib.core.ids import LaunchConfigurationId
from chalicelib.core.member import Patience
from chalicelib.core.pool import GroupPools
from chalicelib.core.rolling import Rolling


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a round works towards, and within which limits.

    Attributes:
        steps_max: at most so many servers are created, and at most so many deleted, in one round.
        may_create: False while the group is in trouble.
        may_retry: False while it is too soon to delete again what could not be deleted.
        may_act: False while the group is frozen: then only what is seen is written down.
        spares_protected: False when the whole group goes, protected members and all.
        pools: where its members are to stand and where no more; None when it never had any.
        rolling: how members are replaced while a refresh runs.
    """

    capacity: int
    launch_configuration_id: LaunchConfigurationId
    removal_order: RemovalOrder
    availability_zones: tuple[str, ...]
    patience: Patience
    steps_max: int
    may_create: bool = True
    may_retry: bool = True
    may_act: bool = True
    spares_protected: bool = True
    pools: GroupPools | None = None
    rolling: Rolling | None = None
