"""The OpenAPI 3.1 document, made from the operations and the types that check the requests themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from chalicelib.api.context import LIMIT_DEFAULT, LIMIT_MAX
from chalicelib.api.errors import ErrorDocument
from chalicelib.api.operation import Access, Operation

_UUID = {"type": "string", "format": "uuid"}
_QUERY: Mapping[str, Mapping[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    "marker": _UUID,
    "group_id": _UUID,
    "credential_id": _UUID,
    "replace": {"type": "string", "enum": ["true", "false"], "default": "true"},
}
_NEEDED = {
    ("list_executions", "group_id"),
    ("list_activities", "group_id"),
    ("show_stack", "credential_id"),
}

FOREIGN = "x-thermostat-foreign-protocol"
"""Marks an operation whose requests and answers are of a protocol that is not ours to describe."""

_HEADERS = {
    "X-Openstack-Request-Id": {
        "description": "Finds the request in our log, and in Nova's where it led there.",
        "schema": {"type": "string"},
    }
}


def document(operations: Iterable[Operation], base: str) -> dict[str, Any]:
    """Return the OpenAPI document of ``operations``, served at ``base``."""
    operations = list(operations)
    types = _types(operations)
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Thermostat",
            "version": "1.0",
            "description": "Autoscaling as a service for OpenStack.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "schemas": portable(components),
            "securitySchemes": {
                "keystone": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Auth-Token",
                    "description": "A project-scoped Keystone token.",
                }
            },
        },
    }


def portable(schema: Any) -> Any:
    r"""Return the schema with its patterns as ECMAScript writes them, whose ``$`` is Python's ``\Z``."""
    match schema:
        case dict():
            return {name: portable(value) for name, value in schema.items()}
        case list() | tuple():
            return [portable(value) for value in schema]
        case str():
            return re.sub(r"\\Z$", "$", schema)
        case _:
            return schema


def _types(operations: Iterable[Operation]) -> list[Any]:
    """Return every type that a schema is needed for, each once."""
    found: dict[int, Any] = {id(ErrorDocument): ErrorDocument}
    for operation in operations:
        for type_ in (operation.body, *operation.answers.values()):
            if type_ is not None:
                found.setdefault(id(type_), type_)
    return list(found.values())


def _describe(operation: Operation, schema_of: Mapping[int, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation, schema_of),
        "security": [] if operation.access is Access.OPEN else [{"keystone": []}],
    }
    if operation.foreign:
        described[FOREIGN] = True
        described["requestBody"] = {"required": False, "content": _foreign(operation)}
    elif operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": schema_of[id(operation.body)]}},
        }
    return described


_NO_UUIDS = ("stack", "project_id")
"""What Heat and Keystone name in paths: a name or an id, and an id of 32 hexadecimal digits."""


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", operation.path)
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"} if name in _NO_UUIDS or name.endswith("token") else _UUID,
        }
        for name in names
    ]
    in_query = [
        {
            "name": name,
            "in": "query",
            "required": (operation.name, name) in _NEEDED,
            "schema": _QUERY[name],
        }
        for name in operation.query
    ]
    in_header = [{"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}}]
    return [*in_path, *in_query, *(in_header if operation.if_match else [])]


def _responses(operation: Operation, schema_of: Mapping[int, Any]) -> dict[str, Any]:
    failures = [400, 403, 404, 405, 409, 413, 415, 429, 503]
    failures += [] if operation.access is Access.OPEN else [401]
    failures += [412] if operation.if_match else []
    if operation.foreign:
        promised = {
            **dict.fromkeys(failures, "What went wrong."),
            **dict.fromkeys(operation.answers, "Done."),
        }
        return {
            str(status): {"description": said, "headers": _HEADERS, "content": _foreign(operation)}
            for status, said in sorted(promised.items())
        }
    error = schema_of[id(ErrorDocument)]
    return {
        **{str(status): _response("What went wrong.", error) for status in sorted(failures)},
        **{
            str(status): _response("Done.", None if type_ is None else schema_of[id(type_)])
            for status, type_ in operation.answers.items()
        },
    }


def _foreign(operation: Operation) -> dict[str, Any]:
    return {media_type: {} for media_type in operation.foreign}


def _response(description: str, schema: Any) -> dict[str, Any]:
    response: dict[str, Any] = {"description": description, "headers": _HEADERS}
    if schema is not None:
        response["content"] = {"application/json": {"schema": schema}}
    return response
