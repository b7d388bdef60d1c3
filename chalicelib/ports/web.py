"""What flows need of the web at large: documents at URLs that others gave us, and Amazon's signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chalicelib.core.sns import SnsMessage


class Web(Protocol):
    """The public web, and nothing of the networks that this service stands in."""

    def get(self, url: str) -> bytes:
        """Return what is at an https URL.

        Raises:
            Forbidden: the URL leads elsewhere than to the public web.
            Unavailable: there is no answer, or none that is a plain 200 of moderate size.
        """


class SnsSignatures(Protocol):
    """The signatures of Amazon SNS."""

    def require_genuine(self, message: SnsMessage) -> None:
        """Let a message pass that Amazon signed.

        Raises:
            Forbidden: it did not, or not with a certificate of its own.
            Unavailable: the certificate cannot be had now.
        """
