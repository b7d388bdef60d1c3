"""Which URLs of OpenStack are asked: those of the catalog, as far as they can be a cloud's.

The catalog is Keystone's, which the operator names, and only the cloud's administrators write it: an owner
can neither choose the Keystone nor add to what it says. So this guards against mistakes, and bounds what a
Keystone that was taken over could have this service ask: the metadata of the machine it runs on, which hands
out the function's own role, is never a cloud; and the operator may say which hosts alone are.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from keystoneauth1.exceptions import ClientException
from requests import Response

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""What a NAT64 translates to the IPv4 address in its last bytes (RFC 6052)."""
_METADATA_V6 = ipaddress.ip_address("fd00:ec2::254")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class RedirectedElsewhere(ClientException):
    """A service wants its request, and the token in it, sent to another host."""


def is_allowed(url: str, hosts: Collection[str]) -> bool:
    """Return whether a service may be asked at this URL.

    Args:
        hosts: the only names that are allowed, with everything below them; none is any.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        parts.port  # noqa: B018  (raises where it is none)
    except ValueError:
        return False
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        return False
    named = not hosts or any(host == each or host.endswith(f".{each}") for each in hosts)
    return named and not _is_no_clouds(host)


def stay_there(response: Response, *_arguments: object, **_named: object) -> None:
    """Raise RedirectedElsewhere where an answer leads to another host, or from TLS to none."""
    location = response.headers.get("location") if response.is_redirect else None
    if location is None:
        return
    here = urlsplit(response.url or "")
    there = urlsplit(location)
    if there.netloc and _place(there) != _place(here) and not _is_same_over_tls(here, there):
        raise RedirectedElsewhere(f"{here.hostname} leads to another host.")


def _is_no_clouds(host: str) -> bool:
    return any(
        each.is_link_local or each.is_unspecified or each.is_multicast or each == _METADATA_V6
        for each in _addresses(host)
    )


def _addresses(host: str) -> tuple[Address, ...]:
    """Return the address that a host is, with the one that it stands for; none where it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _as_resolvers_read_it(host)
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    translated = ipaddress.IPv4Address(address.packed[-4:]) if address in _TRANSLATED else None
    inner = address.ipv4_mapped or address.sixtofour or translated
    return (address, inner) if inner else (address,)


def _as_resolvers_read_it(host: str) -> tuple[Address, ...]:
    """Return the address that is no name to them: one number, hexadecimal, or with fewer dots."""
    try:
        return (ipaddress.IPv4Address(socket.inet_aton(host)),)
    except OSError:
        return ()


def _place(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _is_same_over_tls(here: SplitResult, there: SplitResult) -> bool:
    return (here.scheme, there.scheme) == ("http", "https") and here.hostname == there.hostname
