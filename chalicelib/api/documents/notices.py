"""What a backend is told that calls the hook of an alarm."""

from __future__ import annotations

import msgspec

from chalicelib.api.documents.executions import HookReply


class NoticeReply(msgspec.Struct, kw_only=True):
    """What came of each policy that the alarm's state sets in motion."""

    executions: list[HookReply]
