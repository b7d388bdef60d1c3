"""A sample: what one sender says of one metric at one time, whatever format it came in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One value, or a summary of several that the sender made (a histogram).

    Attributes:
        count: how many values it stands for, at least one.
        spread: values and how often each occurred, for percentiles; of a histogram, a value for each bucket.
    """

    count: int
    sum: float
    minimum: float
    maximum: float
    spread: tuple[tuple[float, int], ...]


def one(value: float) -> Measure:
    """Return the measure of a single value."""
    return Measure(count=1, sum=value, minimum=value, maximum=value, spread=((value, 1),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measure at one time.

    Attributes:
        at: when it was measured, aware, in UTC.
        source: what the sender calls the server it is about, by id or by name; None: the group as a whole.
        dimensions: sorted by name.
        counter: the value only grows (and starts again at zero); its growth is what means something.
        timed: the sender said when it was; False where the time is taken from when it came.
    """

    metric: str
    at: datetime
    measure: Measure
    source: str | None = None
    dimensions: tuple[tuple[str, str], ...] = ()
    counter: bool = False
    timed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A sample that is not counted, by its place in the request, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one request says.

    Attributes:
        samples: with their places in the request, in its order.
        rejected: what could not even be read.
        batch_id: the sender's own id of the request, None where it has none.
    """

    samples: tuple[tuple[int, Sample], ...]
    rejected: tuple[Rejection, ...] = ()
    batch_id: str | None = None

    @property
    def timed(self) -> bool:
        """Whether any sample says when it was: if not, the same again cannot be told from a new one."""
        return any(sample.timed for _, sample in self.samples)
