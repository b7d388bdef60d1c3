"""How folds and hours lie in their rows: one compact attribute each, for a row is written whole each time.

A member that reported once takes some 30 bytes: its id, its value, and when, in milliseconds since the
period began.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property

import msgspec

from chalicelib.core.aggregate import Aggregate
from chalicelib.core.fold import Fold, Hour, MemberFold
from chalicelib.core.ids import MemberId

_BATCH_BYTES = 8
_MILLISECOND = timedelta(milliseconds=1)

Number = int | float


class _Total(msgspec.Struct, array_like=True):
    """The numbers are read as floats, also where a whole one was written in fewer bytes."""

    count: int
    sum: float
    minimum: float
    maximum: float
    positive: dict[int, int]
    negative: dict[int, int]
    zeros: int


class _Fold(msgspec.Struct, array_like=True):
    """``members`` is written as _Parts."""

    total: _Total
    members: msgspec.Raw
    batches: bytes


_Parts = dict[bytes, list[Number]]
"""[value, ms] of a member that reported once, else [count, sum, minimum, maximum, last, ms]."""


class _Hour(msgspec.Struct, array_like=True):
    total: _Total
    load: float
    load_maximum: float


_encoder = msgspec.msgpack.Encoder()
_folds = msgspec.msgpack.Decoder(_Fold)
_parts = msgspec.msgpack.Decoder(_Parts)
_hours = msgspec.msgpack.Decoder(_Hour)


def encode_fold(fold: Fold) -> bytes:
    """Return what is written of a fold; its series and period are in the key."""
    members = {_member_key(id_): _part(part, fold.start) for id_, part in fold.members.items()}
    raw = msgspec.Raw(_encoder.encode(members))
    return _encoder.encode(_Fold(_total(fold.total), raw, b"".join(sorted(fold.batches))))


def decode_fold(data: bytes, start: datetime, seconds: int) -> Fold:
    """Return the fold that ``encode_fold`` was given."""
    row = _folds.decode(data)
    names = row.batches
    return Fold(
        start=start,
        seconds=seconds,
        total=_aggregate(row.total),
        members=_Members(row.members, start),
        batches=frozenset(names[at : at + _BATCH_BYTES] for at in range(0, len(names), _BATCH_BYTES)),
    )


def encode_hour(hour: Hour) -> bytes:
    """Return what is written of an hour."""
    return _encoder.encode(_Hour(_total(hour.total), hour.load, hour.load_maximum))


def decode_hour(data: bytes, start: datetime) -> Hour:
    """Return the hour that ``encode_hour`` was given."""
    row = _hours.decode(data)
    return Hour(start=start, total=_aggregate(row.total), load=row.load, load_maximum=row.load_maximum)


class _Members(Mapping[MemberId, MemberFold]):
    """The members of a fold, taken apart once somebody asks for one: most alarms look at the total alone."""

    def __init__(self, raw: msgspec.Raw, start: datetime) -> None:
        self._raw = raw
        self._start = start

    @cached_property
    def _parts(self) -> dict[MemberId, MemberFold]:
        parts = _parts.decode(self._raw)
        return {_member_id(key): _member_fold(part, self._start) for key, part in parts.items()}

    def __getitem__(self, id_: MemberId) -> MemberFold:
        return self._parts[id_]

    def __iter__(self) -> Iterator[MemberId]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def _part(part: MemberFold, start: datetime) -> list[Number]:
    milliseconds = (part.last_at - start) // _MILLISECOND
    if part.count == 1:
        return [_short(part.last), milliseconds]
    values = (part.sum, part.minimum, part.maximum, part.last)
    return [part.count, *map(_short, values), milliseconds]


def _member_fold(part: list[Number], start: datetime) -> MemberFold:
    *values, at = part
    count, sum_, minimum, maximum, last = values if len(values) > 1 else (1, *values * 4)
    return MemberFold(
        count=int(count),
        sum=float(sum_),
        minimum=float(minimum),
        maximum=float(maximum),
        last=float(last),
        last_at=start + int(at) * _MILLISECOND,
    )


def _total(total: Aggregate) -> _Total:
    return _Total(
        total.count,
        _short(total.sum),
        _short(total.minimum),
        _short(total.maximum),
        dict(total.positive),
        dict(total.negative),
        total.zeros,
    )


def _aggregate(total: _Total) -> Aggregate:
    return Aggregate(
        count=total.count,
        sum=total.sum,
        minimum=total.minimum,
        maximum=total.maximum,
        positive=total.positive,
        negative=total.negative,
        zeros=total.zeros,
    )


def _short(value: float) -> Number:
    """Return a whole number as one, which takes fewer bytes; it comes back as the same value."""
    return int(value) if abs(value) < 2**31 and value == int(value) else value


def _member_key(id_: MemberId) -> bytes:
    """Return the 16 bytes of a UUID behind a zero, or any other id as text, which never begins with one."""
    try:
        number = uuid.UUID(id_)
    except ValueError:
        return id_.encode()
    return b"\0" + number.bytes if str(number) == id_ else id_.encode()


def _member_id(key: bytes) -> MemberId:
    if key[:1] != b"\0":
        return MemberId(key.decode())
    digits = key[1:].hex()  # there are many of them, and uuid.UUID takes four times as long
    return MemberId(f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")
