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

import os
from collections.abc import Callable

from chalice.app import Chalice, CloudWatchEvent, Rate, Request, Response, SQSEvent

from chalicelib import wiring
from chalicelib.api import (
    activities,
    alarms,
    credentials,
    executions,
    groups,
    hooks,
    intakes,
    launch_configurations,
    members,
    notices,
    policies,
    samples,
    schedules,
    service,
    webhooks,
)
from chalicelib.api.context import came_over_tls
from chalicelib.api.errors import as_error_document, kept_to_tls
from chalicelib.flows import converge, sweep, watch
from chalicelib.queue import ConvergeWork, JudgeWork, SweepWork, WatchWork, parse

app = Chalice(app_name="thermostat")

for noun in (
    service,
    credentials,
    launch_configurations,
    groups,
    members,
    policies,
    webhooks,
    hooks,
    notices,
    alarms,
    executions,
    activities,
    intakes,
    samples,
    schedules,
):
    app.register_blueprint(noun.blueprint)


@app.middleware("http")
def on_the_way_out(event: Request, get_response: Callable[[Request], Response]) -> Response:
    """Answer what Chalice itself refuses (405, 415) with our error document, too; and keep callers to TLS."""
    response = as_error_document(get_response(event), f"req-{wiring.new_id()}")
    return kept_to_tls(response) if came_over_tls(event) else response


@app.schedule(Rate(1, unit=Rate.MINUTES))
def tick(event: CloudWatchEvent) -> None:
    """Each minute: have every shard of the due-time index swept."""
    del event  # the schedule says nothing but that a minute has passed
    sweep.tick(wiring.services())


@app.on_sqs_message(queue=f"thermostat-{os.environ.get('STAGE', 'local')}-work", batch_size=1)
def work(event: SQSEvent) -> None:
    """Each message: a round for a group, a shard's sweep or judging. A raise returns it to the queue."""
    for record in event:
        match parse(record.body):
            case ConvergeWork(key=key, request_id=request_id):
                converge.converge(wiring.services(), key, request_id)
            case SweepWork(shard=shard):
                sweep.sweep(wiring.services(), shard)
            case WatchWork(share=share):
                watch.watch(wiring.services(), share)
            case JudgeWork(key=key):
                watch.judge_promptly(wiring.services(), key)
