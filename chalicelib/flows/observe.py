"""Samples in: bind each to its member, refuse what cannot be counted, fold the rest into storage.

It may die anywhere: the sender, who got no answer, sends the batch again, and what is stored already is not
counted again.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.core.errors import TooLarge, Unavailable
from chalicelib.core.fold import (
    EARLY_SECONDS,
    FINE_SECONDS,
    LATE_SECONDS,
    WHOLE_GROUP,
    Reading,
    folded,
    period_of,
    resolution_of,
)
from chalicelib.core.ids import MemberId
from chalicelib.core.meters import SERIES_MAX, SERIES_MAX_BYTES, Meters, Name
from chalicelib.core.sample import Batch, Measure, Rejection, Sample
from chalicelib.core.series import Series
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey
from chalicelib.telemetry import ERRORS, SAMPLES_ACCEPTED, SAMPLES_REJECTED, UNAVAILABLE, about

_log = logging.getLogger(__name__)

SAMPLES_MAX = 10_000
"""How many samples one request may have."""

_DIMENSIONS_MAX = 10
_MAGNITUDE_MAX = 1e300
_COUNT_MAX = 2**32
_METRIC = re.compile(r"[A-Za-z0-9_./:%-]{1,255}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of a batch.

    Attributes:
        rejected: in the order of their places.
    """

    accepted: int
    rejected: tuple[Rejection, ...]


def observe(s: Services, key: GroupKey, batch: Batch, *, default_batch_id: str) -> Observed:
    """Count the samples of a batch, once however often it comes.

    A batch is known by its id and by whom it speaks of: two servers may number their batches alike. A group
    one of whose metrics is closely watched is judged as its samples come, instead of each minute.

    Args:
        default_batch_id: for senders without ids of their own: what is the same when a batch comes again.

    Raises:
        TooLarge: there are too many samples.
        Unavailable: not all could be stored; the same batch again makes it whole.
    """
    if len(batch.samples) + len(batch.rejected) > SAMPLES_MAX:
        raise TooLarge("samples.too_many", f"A request has at most {SAMPLES_MAX} samples.")
    now = s.now()
    verdicts = {rejection.index: rejection.reason for rejection in batch.rejected}
    sound = dict(_sound(batch, now, verdicts))
    readings = _bound(s, key, sound, verdicts)
    if readings:
        meters = s.meters.admit(key, {_name_of(reading.series) for reading in readings.values()}, now)
        _refuse_unknown(meters, readings, verdicts)
        _store(s, readings, _batch_name(batch, default_batch_id), meters.fine, verdicts)
        if any(reading.series.metric in meters.fine for reading in readings.values()):
            _have_judged(s, key, now)
    rejected = tuple(Rejection(index=place, reason=verdicts[place]) for place in sorted(verdicts))
    measures = ((SAMPLES_ACCEPTED, len(readings)), (SAMPLES_REJECTED, len(rejected)))
    _log.info("samples", extra=about(*measures, project_id=key.project_id, group_id=key.group_id))
    return Observed(len(readings), rejected)


def _sound(batch: Batch, now: datetime, verdicts: dict[int, str]) -> Iterator[tuple[int, Sample]]:
    """Yield the samples that can be counted, whoever sent them; the others get a verdict."""
    names = {_name_in(sample): _fault_of_name(_name_in(sample)) for _, sample in batch.samples}
    for place, sample in batch.samples:
        fault = _fault_of_time(now - sample.at) or names[_name_in(sample)] or _fault_of(sample.measure)
        if fault is None:
            yield place, sample
        else:
            verdicts[place] = fault


def _fault_of_time(age: timedelta) -> str | None:
    if age > timedelta(seconds=LATE_SECONDS):
        return f"too old: samples are taken for {LATE_SECONDS // 60} minutes"
    if age < -timedelta(seconds=EARLY_SECONDS):
        return "in the future: the sender's clock is wrong"
    return None


def _fault_of_name(name: Name) -> str | None:
    metric, dimensions = name
    texts = (metric, *(text for pair in dimensions for text in pair))
    if not _METRIC.fullmatch(metric):
        return "a metric's name has 1 to 255 letters, digits and any of _ . / : % -"
    if len(dimensions) > _DIMENSIONS_MAX or len(dict(dimensions)) < len(dimensions):
        return f"a sample has at most {_DIMENSIONS_MAX} dimensions, each once"
    if not all(_TEXT.fullmatch(text) for text in texts):
        return "a dimension's name and value have 1 to 255 printable characters"
    if sum(len(text.encode()) for text in texts) > SERIES_MAX_BYTES:
        return f"metric and dimensions have at most {SERIES_MAX_BYTES} bytes together"
    return None


def _fault_of(measure: Measure) -> str | None:
    numbers = (measure.sum, measure.minimum, measure.maximum, *(value for value, _ in measure.spread))
    if not all(math.isfinite(number) and abs(number) <= _MAGNITUDE_MAX for number in numbers):
        return "a value is a finite number"
    counts = (measure.count, *(count for _, count in measure.spread))
    if not all(1 <= count <= _COUNT_MAX for count in counts) or measure.minimum > measure.maximum:
        return "a summary stands for at least one value, and its minimum is not above its maximum"
    return None


def _bound(
    s: Services, key: GroupKey, samples: Mapping[int, Sample], verdicts: dict[int, str]
) -> dict[int, Reading]:
    """Return the samples as readings of members; those of strangers get a verdict."""
    sources = {sample.source for sample in samples.values() if sample.source is not None}
    members: dict[str | None, MemberId] = {None: WHOLE_GROUP}
    members.update(s.roster.find(key, sources))
    series = {name: _series(key, name) for name in {_name_in(sample) for sample in samples.values()}}
    readings: dict[int, Reading] = {}
    for place, sample in samples.items():
        member = members.get(sample.source)
        if member is None:
            verdicts[place] = (
                "not a member of the group: it is known by its server's id or name, or member id"
            )
        else:
            readings[place] = Reading(
                series=series[_name_in(sample)], member=member, at=sample.at, measure=sample.measure
            )
    return readings


def _refuse_unknown(meters: Meters, readings: dict[int, Reading], verdicts: dict[int, str]) -> None:
    """Take out the readings of series that there was no room for."""
    for place, reading in list(readings.items()):
        if _name_of(reading.series) not in meters.seen:
            verdicts[place] = f"too many series: a group has at most {SERIES_MAX}"
            del readings[place]


def _store(
    s: Services, readings: dict[int, Reading], batch: bytes, fine: frozenset[str], verdicts: dict[int, str]
) -> None:
    """Write what the readings come to, and take out those whose period is full."""
    folds = folded(readings.values(), batch, fine)
    refused = s.folds.add(folds) if folds else {}
    full = {(folds[place][0], folds[place][1].start): reason for place, reason in refused.items()}
    for place, reading in list(readings.items()) if full else ():
        start = period_of(reading.at, resolution_of(reading.series.metric, fine))
        if (reading.series, start) in full:
            verdicts[place] = full[reading.series, start]
            del readings[place]


def _have_judged(s: Services, key: GroupKey, now: datetime) -> None:
    """Have the group judged promptly; if the queue does not answer, leave it to the minute."""
    try:
        s.queue.judge_soon(key, period_of(now, FINE_SECONDS))
    except Unavailable as error:
        names = {"project_id": key.project_id, "group_id": key.group_id}
        told = about((ERRORS, 1), kind=UNAVAILABLE, code=error.code, **names)
        _log.warning("the queue does not answer: the group waits for the minute's judging", extra=told)


def _batch_name(batch: Batch, default_batch_id: str) -> bytes:
    """Return the 8 bytes by which storage knows the batch."""
    sources = sorted({sample.source or "" for _, sample in batch.samples})
    parts = (batch.batch_id or default_batch_id, *sources)
    said = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(said.encode(errors="surrogatepass")).digest()[:8]


def _name_in(sample: Sample) -> Name:
    return sample.metric, sample.dimensions


def _series(key: GroupKey, name: Name) -> Series:
    metric, dimensions = name
    return Series(
        project_id=key.project_id,
        group_id=key.group_id,
        metric=metric,
        dimensions=tuple(sorted(dimensions)),
    )


def _name_of(series: Series) -> Name:
    return series.metric, series.dimensions
