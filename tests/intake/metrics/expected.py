"""What the tests of all formats compare with."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.core.sample import Batch, Sample, one

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
AT = datetime(2026, 11, 22, 9, 59, 30, tzinfo=UTC)
AT_UNIX_SECONDS = int(AT.timestamp())
AT_UNIX_NANOSECONDS = AT_UNIX_SECONDS * 10**9
SERVER = "5d12cb2c-8a02-4d0d-9d3c-6bd1b1f1a0d4"


def sample(
    metric: str, value: float, source: str | None = None, *, at: datetime = AT, **dimensions: str
) -> Sample:
    """Return a sample; one of ``NOW`` had no time of its own."""
    return Sample(
        metric=metric,
        at=at,
        measure=one(value),
        source=source,
        dimensions=tuple(sorted(dimensions.items())),
        timed=at != NOW,
    )


def samples(batch: Batch) -> list[Sample]:
    return [sample for _, sample in batch.samples]


def reasons(batch: Batch) -> dict[int, str]:
    return {each.index: each.reason for each in batch.rejected}
