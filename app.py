"""The front door: HTTP routes, the minute's tick, the work queue. Read it first.

    alarm source ──POST hook──▶ api ─▶ scale: decide ─▶ group + execution, one transaction
    owner ───────REST─────────▶ api ─▶ groups, policies, webhooks, credentials
    server ──POST samples─▶ api ─▶ observe: fold ─▶ aggregates
    minute ──▶ tick ─▶ messages for each shard ─▶ sweep: which groups, which schedules are due?
                                               └▶ watch: judge alarms, metric policies ─▶ together: decide
    queue ───▶ work ─▶ converge: observe the cloud, plan, perform a bounded round, look again

Event handlers stand here and not in a Blueprint: Chalice gives a Blueprint's handler a path of its own,
and Lambda would then never import this module.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from chalice.app import Chalice, CloudWatchEvent, Rate, Request, Response, SQSEvent

from chalicelib import cold_start, wiring
from chalicelib.api import nouns
from chalicelib.api.context import came_over_tls
from chalicelib.api.errors import as_error_document, kept_to_tls
from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.telemetry import ERRORS, INTERNAL, UNAVAILABLE, about, on_behalf_of

with cold_start.imported_when_used(but_by="app.work"):  # which meets all kinds of work in its first minute
    from chalicelib import queue
    from chalicelib.flows import converge, sweep, watch

_log = logging.getLogger("chalicelib.app")  # below the logger that is configured

app = Chalice(app_name="thermostat")
nouns.register(app)


@app.middleware("http")
def on_the_way_out(event: Request, get_response: Callable[[Request], Response]) -> Response:
    """Answer what Chalice itself refuses (405, 415) with our error document, too; and keep callers to TLS."""
    response = as_error_document(get_response(event), f"req-{wiring.new_id()}")
    return kept_to_tls(response) if came_over_tls(event) else response


@app.schedule(Rate(1, unit=Rate.MINUTES))
def tick(event: CloudWatchEvent) -> None:
    """Each minute: have every shard of the due-time index swept."""
    del event  # the schedule says nothing but that a minute has passed
    services = wiring.services()
    with on_behalf_of(f"req-{services.new_id()}"):
        sweep.tick(services)


@app.on_sqs_message(queue=f"thermostat-{os.environ.get('STAGE', 'local')}-work", batch_size=1)
def work(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """Each message: a round for a group, a shard's sweep or judging.

    One that fails is named in the answer and comes again; the others of its batch are done.
    """
    failed = [record.to_dict()["messageId"] for record in event if not _done(record.body)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _done(body: str) -> bool:
    """Do what a message asks for; return whether that went well."""
    try:
        asked = queue.parse(body)
    except Invalid as error:
        _log.error("work that nobody knows: %s", error.detail, extra=about((ERRORS, 1), kind=INTERNAL))
        return False
    request_id = asked.request_id if isinstance(asked, queue.ConvergeWork) else f"req-{wiring.new_id()}"
    with on_behalf_of(request_id):
        try:
            _do(asked)
        except Unavailable as error:
            told = about((ERRORS, 1), kind=UNAVAILABLE, code=error.code)
            _log.warning("the work was not done: %s", error.detail, extra=told)
            return False
        except Exception:  # noqa: BLE001 -- whatever it is, the others of the batch have their turn
            _log.exception("the work could not be done", extra=about((ERRORS, 1), kind=INTERNAL))
            return False
    return True


def _do(asked: queue.Work) -> None:
    match asked:
        case queue.ConvergeWork(key=key, request_id=request_id):
            converge.converge(wiring.services(), key, request_id)
        case queue.SweepWork(shard=shard):
            sweep.sweep(wiring.services(), shard)
        case queue.WatchWork(share=share):
            watch.watch(wiring.services(), share)
        case queue.JudgeWork(key=key):
            watch.judge_promptly(wiring.services(), key)


if cold_start.ON_LAMBDA:
    wiring.begin()
    cold_start.end()
