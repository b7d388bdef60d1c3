"""One decorator makes a function an operation of the API: its route, its checks, its place in OpenAPI.

    @operation(blueprint, "POST", "/v1/groups", body=NewGroup, answer=GroupDocument, status=202)
    def create_group(call: Call, body: NewGroup) -> Reply: ...

Before the view runs: the token is validated and the role checked, unknown query parameters and malformed
bodies are refused. After it: domain errors become the error document, and every answer carries its
request id.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec
from chalice.app import Blueprint, Request, Response

from chalicelib import wiring
from chalicelib.api.context import BODY_MAX_BYTES, Call, base_of, query_of
from chalicelib.api.errors import error_response, response_of, response_of_answer, shortened
from chalicelib.core.credential import Caller
from chalicelib.core.errors import (
    Forbidden,
    Invalid,
    ThermostatError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from chalicelib.decoding import decoder_of
from chalicelib.flows import rates
from chalicelib.intake.metrics.answer import Answer
from chalicelib.ports import Services
from chalicelib.telemetry import ERRORS, INTERNAL, UNAVAILABLE, about, on_behalf_of

_log = logging.getLogger(__name__)


class Access(Enum):
    """Who may call: everybody, or which roles in the token's project."""

    OPEN = frozenset[str]()
    READ = frozenset({"reader", "member", "admin"})
    WRITE = frozenset({"member", "admin"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a view answers: a document (None for no content) and what goes into the headers."""

    document: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the OpenAPI document tells of an operation."""

    method: str
    path: str
    name: str
    summary: str
    access: Access
    body: Any
    body_required: bool
    answers: Mapping[int, Any]
    query: tuple[str, ...]
    if_match: bool
    foreign: tuple[str, ...]


OPERATIONS: list[Operation] = []
"""Every operation, in the order in which the modules of the API were imported."""

View = Callable[..., Reply | Answer]
"""What is decorated; one that speaks a foreign protocol returns the answer as it is to be sent."""

Refusal = Callable[[ThermostatError, Mapping[str, str]], Answer]
"""Tells an error in a foreign protocol, given the request's headers."""


def operation(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    answers: Mapping[int, Any],
    access: Access | None = None,
    body: Any = None,
    body_required: bool = True,
    body_is_raw: bool = False,
    query: tuple[str, ...] = (),
    any_query: bool = False,
    body_max_bytes: int = BODY_MAX_BYTES,
    refusal: Refusal | None = None,
    foreign: tuple[str, ...] = (),
    if_match: bool = False,
    content_types: tuple[str, ...] = ("application/json",),
) -> Callable[[View], View]:
    """Make a view an operation.

    Args:
        answers: the document type of each status that is a success (None: no content).
        access: who may call; by default readers for GET and members for the rest.
        body: the type of the JSON body, handed to the view decoded.
        body_required: whether there must be one; else none stands for an empty document.
        body_is_raw: the view reads ``call.raw_body`` itself; ``body`` is for the OpenAPI document only.
        query: the query parameters that it knows; another one is refused.
        any_query: whether others are handed to the view, too: senders add some of their own.
        body_max_bytes: how many bytes of a body are read.
        refusal: how an error is told in the sender's protocol; by default with our error document.
        foreign: the media types of requests and answers, where they are of a protocol that is not ours.
        if_match: whether it heeds If-Match.
    """
    needed = access or (Access.READ if method == "GET" else Access.WRITE)

    def register(view: View) -> View:
        summary = (view.__doc__ or "").strip().partition("\n")[0]
        OPERATIONS.append(
            Operation(
                method=method,
                path=path,
                name=view.__name__,
                summary=summary,
                access=needed,
                body=body,
                body_required=body_required,
                answers=answers,
                query=query,
                if_match=if_match,
                foreign=foreign,
            )
        )

        @functools.wraps(view)
        def run(**path_arguments: str) -> Response:
            request = blueprint.current_request
            decode = None if body_is_raw or body is None else _decoder(body, required=body_required)
            known = None if any_query else frozenset(query)
            tagless = not if_match and needed is not Access.OPEN and method in ("DELETE", "PATCH", "PUT")
            handling = _Handling(needed, decode, known, body_max_bytes, refusal, tagless)
            return _answer(request, view, path_arguments, handling)

        blueprint.route(path, methods=[method], name=view.__name__, content_types=list(content_types))(run)
        return view

    return register


@dataclass(frozen=True, slots=True)
class _Handling:
    """What is done around a view.

    Attributes:
        tagless: it changes what has no ETag, so no If-Match can hold.
    """

    access: Access
    decode: Callable[[bytes], Any] | None
    query: frozenset[str] | None
    body_max_bytes: int
    refusal: Refusal | None
    tagless: bool


def _answer(request: Request, view: View, path_arguments: Mapping[str, str], handling: _Handling) -> Response:
    """Run a view, and turn what comes of it into a response."""
    request_id = f"req-{wiring.new_id()}"
    with on_behalf_of(request_id):
        return _answer_to(request_id, request, view, path_arguments, handling)


def _answer_to(
    request_id: str, request: Request, view: View, path_arguments: Mapping[str, str], handling: _Handling
) -> Response:
    try:
        services = wiring.services()
        call = Call(
            services=services,
            request_id=request_id,
            base=base_of(request, wiring.settings().public_url),
            query=query_of(request, handling.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            raw_body=_raw_body(request, handling.body_max_bytes),
            known_caller=_caller(services, request, handling.access),
        )
        if handling.tagless:
            _require_no_etag(call)
        decoded = {} if handling.decode is None else {"body": handling.decode(call.raw_body)}
        reply = view(call, **path_arguments, **decoded)
    except ThermostatError as error:
        _log.info("refused: %s", error.detail, extra=_told(error, view.__name__))
        return _refused(request, error, request_id, handling)
    except Exception:  # noqa: BLE001 -- the boundary: Chalice would log the path, and a hook's path holds its token
        told = about((ERRORS, 1), kind=INTERNAL, operation=view.__name__)
        _log.exception("unexpected failure", extra=told)
        unexpected = ThermostatError(
            "internal", "Something went wrong here; the request id finds it in the log."
        )
        return _refused(request, unexpected, request_id, handling)
    if isinstance(reply, Answer):
        return response_of_answer(reply, request_id)
    return response_of(reply.document, reply.status, request_id, reply.headers)


def _told(error: ThermostatError, operation: str) -> dict[str, Any]:
    """Return the fields of a refusal's line. That we cannot serve a good request counts as an error."""
    if isinstance(error, Unavailable):
        return about((ERRORS, 1), kind=UNAVAILABLE, code=error.code, operation=operation)
    return about(code=error.code, operation=operation)


def _refused(request: Request, error: ThermostatError, request_id: str, handling: _Handling) -> Response:
    if handling.refusal is None:
        return error_response(error, request_id)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return response_of_answer(handling.refusal(error, headers), request_id)


def _require_no_etag(call: Call) -> None:
    if call.headers.get("if-match", "*") != "*":
        raise Invalid("request.if_match", "This has no ETag that If-Match could name: leave it out.")


def _raw_body(request: Request, max_bytes: int) -> bytes:
    raw = request.raw_body or b""
    raw = raw.encode() if isinstance(raw, str) else raw
    if len(raw) > max_bytes:
        raise TooLarge("request.too_large", f"A body has at most {max_bytes} bytes.")
    return raw


def _caller(services: Services, request: Request, access: Access) -> Caller | None:
    """Return who asks, when the operation is not open to everybody.

    Raises:
        Unauthenticated, Forbidden: there is no token, or it lacks the role.
        TooOften: the project asks more often than is allowed.
    """
    if access is Access.OPEN:
        return None
    token = request.headers.get("x-auth-token")
    if not token:
        raise Unauthenticated("token.missing", "Send a project-scoped Keystone token as X-Auth-Token.")
    caller = services.identity.authenticate(token)
    if not caller.roles & access.value:
        wanted = " or ".join(sorted(access.value))
        raise Forbidden("token.role", f"This needs the role {wanted} in the project.")
    rates.admit_call(services, caller.project_id)
    return caller


def _decoder(body: Any, *, required: bool) -> Callable[[bytes], Any]:
    """Return what makes a document of a body; where none is required, none stands for an empty one."""
    decoder = decoder_of(body)

    def decode(raw: bytes) -> Any:
        if not raw and required:
            raise Invalid("request.body", "A body is needed.")
        try:
            return decoder.decode(raw or b"{}")
        except msgspec.ValidationError as error:
            raise Invalid("request.body", f"The body does not fit: {_said(error)}.") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid("request.body", "The body is not JSON.") from error

    return decode


def _said(error: msgspec.ValidationError) -> str:
    """Return what does not fit and where, without the value itself: it may be a secret in the wrong place."""
    return shortened(
        re.sub(r"^(Invalid (?:enum )?value) .*?( - at `[^`]*`)?$", r"\1\2", str(error), flags=re.DOTALL)
    )
