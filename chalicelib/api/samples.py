"""/v1/samples and /v1/intake/{token}/...: where samples come in, in every format; and which metrics came."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalice.app import Blueprint

from chalicelib.api.context import Call, is_token, known_id
from chalicelib.api.documents.samples import MetricList, NewSamples, metric_list
from chalicelib.api.operation import Access, Refusal, Reply, View, operation
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.ids import GroupId
from chalicelib.core.sample import Batch, Rejection
from chalicelib.flows import intakes, rates
from chalicelib.flows.observe import Observed, observe
from chalicelib.intake.compression import inflated
from chalicelib.intake.metrics import gnocchi, influx, otlp, plain
from chalicelib.intake.metrics.answer import Answer
from chalicelib.ports.storage import GroupKey

blueprint = Blueprint(__name__)

_BODY_MAX_BYTES = 4 * 1024 * 1024
"""With base64 around it this still fits what Lambda takes."""
_INFLATED_MAX_BYTES = 16 * 1024 * 1024
_BATCH_ID_MAX_CHARACTERS = 255

Parse = Callable[[bytes, Mapping[str, str], Mapping[str, str], datetime], Batch]
Tell = Callable[[int, Sequence[Rejection], Mapping[str, str]], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of samples, and the path below an intake's URL where it comes in.

    Attributes:
        name: of the operation.
        says: its summary.
        answers: the document type of each status that is a success; None where it has no JSON.
        refusal: how an error is told in its protocol; None is with our error document.
        body: the document type of the request, where it is JSON of ours.
        media_types: of requests and answers, where they are not.
    """

    name: str
    path: str
    says: str
    parse: Parse
    answer: Tell
    answers: Mapping[int, Any]
    refusal: Refusal | None = None
    body: Any = None
    media_types: tuple[str, ...] = ()


FORMATS: tuple[Format, ...] = (
    Format(
        name="post_intake_samples",
        path="/samples",
        says="Post samples of the group that the intake belongs to.",
        parse=plain.parse,
        answer=plain.answer,
        answers={202: plain.SamplesTaken},
        body=plain.PlainSamples,
    ),
    Format(
        name="post_otlp_metrics",
        path="/v1/metrics",
        says="Post metrics as OpenTelemetry does: OTLP over HTTP, in protobuf or JSON.",
        parse=otlp.parse,
        answer=otlp.answer,
        answers={200: None},
        refusal=otlp.refusal,
        media_types=("application/x-protobuf", "application/json"),
    ),
    *(
        Format(
            name=name,
            path=path,
            says=f"Post InfluxDB's line protocol, as clients of InfluxDB {version} and Telegraf do.",
            parse=influx.parse,
            answer=influx.answer,
            answers={204: None},
            refusal=influx.refusal,
            media_types=("text/plain", "application/json"),
        )
        for name, path, version in (
            ("write_influx", "/write", "1"),
            ("write_influx_v2", "/api/v2/write", "2"),
        )
    ),
    *(
        Format(
            name=name,
            path=f"/v1/batch/{what}/measures",
            says=f"Post a batch of measures by {by}, as clients of Gnocchi do.",
            parse=gnocchi.parse,
            answer=gnocchi.answer,
            answers={202: None},
            refusal=gnocchi.refusal,
            media_types=("application/json",),
        )
        for name, what, by in (
            ("post_gnocchi_metrics", "metrics", "metric"),
            ("post_gnocchi_resources", "resources/metrics", "server and metric"),
        )
    ),
)
"""Every format; one that is added here has its route, its checks and its place in the OpenAPI document."""


@operation(
    blueprint,
    "POST",
    "/v1/samples",
    body=NewSamples,
    body_is_raw=True,
    body_max_bytes=_BODY_MAX_BYTES,
    answers={202: plain.SamplesTaken},
    content_types=("*/*",),
)
def post_samples(call: Call) -> Reply:
    """Post samples of a group."""
    rates.admit_samples(call.services, call.caller.project_id)
    body = inflated(call.raw_body, _INFLATED_MAX_BYTES)
    said = plain.document(body, NewSamples)
    group = call.services.groups.get(call.caller.project_id, GroupId(said.group_id))
    key = GroupKey(project_id=group.project_id, group_id=group.id)
    observed = _observe(call, key, body, plain.batch_of(said, call.now))
    return Reply(plain.taken(observed.accepted, observed.rejected), 202)


@operation(blueprint, "GET", "/v1/groups/{group_id}/metrics", answers={200: MetricList})
def list_metrics(call: Call, group_id: str) -> Reply:
    """List the metrics of a group, with their dimensions."""
    group = call.services.groups.get(call.caller.project_id, GroupId(known_id(group_id, "group")))
    key = GroupKey(project_id=group.project_id, group_id=group.id)
    return Reply(metric_list(call.services.meters.of_group(key)))


def _observe(call: Call, key: GroupKey, body: bytes, batch: Batch) -> Observed:
    """Count the samples; the sender's own name of the request counts more than what is in it.

    A body without any time says the same each time that the same is counted anew, so it names nothing.
    """
    known_by = hashlib.sha256(body).hexdigest() if batch.timed else call.services.new_id()
    name = call.headers.get("idempotency-key") or known_by
    if len(name) > _BATCH_ID_MAX_CHARACTERS:
        raise Invalid(
            "samples.batch_id", f"Idempotency-Key has at most {_BATCH_ID_MAX_CHARACTERS} characters."
        )
    return observe(call.services, key, batch, default_batch_id=name)


def _register(format_: Format) -> None:
    """Make a format's route."""

    def post(call: Call, intake_token: str) -> Answer:
        if not is_token(intake_token):
            raise NotFound("intake.unknown", "There is no such intake.")
        key = intakes.group_of_token(call.services, intake_token)
        rates.admit_intake(call.services, key.project_id, intake_token)
        body = inflated(call.raw_body, _INFLATED_MAX_BYTES)
        batch = format_.parse(body, call.headers, call.query, call.now)
        observed = _observe(call, key, body, batch)
        return format_.answer(observed.accepted, observed.rejected, call.headers)

    post.__name__, post.__doc__ = format_.name, format_.says
    view: View = post
    operation(
        blueprint,
        "POST",
        f"/v1/intake/{{intake_token}}{format_.path}",
        access=Access.OPEN,
        body=format_.body,
        body_is_raw=True,
        body_max_bytes=_BODY_MAX_BYTES,
        any_query=True,
        answers=format_.answers,
        refusal=format_.refusal,
        foreign=format_.media_types,
        content_types=("*/*",),
    )(view)


for _format in FORMATS:
    _register(_format)
