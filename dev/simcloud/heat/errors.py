"""Heat's refusals: each has a type, which clients tell them apart by, and a sentence."""

from __future__ import annotations

from http import HTTPStatus

from dev.simcloud.keystone import documents as keystone_documents
from dev.simcloud.messages import Response

_EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
    500: "The server has either erred or is incapable of performing the requested operation.",
}
_UNTYPED = {400: "HTTPBadRequest", 403: "HTTPForbidden", 404: "HTTPNotFound"}


class HeatRefused(Exception):
    """Heat answers with an error of a type; a ``message`` that is null is one it keeps to itself."""

    def __init__(self, status: int, kind: str, message: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def bad_request(message: str) -> HeatRefused:
    """Return the refusal of a request whose form is wrong."""
    return HeatRefused(400, "HTTPBadRequest", message)


def invalid(message: str) -> HeatRefused:
    """Return the refusal of a template, or of what it is to be given."""
    return HeatRefused(400, "StackValidationFailed", message)


def no_stack(name: str) -> HeatRefused:
    """Return the answer about a stack that is not there."""
    return HeatRefused(404, "EntityNotFound", f"The Stack ({name}) could not be found.")


def no_resource(name: str, stack_name: str) -> HeatRefused:
    """Return the answer about a resource that is not in a stack."""
    message = f"The Resource ({name}) could not be found in Stack {stack_name}."
    return HeatRefused(404, "ResourceNotFound", message)


def document(refused: HeatRefused) -> Response:
    """Return a refusal as Heat sends it."""
    error = {"type": refused.kind, "traceback": None}
    if refused.message is not None:
        error["message"] = refused.message
    body = {
        "code": refused.status,
        "title": HTTPStatus(refused.status).phrase,
        "explanation": _EXPLANATIONS.get(refused.status, HTTPStatus(refused.status).description),
        "error": error,
    }
    return Response(status=refused.status, body=body)


def error(status: int, message: str) -> Response:
    """Return a refusal without a type of its own; of a token, in Keystone's shape."""
    if status == 401:
        return keystone_documents.error(status, message)
    return document(HeatRefused(status, _UNTYPED.get(status, HTTPStatus(status).phrase.title()), message))
