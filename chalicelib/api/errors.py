"""Domain errors to statuses and the error document; documents to responses."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from chalice.app import Response

from chalicelib.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Stale,
    ThermostatError,
    TooLarge,
    TooOften,
    Unauthenticated,
    Unavailable,
)
from chalicelib.intake.metrics.answer import Answer

OF_EVERY_ANSWER: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Nothing here is a page: where a browser takes it for one, it may do nothing.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
OVER_TLS: Mapping[str, str] = {"Strict-Transport-Security": "max-age=31536000"}

_TOLD_MAX_CHARACTERS = 200
"""How much is told of a sentence that repeats what the caller sent."""

_STATUSES: Mapping[type[ThermostatError], HTTPStatus] = {
    Invalid: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Stale: HTTPStatus.PRECONDITION_FAILED,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TooOften: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ThermostatError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class ErrorItem(msgspec.Struct, kw_only=True):
    """One error: a stable dotted code for programs, a sentence for people."""

    request_id: str
    code: str
    status: int
    title: str
    detail: str


class ErrorDocument(msgspec.Struct, kw_only=True):
    """What every failed request is answered with."""

    errors: list[ErrorItem]


def error_item(error: ThermostatError, request_id: str) -> ErrorItem:
    """Return the error as it is shown."""
    status = _STATUSES[type(error)]
    return ErrorItem(
        request_id=request_id, code=error.code, status=status, title=status.phrase, detail=error.detail
    )


def error_response(error: ThermostatError, request_id: str) -> Response:
    """Return the response for a domain error."""
    item = error_item(error, request_id)
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if item.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Keystone"
    return response_of(ErrorDocument(errors=[item]), item.status, request_id, headers)


def response_of(document: Any, status: int, request_id: str, headers: Mapping[str, str]) -> Response:
    """Return a response with the headers that every answer carries."""
    body = "" if document is None else msgspec.json.encode(document).decode()
    return Response(
        body=body,
        status_code=status,
        headers={**_headers(request_id), **headers},
    )


def response_of_answer(answer: Answer, request_id: str) -> Response:
    """Return a response in a foreign protocol, with the headers that every answer carries."""
    is_text = answer.content_type.partition("/")[0] == "text" or "json" in answer.content_type
    headers: dict[str, str | list[str]] = {
        **_headers(request_id),
        "Content-Type": answer.content_type,
        **answer.headers,
    }
    if is_text:
        return Response(body=answer.body.decode(), status_code=answer.status, headers=headers)
    return _BytesResponse(body=answer.body, status_code=answer.status, headers=headers)


class _BytesResponse(Response):
    """A response of bytes, whatever the sender says it accepts.

    Chalice itself answers 400 where a request names no binary type in Accept, as senders of OTLP do not.
    The template makes API Gateway take every type for one that may be bytes.
    """

    def to_dict(self, binary_types: list[str] | None = None) -> dict[str, Any]:
        """Return what Lambda answers."""
        del binary_types  # which ones Chalice knows does not matter
        encoded = base64.b64encode(self.body).decode()
        return {**super().to_dict(), "body": encoded, "isBase64Encoded": True}


def _headers(request_id: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Openstack-Request-Id": request_id,
        **OF_EVERY_ANSWER,
    }


def kept_to_tls(response: Response) -> Response:
    """Return the response to a request that came by https: callers shall come no other way for a year."""
    for name, value in OVER_TLS.items():
        response.headers.setdefault(name, value)
    return response


def shortened(sentence: str) -> str:
    """Return the sentence, cut off where it repeats at length what the caller sent."""
    return sentence if len(sentence) <= _TOLD_MAX_CHARACTERS else f"{sentence[:_TOLD_MAX_CHARACTERS]}..."


def as_error_document(response: Response, request_id: str) -> Response:
    """Return ``response``, with an error of Chalice's own (405, 415, 500) made into our error document."""
    body = response.body
    if not (isinstance(body, dict) and body.keys() == {"Code", "Message"}):
        return response
    status = HTTPStatus(response.status_code)
    item = ErrorItem(
        request_id=request_id,
        code=f"autoscaling.request.{status.phrase.lower().replace(' ', '_')}",
        status=status,
        title=status.phrase,
        detail=shortened(str(body["Message"])),
    )
    kept = {name: str(value) for name, value in response.headers.items() if name == "Allow"}
    return response_of(ErrorDocument(errors=[item]), status, request_id, kept)
