"""Who calls a webhook, and who has stopped: noted with its deliveries, noticed by the minute's sweep.

Only webhooks with ``expected_every`` are watched. A note is a hint about the sender, never a condition for
scaling: where somebody else noted first, or the table does not answer, it is left out.
"""

from __future__ import annotations

import logging

from chalicelib.core.activity import Activity, ActivityKind
from chalicelib.core.errors import Unavailable
from chalicelib.core.ids import ActivityId
from chalicelib.core.policy import Webhook
from chalicelib.core.source import Refusal, Source
from chalicelib.ports import Services
from chalicelib.telemetry import ERRORS, SOURCES_HEARD, SOURCES_SILENT, UNAVAILABLE, about

_log = logging.getLogger(__name__)

_WEBHOOKS_MAX = 100
"""What one sweep of one shard notes; the rest is the longest overdue at the next minute."""


def heard(s: Services, webhook: Webhook, request_id: str) -> None:
    """Note a delivery; the first one after a silence is told in the group's story."""
    was = webhook.source
    if was is None:
        return
    now = was.heard(s.now())
    back = None
    if was.silent_since is not None:
        detail = f"Webhook {webhook.name!r} is called again, after a silence since {was.silent_since:%FT%TZ}."
        back = _line(s, webhook, ActivityKind.SOURCE_HEARD, detail, request_id)
    if _note(s, webhook, was, now, back) and back is not None:
        told = about((SOURCES_HEARD, 1), request_id=request_id, **_names(webhook))
        _log.info("a silent alarm source is heard again", extra=told)


def refused(s: Services, webhook: Webhook, code: str) -> None:
    """Note that a delivery was refused: it may be why the source seems silent."""
    was = webhook.source
    if was is not None:
        _note(s, webhook, was, was.refused(Refusal(code=code, at=s.now())), None)


def sweep(s: Services, shard: int) -> None:
    """Note the webhooks of the shard whose call is overdue as silent; tell it in their groups' stories.

    Two sweeps at once note it once, and a delivery that comes meanwhile wins: each note is written only on
    what was read.
    """
    now = s.now()
    for webhook in s.webhooks.overdue(shard, now, _WEBHOOKS_MAX):
        was = webhook.source
        if was is None or was.overdue_at is None or now < was.overdue_at:
            continue
        detail = (
            f"Nobody calls webhook {webhook.name!r}, though a call is expected every "
            f"{was.expected_every_seconds} s: {was.cause}."
        )
        line = _line(s, webhook, ActivityKind.SOURCE_SILENT, detail, f"req-{s.new_id()}")
        if s.webhooks.note(webhook, was.silenced(), line):
            told = about((SOURCES_SILENT, 1), request_id=line.request_id, **_names(webhook))
            _log.warning("an alarm source is silent", extra=told)


def _note(s: Services, webhook: Webhook, was: Source, now: Source, activity: Activity | None) -> bool:
    """Write the note; return whether it was ours that was written."""
    if now is was:
        return False
    try:
        return s.webhooks.note(webhook, now, activity)
    except Unavailable as error:
        told = about((ERRORS, 1), kind=UNAVAILABLE, code=error.code, **_names(webhook))
        _log.warning("what an alarm source did was not noted", extra=told)
        return False


def _names(webhook: Webhook) -> dict[str, str]:
    return {"project_id": webhook.project_id, "group_id": webhook.group_id, "webhook_id": webhook.id}


def _line(s: Services, webhook: Webhook, kind: ActivityKind, detail: str, request_id: str) -> Activity:
    return Activity(
        project_id=webhook.project_id,
        group_id=webhook.group_id,
        id=ActivityId(s.new_id()),
        kind=kind,
        detail=detail,
        members=(),
        request_id=request_id,
        created_at=s.now(),
    )
