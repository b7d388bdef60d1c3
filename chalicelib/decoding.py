"""Decoders of JSON documents, made one at a time and kept.

Msgspec looks into a type when it first meets it. Where two threads have it do so with one type at the same
time, the process dies of a segmentation fault (msgspec 0.22): one thread takes up what the other has not
completed. Once a type has been looked into, any number of threads may decode.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")

_one_at_a_time = threading.Lock()


def decoder_of(type_: type[T], dec_hook: Callable[[type, Any], Any] | None = None) -> msgspec.json.Decoder[T]:
    """Return the decoder of documents of ``type_``."""
    found: msgspec.json.Decoder[T] = _decoder(cast("Any", type_), dec_hook)
    return found


@cache
def _decoder(type_: Any, dec_hook: Any) -> Any:
    with _one_at_a_time:
        return msgspec.json.Decoder(type_, dec_hook=dec_hook)
