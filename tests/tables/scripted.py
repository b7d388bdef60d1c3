"""A server that answers each request with the next bytes of a script, and knows who asked what."""

from __future__ import annotations

import socketserver
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

Script = list[bytes]


def answer(content: bytes, *, status: str = "200 OK", **headers: str) -> bytes:
    """Return a whole answer; of ``headers`` those that are named replace the usual ones, empty ones go."""
    told = {
        "content-length": str(len(content)),
        "x-amz-crc32": str(zlib.crc32(content)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + content


@dataclass
class Scripted:
    """What comes, and what has come; nothing more to say closes the connection."""

    url: str = ""
    script: Script = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0

    def handle(self, request: socketserver.StreamRequestHandler) -> None:
        self.connections += 1
        with suppress(ssl.SSLError):  # who does not trust us goes
            self._talk(request)

    def _talk(self, request: socketserver.StreamRequestHandler) -> None:
        while request.rfile.readline():
            headers = {}
            while line := request.rfile.readline().strip().decode():
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
            self.requests.append((headers, request.rfile.read(int(headers["content-length"]))))
            if not self.script or not (said := self.script.pop(0)):
                return
            request.wfile.write(said)
            if b"content-length" not in said or b"connection: close" in said:
                return


@contextmanager
def scripted(certificate: Path | None = None) -> Iterator[Scripted]:
    """Yield a server on loopback, given a certificate one of https."""
    script = Scripted()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            script.handle(self)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        script.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield script
        server.shutdown()
        thread.join()
