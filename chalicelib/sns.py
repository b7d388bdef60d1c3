"""Verifies Amazon SNS's signatures with the certificates that Amazon publishes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.core.sns import SnsMessage, is_certificate
from chalicelib.ports.web import Web

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_KEYS_MAX = 32
"""SNS has one certificate a region, for about a year."""


class SnsCertificates:
    """``ports.web.SnsSignatures``; a certificate that was fetched is kept as long as the process lives.

    ``cryptography`` takes 90 ms to import, so only requests that need it do.
    """

    def __init__(self, web: Web) -> None:
        self._web = web
        self._keys: OrderedDict[str, RSAPublicKey] = OrderedDict()
        self._lock = threading.Lock()

    def require_genuine(self, message: SnsMessage) -> None:
        """Let a message pass that Amazon signed.

        Raises:
            Forbidden: it did not, or not with a certificate of its own.
            Unavailable: the certificate cannot be had now.
        """
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415

        if not is_certificate(message.certificate_url):
            raise Forbidden("hook.sns_certificate", "SigningCertURL is not one of Amazon SNS.")
        kinds: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303
        kind = kinds.get(message.signature_version)
        if kind is None:
            raise Forbidden("hook.sns_signature", "The signature's version is not known here: 1 or 2.")
        key = self._key(message.certificate_url)
        try:
            key.verify(message.signature, message.signed_text(), PKCS1v15(), kind)
        except InvalidSignature as error:
            raise Forbidden("hook.sns_signature", "The message is not signed by Amazon SNS.") from error

    def _key(self, url: str) -> RSAPublicKey:
        with self._lock:
            known = self._keys.get(url)
        if known is not None:
            return known
        key = _key_of(self._web.get(url))
        with self._lock:
            self._keys[url] = key
            while len(self._keys) > _KEYS_MAX:
                self._keys.popitem(last=False)
        return key


def _key_of(certificate: bytes) -> RSAPublicKey:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415

    try:
        key = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise _unusable() from error
    if not isinstance(key, RSAPublicKey):
        raise _unusable()
    return key


def _unusable() -> Unavailable:
    return Unavailable(
        "web.unavailable", "What is at SigningCertURL is no certificate.", retry_after_seconds=60
    )
