"""Following URLs of others: where it leads is checked before and held to. Nothing here leaves the machine."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.web import PublicWeb, is_public

PUBLIC, OTHER_PUBLIC = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"


@pytest.mark.parametrize("address", [PUBLIC, OTHER_PUBLIC, "8.8.8.8", "2001:4860:4860::8888"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # carrier-grade NAT
        "169.254.169.254",  # what clouds tell their servers
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "64:ff9b::169.254.169.254",  # NAT64
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2001:0:7f00:1::",
        "2001:db8::1",
        "localhost",
        "",
        "1",
    ],
)
def test_addresses_that_are_never_gone_to(address: str) -> None:
    assert not is_public(address)


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Host"]))  # type: ignore[attr-defined]
        status = int(self.path.strip("/").partition("?")[0])
        body = b"x" * (70_000 if "large" in self.path else 10)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "https://elsewhere.example/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        del args


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Pages)
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class Network:
    """Names that mean what a test says, and connections that all end at the test's server."""

    def __init__(self, server: http.server.HTTPServer | None, *addresses: str) -> None:
        self._port = server.server_address[1] if server else 1
        self._addresses = addresses
        self.connected: list[tuple[str, str]] = []

    def resolve(self, host: str) -> Sequence[str]:
        del host
        if not self._addresses:
            raise OSError("no such name")
        return self._addresses

    def connect(self, host: str, address: str, timeout: float) -> http.client.HTTPConnection:
        self.connected.append((host, address))
        return http.client.HTTPConnection("127.0.0.1", int(self._port), timeout=timeout)

    def web(self, **more: Any) -> PublicWeb:
        return PublicWeb(self.resolve, self.connect, **more)


def test_a_page_is_fetched_from_the_address_that_was_checked(server: Any) -> None:
    network = Network(server, PUBLIC, OTHER_PUBLIC)
    assert network.web().get("https://sns.example/200?a=b#c") == b"x" * 10
    assert network.connected == [("sns.example", PUBLIC)]
    assert server.seen[0][0] == "/200?a=b"


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), (PUBLIC, "10.0.0.1"), ("::ffff:127.0.0.1",), (PUBLIC, "fe80::1%eth0")]
)
def test_a_name_that_leads_inside_is_not_followed(addresses: tuple[str, ...]) -> None:
    network = Network(None, *addresses)
    with pytest.raises(Forbidden) as refused:
        network.web().get("https://sns.example/200")
    assert refused.value.code == "autoscaling.web.address"
    assert network.connected == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.example/",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "https://user@sns.example/",
        "https://sns.example:8080/",
        "https://sns.example:port/",
        "https://[::1/",
        "https://sns.example/a b",
        "https://snß.example/",
        "https://sns.example/\x7f",
        "ftp://sns.example/",
        "",
    ],
)
def test_other_urls_are_not_followed(url: str) -> None:
    network = Network(None, PUBLIC)
    with pytest.raises(Forbidden) as refused:
        network.web().get(url)
    assert refused.value.code == "autoscaling.web.url"
    assert network.connected == []


@pytest.mark.parametrize("path", ["301", "302", "307", "404", "500", "204", "200?large"])
def test_only_a_plain_answer_of_moderate_size_is_taken(server: Any, path: str) -> None:
    network = Network(server, PUBLIC)
    with pytest.raises(Unavailable):
        network.web().get(f"https://sns.example/{path}")
    assert len(network.connected) == 1, "no redirect is followed"


def test_a_slow_answer_is_not_waited_for(server: Any) -> None:
    times = iter([0.0, 5.1])
    with pytest.raises(Unavailable, match="slowly"):
        Network(server, PUBLIC).web(clock=lambda: next(times)).get("https://sns.example/200")


def test_no_name_and_no_connection_are_unavailable() -> None:
    for network in (Network(None), Network(None, PUBLIC)):
        with pytest.raises(Unavailable) as error:
            network.web().get("https://sns.example/200")
        assert error.value.retry_after_seconds
