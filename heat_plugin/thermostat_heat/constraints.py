"""Custom constraints: ids in a template that must be of something that exists."""

from __future__ import annotations

from typing import Any

from .errors import Gone
from .fields import Shape
from .service import Service
from .shapes import CREDENTIAL, GROUP, LAUNCH_CONFIGURATION
from .watching import POLICY


class _Exists:
    """Holds an id to what the project has."""

    shape: Shape

    def __init__(self) -> None:
        self._error = ""

    def validate(self, value: Any, context: Any) -> bool:
        """Say whether there is such a thing."""
        try:
            Service(context).get(self.shape.noun, self.shape.path(str(value)))
        except Gone as gone:
            self._error = str(gone)
            return False
        return True

    def error(self, _value: Any) -> str:
        """Say what is wrong."""
        return self._error


class GroupConstraint(_Exists):
    """The id of a group."""

    shape = GROUP


class LaunchConfigurationConstraint(_Exists):
    """The id of a launch configuration."""

    shape = LAUNCH_CONFIGURATION


class CredentialConstraint(_Exists):
    """The id of a credential."""

    shape = CREDENTIAL


class PolicyConstraint(_Exists):
    """The id of a policy."""

    shape = POLICY


CONSTRAINTS = {
    "thermostat.group": GroupConstraint,
    "thermostat.launch_configuration": LaunchConfigurationConstraint,
    "thermostat.credential": CredentialConstraint,
    "thermostat.policy": PolicyConstraint,
}
