"""The API behind TLS, as it is deployed: a proxy on loopback with a certificate of its own making."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.proxy import HOST, handler_for, serving


@contextmanager
def over_tls(url: str, folder: Path) -> Iterator[str]:
    """Yield an https URL behind which everything is as behind ``url``; the certificate lies in ``folder``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(loopback_certificate(folder))
    with ThreadingHTTPServer((HOST, 0), handler_for(url)) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with serving(server):
            yield f"https://{HOST}:{server.server_port}"


def loopback_certificate(folder: Path) -> Path:
    """Make a key and a certificate for the loopback address; return the file with both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    both = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + certificate.public_bytes(pem)
    file = folder / "loopback.pem"
    file.write_bytes(both)
    return file
