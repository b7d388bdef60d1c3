"""What the service costs a month on AWS, from what single pieces of work were seen to take; pure arithmetic.

Prices are AWS's public ones for us-east-1, on demand, without free tiers and discounts, as known in November
2026: DynamoDB's since its reduction of 1 November 2024, the others older. Data transfer is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

READ_UNIT = 0.125e-6
WRITE_UNIT = 0.625e-6
"""Source: aws.amazon.com/dynamodb/pricing/on-demand."""
LAMBDA_REQUEST = 0.20e-6
LAMBDA_GB_SECOND = 0.0000133334
"""arm64. Source: aws.amazon.com/lambda/pricing."""
SQS_REQUEST = 0.40e-6
"""A standard queue. Source: aws.amazon.com/sqs/pricing."""
API_REQUEST = 3.50e-6
"""A REST API, the first 333 million a month. Source: aws.amazon.com/api-gateway/pricing."""
LOG_BYTE = 0.50e-9
"""Taken in by CloudWatch. Source: aws.amazon.com/cloudwatch/pricing."""
SMALL_VM_HOUR = 0.0336
VM_HOUR = 0.0816
"""t4g.medium and m7g.large, two cores each, Linux. Source: aws.amazon.com/ec2/pricing/on-demand."""
DISK_GB_MONTH = 0.08
"""gp3. Source: aws.amazon.com/ebs/pricing."""

DISK_GB = 50

AODH_ALARMS = 64
GNOCCHI_SAMPLES = 410
"""What one core of theirs does in a second; measured here, see docs/benchmarks.md."""

HOURS = 730
MINUTES = HOURS * 60

MEMORY_GB = 0.5
WHOLE_CORE_GB = 1.769
"""Lambda gives a whole core with so much memory, and a part of one with less.

Source: AWS Lambda's developer guide, "Configure Lambda function memory".
"""
CALL_SECONDS = 0.005
"""What an invocation waits for one call of DynamoDB or SQS; assumed."""
CLOUD_CALL_SECONDS = 0.05
"""The same for one of OpenStack; assumed."""
LOGGED_BYTES = 1000
"""An invocation's: Lambda's own three lines, and one of ours; assumed."""
POLLS_A_MINUTE = 15
"""Lambda's five pollers of an idle queue, each waiting 20 s.

Source: AWS Lambda's developer guide, "Using Lambda with Amazon SQS".
"""
MESSAGE_REQUESTS = 2
"""To receive a message and to delete it; to send it is counted with who sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a piece of work takes.

    Attributes:
        reads, writes: units of DynamoDB.
        sqs, api: requests.
        cpu_seconds: of a whole core.
        calls, cloud_calls: of AWS and of OpenStack, which are waited for.
    """

    reads: float = 0
    writes: float = 0
    sqs: float = 0
    api: float = 0
    invocations: float = 0
    cpu_seconds: float = 0
    calls: float = 0
    cloud_calls: float = 0

    def __add__(self, other: Used) -> Used:
        return Used(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})

    def __mul__(self, times: float) -> Used:
        return Used(**{name: getattr(self, name) * times for name in self.__slots__})

    @property
    def billed_seconds(self) -> float:
        """How long functions run for it, with the part of a core that they have."""
        waited = self.calls * CALL_SECONDS + self.cloud_calls * CLOUD_CALL_SECONDS
        return self.cpu_seconds * WHOLE_CORE_GB / MEMORY_GB + waited

    @property
    def usd(self) -> float:
        """What it costs."""
        return (
            self.reads * READ_UNIT
            + self.writes * WRITE_UNIT
            + self.sqs * SQS_REQUEST
            + self.api * API_REQUEST
            + self.invocations * (LAMBDA_REQUEST + LOGGED_BYTES * LOG_BYTE)
            + self.billed_seconds * MEMORY_GB * LAMBDA_GB_SECOND
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What each piece of work was seen to take.

    Attributes:
        tick: one minute's tick with all its shards, where there is nothing to do.
        decision: a webhook that changes a group.
        samples: a request with the samples of one member.
        alarm: a look at one alarm that stays as it is.
        round: a round for a settled group.
    """

    tick: Used
    decision: Used
    samples: Used
    alarm: Used
    round: Used


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a group is like.

    Attributes:
        metrics: of each member, a sample a minute each.
        requests_a_minute: with samples: one of each member, or fewer where somebody collects them.
        rounds_a_decision: how often a group is looked at until it is settled again.
    """

    members: int = 4
    metrics: int = 2
    alarms: int = 2
    requests_a_minute: float = 4
    decisions_a_day: float = 2
    settled_round_minutes: float = 5
    rounds_a_decision: float = 3


def monthly(taken: Taken, workload: Workload, groups: int) -> dict[str, Used]:
    """Return what a month takes, by what it is for."""
    decisions = groups * workload.decisions_a_day * HOURS / 24
    rounds = groups * MINUTES / workload.settled_round_minutes + decisions * workload.rounds_a_decision
    return {
        "ticks": (taken.tick + Used(sqs=POLLS_A_MINUTE)) * MINUTES,
        "samples": taken.samples * (groups * workload.requests_a_minute * MINUTES),
        "alarms": taken.alarm * (groups * workload.alarms * MINUTES),
        "rounds": taken.round * rounds,
        "decisions": taken.decision * decisions,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """Virtual machines that are always on, and what they cost a month."""

    machines: int
    usd: float


def always_on(workload: Workload, groups: int, hour: float) -> Machines:
    """Return what Aodh, Gnocchi and Heat need for the same groups, at ``hour`` a machine: three at least.

    Two cores each, all of them used; what databases, message queues and people's time cost is left out.
    """
    alarms = groups * workload.alarms / 60 / AODH_ALARMS
    samples = groups * workload.members * workload.metrics / 60 / GNOCCHI_SAMPLES
    machines = max(3, math.ceil((alarms + samples) / 2))
    return Machines(machines=machines, usd=machines * (hour * HOURS + DISK_GB * DISK_GB_MONTH))
