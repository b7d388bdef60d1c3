"""Compressed bodies, known by their bytes: a gateway may have inflated one that its header calls gzip."""

from __future__ import annotations

import zlib

from chalicelib.core.errors import Invalid, TooLarge

INFLATED_MAX_BYTES = 16 * 1024 * 1024

_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS


def inflated(body: bytes) -> bytes:
    """Return the body, inflated if it is gzip.

    Raises:
        TooLarge: it would have more than ``INFLATED_MAX_BYTES``; no more are made of it.
        Invalid: it begins like gzip and is not.
    """
    parts: list[bytes] = []
    room = INFLATED_MAX_BYTES + 1
    rest = body
    while rest.startswith(_MAGIC):  # gzip may consist of several members
        inflater = zlib.decompressobj(_GZIP)
        try:
            parts.append(inflater.decompress(rest, room))
        except zlib.error as error:
            raise _broken() from error
        room -= len(parts[-1])
        if room <= 0:
            raise TooLarge("request.too_large", f"An inflated body has at most {INFLATED_MAX_BYTES} bytes.")
        if not inflater.eof:
            raise _broken()
        rest = inflater.unused_data
    if parts and rest:
        raise _broken()
    return b"".join(parts) if parts else body


def _broken() -> Invalid:
    return Invalid("samples.body", "The body begins like gzip and is not.")
