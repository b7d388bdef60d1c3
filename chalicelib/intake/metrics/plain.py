"""Our own format: a JSON object with a list of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from chalicelib.core.errors import Invalid
from chalicelib.core.sample import Batch, Rejection, Sample, one
from chalicelib.decoding import decoder_of
from chalicelib.intake.metrics.answer import Answer

_SAMPLES_MAX = 10_000


class PlainSample(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One value of one metric; without ``server_id`` it is about the group as a whole.

    ``server_id`` may also be the server's name, or the member's id. ``timestamp`` is now, if left out. Where
    all leave it out, the same request counts again each time it comes, unless ``Idempotency-Key`` names it.
    """

    metric: str
    value: float
    timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    server_id: str | None = None
    dimensions: dict[str, str] = {}


class PlainSamples(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Samples of one group."""

    samples: Annotated[list[PlainSample], Meta(max_length=_SAMPLES_MAX)]


class RejectedSample(msgspec.Struct, kw_only=True):
    """A sample that was not counted, by its place in the request."""

    index: int
    reason: str


class SamplesTaken(msgspec.Struct, kw_only=True):
    """What came of a request with samples; the ones that are not rejected are stored."""

    accepted: int
    rejected: list[RejectedSample]


B = TypeVar("B", bound=PlainSamples)


def parse(body: bytes, headers: Mapping[str, str], query: Mapping[str, str], now: datetime) -> Batch:
    """Return the batch.

    Raises:
        Invalid: the body is not JSON, or not of this shape.
    """
    del headers, query  # everything is in the body
    return batch_of(document(body, PlainSamples), now)


def document(body: bytes, type_: type[B]) -> B:
    """Return the body as a document of ``type_``; Invalid where it does not fit."""
    try:
        return decoder_of(type_).decode(body)
    except msgspec.ValidationError as error:
        raise Invalid("request.body", f"The body does not fit: {str(error)[:200]}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("request.body", "The body is not JSON.") from error


def batch_of(said: PlainSamples, now: datetime) -> Batch:
    """Return the batch that a document stands for; times that are no times in UTC are rejected."""
    samples: list[tuple[int, Sample]] = []
    rejected: list[Rejection] = []
    for place, each in enumerate(said.samples):
        try:
            at = now if each.timestamp is None else each.timestamp.astimezone(UTC)
        except OverflowError:
            rejected.append(Rejection(index=place, reason="not a time in UTC"))
            continue
        sample = Sample(
            metric=each.metric,
            at=at,
            measure=one(each.value),
            source=each.server_id,
            dimensions=tuple(sorted(each.dimensions.items())),
            timed=each.timestamp is not None,
        )
        samples.append((place, sample))
    return Batch(samples=tuple(samples), rejected=tuple(rejected))


def taken(accepted: int, rejected: Sequence[Rejection]) -> SamplesTaken:
    """Return the document that says what came of a request."""
    told = [RejectedSample(index=each.index, reason=each.reason) for each in rejected]
    return SamplesTaken(accepted=accepted, rejected=told)


def answer(accepted: int, rejected: Sequence[Rejection], headers: Mapping[str, str]) -> Answer:
    """Return the answer; errors are told with the error document that every JSON route has."""
    del headers  # there is one kind of answer
    return Answer(status=202, body=msgspec.json.encode(taken(accepted, rejected)))
