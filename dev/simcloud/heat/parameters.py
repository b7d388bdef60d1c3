"""The parameters of a stack: what the template allows, what was given, and what that comes to."""

from __future__ import annotations

import json
import re
from typing import Any

from dev.simcloud.heat.errors import HeatRefused, invalid
from dev.simcloud.heat.templates import parameters_of
from dev.simcloud.messages import Document

_TYPES = ("string", "number", "boolean", "comma_delimited_list", "json")
_BOOLEANS = {"t": True, "true": True, "on": True, "y": True, "yes": True, "1": True}
_BOOLEANS |= {"f": False, "false": False, "off": False, "n": False, "no": False, "0": False}


def check_known(template: Document, given: Document) -> None:
    """Refuse a parameter that the template has not; an update by PATCH does not."""
    for name in given:
        if name not in parameters_of(template):
            message = f"The Parameter ({name}) was not defined in template."
            raise HeatRefused(400, "UnknownUserParameter", message)


def values_of(template: Document, given: Document) -> Document:
    """Return each parameter's value; refuse what is missing, or is not what the template allows."""
    return {name: _value(name, schema, given) for name, schema in parameters_of(template).items()}


def shown(template: Document, given: Document) -> dict[str, str]:
    """Return each parameter as a stack shows it: as text, and a hidden one not at all."""
    values = values_of(template, given)
    return {
        name: "******" if schema.get("hidden") else _text(values[name])
        for name, schema in parameters_of(template).items()
    }


def described(template: Document) -> dict[str, Document]:
    """Return each parameter as the validation of a template tells of it."""
    return {name: _described(name, schema) for name, schema in parameters_of(template).items()}


def _described(name: str, schema: Document) -> Document:
    described: Document = {
        "Type": "".join(word.title() for word in _type(schema).split("_")),
        "Description": schema.get("description", ""),
        "NoEcho": str(bool(schema.get("hidden"))).lower(),
        "Label": schema.get("label", name),
    }
    return described | ({"Default": schema["default"]} if "default" in schema else {})


def _value(name: str, schema: Document, given: Document) -> Any:
    kind = _type(schema)
    if name not in given and "default" not in schema:
        raise HeatRefused(400, "UserParameterMissing", f"The Parameter ({name}) was not provided.")
    try:
        value = _typed(kind, given.get(name, schema.get("default")))
        for constraint in schema.get("constraints") or ():
            _check(value, constraint)
    except ValueError as error:
        raise invalid(f"Parameter '{name}' is invalid: {error}") from None
    return value


def _type(schema: Any) -> str:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind not in _TYPES:
        raise HeatRefused(400, "InvalidSchemaError", f"Invalid type ({kind})")
    return str(kind)


def _typed(kind: str, given: Any) -> Any:
    if kind == "number":
        return given if isinstance(given, int | float) else _number(given)
    if kind == "boolean":
        return _boolean(given)
    if kind == "comma_delimited_list":
        return [each.strip() for each in given.split(",")] if isinstance(given, str) else list(given)
    if kind == "json":
        return json.loads(given) if isinstance(given, str) else given
    return given if isinstance(given, str) else _text(given)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _boolean(given: Any) -> bool:
    value = _BOOLEANS.get(str(given).lower())
    if value is None:
        raise ValueError(
            f"Unrecognized value '{given}', acceptable values are: {', '.join(sorted(_BOOLEANS))}"
        )
    return value


def _check(value: Any, constraint: Document) -> None:
    said = constraint.get("description")
    if "range" in constraint:
        low, high = (constraint["range"].get(bound) for bound in ("min", "max"))
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(said or f"{value} is out of range (min: {low}, max: {high})")
    if "length" in constraint:
        low, high = (constraint["length"].get(bound) for bound in ("min", "max"))
        if (low is not None and len(value) < low) or (high is not None and len(value) > high):
            raise ValueError(said or f"length ({len(value)}) is out of range (min: {low}, max: {high})")
    if "allowed_values" in constraint and value not in constraint["allowed_values"]:
        allowed = ", ".join(map(str, constraint["allowed_values"]))
        raise ValueError(said or f"{value} is not an allowed value [{allowed}]")
    if "allowed_pattern" in constraint and not re.fullmatch(constraint["allowed_pattern"], value):
        raise ValueError(said or f'"{value}" does not match pattern "{constraint["allowed_pattern"]}"')


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)
