"""What flows need of Heat: the stacks of one project, looked at, resized and signalled, never made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.core.credential import Credential
    from chalicelib.core.heat import HeatScene, HeatTarget, Stack
    from chalicelib.core.heat_template import ResourceFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class StackView:
    """A whole stack, as far as it is needed to see which groups it has.

    Attributes:
        template: Heat's document of the template, in HOT or as CloudFormation writes it.
        groups: what is seen of each resource that may be a group, by its name.
        deeper: the names of such resources inside nested stacks.
    """

    stack: Stack
    template: Mapping[str, Any]
    groups: Mapping[str, ResourceFacts]
    deeper: tuple[str, ...] = ()


class Stacks(Protocol):
    """The stacks of one project, entered with its owner's credential.

    Every call may raise CredentialBroken, CloudUnavailable or CloudRefused.
    """

    def view(self, name_or_id: str) -> StackView | None:
        """Return all there is to know about a stack, None when there is none."""

    def scene(self, target: HeatTarget) -> HeatScene | None:
        """Return what a round sees, with the members' servers in Nova; None when stack or group are gone."""

    def patch(self, target: HeatTarget, parameter: str, value: int) -> None:
        """Update the stack by this one parameter; all else stays as it is. Heat answers before it begins."""

    def signal(self, target: HeatTarget, policy: str) -> None:
        """Signal a policy of the stack. That Heat answers does not mean that it does anything."""


class Orchestration(Protocol):
    """The way into Heat for a credential."""

    def enter(self, credential: Credential, request_id: str) -> Stacks:
        """Return the credential's stacks; may raise as every call of Stacks does."""
