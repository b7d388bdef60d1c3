"""What every call to Nova has: a caller, a microversion, and policy to satisfy."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dev.simcloud.keystone import documents as keystone_documents
from dev.simcloud.keystone.tokens import Caller
from dev.simcloud.messages import Malformed, Refused, Request, Response

Version = tuple[int, int]

OLDEST: Version = (2, 1)
NEWEST: Version = (2, 104)
_HEADER = "OpenStack-API-Version"
_OLD_HEADER = "X-OpenStack-Nova-API-Version"
_KINDS = {
    400: "badRequest",
    403: "forbidden",
    404: "itemNotFound",
    409: "conflictingRequest",
    413: "overLimit",
    429: "overLimit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to Nova by somebody, under a microversion."""

    request: Request
    caller: Caller
    version: Version

    @property
    def project_id(self) -> str | None:
        """The project whose servers are meant."""
        return self.caller.token.project_id

    def check(self, rule: str, role: str) -> None:
        """Refuse the call unless the caller has ``role``, by itself or implied."""
        if role not in self.caller.roles:
            raise Refused(403, f"Policy doesn't allow os_compute_api:{rule} to be performed.")


def error(status: int, message: str) -> Response:
    """Return a refusal in Nova's shape; of a token, in Keystone's, for it is Keystone's middleware's."""
    if status == 401:
        return keystone_documents.error(status, message)
    body = {_KINDS.get(status, "computeFault"): {"code": status, "message": message}}
    return Response(status=status, body=body)


def version_of(request: Request) -> Version:
    """Return the microversion a request asks for; the oldest if it asks for none."""
    asked = _asked(request)
    if asked == "latest":
        return NEWEST
    match = re.fullmatch(r"(\d+)\.(\d+)", asked)
    if match is None:
        message = f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
        raise Malformed(message)
    version = int(match[1]), int(match[2])
    if not OLDEST <= version <= NEWEST:
        message = f"Version {asked} is not supported by the API. Minimum is 2.1 and maximum is 2.104."
        raise Refused(406, message)
    return version


def with_version(request: Request, response: Response) -> Response:
    """Return ``response`` with the microversion asked for, which Nova repeats even in a refusal."""
    asked = _asked(request)
    if asked == "latest":
        asked = f"{NEWEST[0]}.{NEWEST[1]}"
    headers = {_HEADER: f"compute {asked}", _OLD_HEADER: asked}
    return replace(response, headers=response.headers | headers)


def _asked(request: Request) -> str:
    asked = request.headers.get(_HEADER, "")
    if asked.startswith("compute "):
        return asked.removeprefix("compute ").strip()
    return request.headers.get(_OLD_HEADER, "2.1")
