"""What Heat asks a plug-in for: the resource types, and the custom constraints."""

from __future__ import annotations

from typing import Any

from .constraints import CONSTRAINTS
from .group import Group
from .motion import SETTING_IN_MOTION
from .simple import SIMPLE


def resource_mapping() -> dict[str, Any]:
    """Return the resource types by name."""
    return {**SIMPLE, "Thermostat::Group": Group, **SETTING_IN_MOTION}


def constraint_mapping() -> dict[str, Any]:
    """Return the custom constraints by name."""
    return CONSTRAINTS
