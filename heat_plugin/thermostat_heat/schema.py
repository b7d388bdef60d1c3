"""Fields as Heat declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heat.engine import constraints, properties

from .fields import ANY, BOOLEAN, INTEGER, LIST, MAP, NUMBER, STRING, Field, Shape

_KINDS = {
    STRING: properties.Schema.STRING,
    INTEGER: properties.Schema.INTEGER,
    NUMBER: properties.Schema.NUMBER,
    BOOLEAN: properties.Schema.BOOLEAN,
    MAP: properties.Schema.MAP,
    LIST: properties.Schema.LIST,
    ANY: properties.Schema.ANY,
}


def properties_schema(shape: Shape) -> dict[str, Any]:
    """Return the properties of a resource type."""
    return _schemas(shape.fields)


def _schemas(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {name: _schema(field) for name, field in fields.items()}


def _schema(field: Field) -> Any:
    inner = _schema(field.items) if field.items is not None else _schemas(field.fields) or None
    return properties.Schema(
        _KINDS[field.kind],
        field.says,
        default=field.default,
        required=field.required,
        update_allowed=field.updatable,
        constraints=_constraints(field),
        schema=inner,
    )


def _constraints(field: Field) -> list[Any]:
    found: list[Any] = []
    if field.values:
        found.append(constraints.AllowedValues(list(field.values)))
    if field.least is not None or field.most is not None:
        found.append(constraints.Range(field.least, field.most))
    if field.constraint is not None:
        found.append(constraints.CustomConstraint(field.constraint))
    return found
