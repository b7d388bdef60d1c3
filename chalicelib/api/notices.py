"""/v1/hooks/alarms: what the backend of an alarm calls. The token in the path is the only authentication."""

from __future__ import annotations

import re
from typing import Any

from chalice.app import Blueprint

from chalicelib.api.context import Call, is_token, known_id
from chalicelib.api.documents.executions import hook_reply
from chalicelib.api.documents.notices import NoticeReply
from chalicelib.api.operation import Access, Reply, operation
from chalicelib.core.errors import NotFound
from chalicelib.core.ids import AlarmId, ProjectId
from chalicelib.flows import notices as flow
from chalicelib.flows.backends import HOOK_PATH
from chalicelib.intake import notice

blueprint = Blueprint(__name__)

_PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}")


@operation(
    blueprint,
    "POST",
    f"{HOOK_PATH}/{{project_id}}/{{alarm_id}}/{{token}}",
    access=Access.OPEN,
    body=dict[str, Any],
    body_is_raw=True,
    any_query=True,
    answers={202: NoticeReply},
    content_types=("*/*",),
)
def call_alarm_hook(call: Call, project_id: str, alarm_id: str, token: str) -> Reply:
    """Tell the state of an alarm that you evaluate: a backend does, at every evaluation."""
    if not _PROJECT.fullmatch(project_id) or not is_token(token):
        raise NotFound("webhook.unknown", "There is no such webhook.")
    known = AlarmId(known_id(alarm_id, "alarm"))
    alarm = flow.alarm_of_hook(call.services, ProjectId(project_id), known, token)
    said, event_id = notice.parse(call.raw_body, call.headers)
    executions = flow.notified(call.services, alarm, said, event_id, call.request_id)
    return Reply(NoticeReply(executions=[hook_reply(each) for each in executions]), 202)
