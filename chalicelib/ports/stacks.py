"""What flows need of Heat beside the stacks themselves: whether it would make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chalicelib.core.credential import Credential
    from chalicelib.core.launch import StackTemplate


class CreationDenied(Exception):
    """Heat creates no stack with this credential, and asking again will not help.

    Attributes:
        reason: why, and what is to change.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rehearsals(Protocol):
    """What is found out about stacks before any is wanted."""

    def rehearse(self, credential: Credential, template: StackTemplate, request_id: str) -> None:
        """Find out whether Heat would make such a stack with this credential, and leave nothing behind.

        Raises:
            CreationDenied: it makes none with this credential.
            CloudRefused: it makes none from this template.
            CredentialBroken, CloudUnavailable: that could not be found out.
        """
