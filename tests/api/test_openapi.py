"""The OpenAPI document: sound in itself, and of exactly the routes that there are.

That every answer of the tests is as it promises, ``tests.api.contract`` sees to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from app import app
from chalicelib.api import openapi
from chalicelib.api.operation import OPERATIONS
from tests.api.contract import Described, operations

DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi.document(OPERATIONS, "http://scale.example")))
ALL = list(operations(DOCUMENT))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within ``value``."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_the_validator_above_would_notice() -> None:
    broken = json.loads(json.dumps(DOCUMENT))
    broken["paths"]["/v1/groups"]["get"]["responses"] = []
    with pytest.raises(Exception, match="responses"):
        schemathesis.openapi.from_dict(broken).validate()


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_is_json_schema(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
    jsonschema_rs.Draft202012Validator(
        {"components": DOCUMENT["components"], **schema}, validate_formats=True
    )


def test_every_reference_resolves_and_every_schema_is_used() -> None:
    referred = {node["$ref"] for node in nodes(DOCUMENT) if "$ref" in node}
    referred |= {
        to
        for node in nodes(DOCUMENT)
        if isinstance(node.get("mapping"), dict)
        for to in node["mapping"].values()
    }
    assert referred == {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}


def test_it_has_every_route_and_no_other() -> None:
    routes = {(method, path) for path, methods in app.routes.items() for method in methods}
    assert {(each.method, each.path) for each in ALL} == routes


def test_every_operation_has_a_name_of_its_own_and_a_summary() -> None:
    assert len({str(each) for each in ALL}) == len(ALL)
    assert all(each.description["summary"].endswith((".", ")")) for each in ALL)


@pytest.mark.parametrize("described", ALL, ids=str)
def test_what_is_in_a_path_is_described(described: Described) -> None:
    in_path = [p["name"] for p in described.description["parameters"] if p["in"] == "path"]
    assert in_path == described.parameters


@pytest.mark.parametrize("described", ALL, ids=str)
def test_its_failures_are_promised(described: Described) -> None:
    responses = described.description["responses"]
    assert {"400", "404", "413", "503"} <= responses.keys()
    assert ("401" in responses) is not described.is_open
    takes_etag = any(p["name"] == "If-Match" for p in described.description["parameters"])
    assert ("412" in responses) is takes_etag
    assert any(re.fullmatch("20[0-9]", status) for status in responses)


def test_no_input_takes_what_it_does_not_know() -> None:
    bodies = [
        each.description["requestBody"]["content"]["application/json"]["schema"]
        for each in ALL
        if "requestBody" in each.description
        and str(each) not in ("call_hook", "put_to_hook", "notify_policy")
        and openapi.FOREIGN not in each.description
    ]
    names = {ref["$ref"].rpartition("/")[2] for body in bodies for ref in nodes(body) if "$ref" in ref}
    assert len(names) >= len(bodies)
    for name in names:
        assert DOCUMENT["components"]["schemas"][name]["additionalProperties"] is False


def test_no_output_can_hold_a_secret() -> None:
    answers = [
        response
        for each in ALL
        for status, response in each.description["responses"].items()
        if status.startswith("2")
    ]
    shown = {
        node["$ref"].rpartition("/")[2] for answer in answers for node in nodes(answer) if "$ref" in node
    }
    for name in shown:
        fields = DOCUMENT["components"]["schemas"][name]["properties"]
        assert not [field for field in fields if "secret" in field or "hash" in field or field == "token"]
