"""Bodies compressed with gzip, known by their first bytes: a proxy may have inflated them already."""

from __future__ import annotations

import zlib

from chalicelib.core.errors import Invalid, TooLarge

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW_BITS = 31


def inflated(body: bytes, limit_bytes: int) -> bytes:
    """Return the body, inflated if it is gzip; no more than ``limit_bytes`` are ever produced.

    Raises:
        TooLarge: the body, inflated or as it came, is longer than ``limit_bytes``.
        Invalid: it begins as gzip and goes on as something else, ends too early, or goes on after its end.
    """
    if not body.startswith(_GZIP_MAGIC):
        return _within(body, limit_bytes)
    inflater = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        plain = inflater.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise Invalid("intake.compression", "The body is no valid gzip.") from error
    _within(plain, limit_bytes)
    if not inflater.eof or inflater.unused_data:
        raise Invalid("intake.compression", "The body is no whole gzip stream, or more than one.")
    return plain


def _within(body: bytes, limit_bytes: int) -> bytes:
    if len(body) > limit_bytes:
        raise TooLarge("intake.too_large", f"A request has at most {limit_bytes} bytes, inflated.")
    return body
