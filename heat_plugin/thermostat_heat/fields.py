"""What a property of a resource type is: declared once, for Heat's schema and for the service's documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STRING, INTEGER, NUMBER, BOOLEAN = "string", "integer", "number", "boolean"
MAP, LIST, ANY = "map", "list", "any"

KEEP = object()
"""As ``reset``: nothing is sent when a template drops the property."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property.

    Attributes:
        kind: one of the kinds above.
        says: what it is, for ``openstack orchestration resource type show``.
        default: what is sent when the template does not give it; None sends nothing.
        reset: what is sent when an update of the template drops it: the service's own default. Only of use
            where there is no ``default``.
        updatable: it can change in place; else a change makes a new resource.
        own: it tells the plug-in what to do, and is not sent.
        values: the only ones there are.
        least, most: the range of a number.
        constraint: the name of one of Heat's custom constraints.
        fields: of a map, what it holds; without them it is passed on as it is.
        items: of a list, what its items are.
    """

    kind: str
    says: str
    required: bool = False
    default: Any = None
    reset: Any = KEEP
    updatable: bool = True
    own: bool = False
    values: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    constraint: str | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    items: Field | None = None


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One noun of the API as a resource type.

    Attributes:
        noun: what people call it.
        collection: the path where new ones are posted.
        item: the path below which one is found by its id; by default the collection.
        fields: its properties.
    """

    noun: str
    collection: str
    item: str = ""
    fields: Mapping[str, Field]

    def path(self, id_: str) -> str:
        """Return the path of one."""
        return f"{self.item or self.collection}/{id_}"


def new_document(shape: Shape, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is posted, of the properties that have a value."""
    return {
        name: bare(given[name], each)
        for name, each in shape.fields.items()
        if not each.own and given.get(name) is not None
    }


def patch_document(shape: Shape, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is patched; a property that was dropped, so that it is None, goes back to its default."""
    document: dict[str, Any] = {}
    for name, value in changed.items():
        declared = shape.fields[name]
        if declared.own or (value is None and declared.reset is KEEP):
            continue
        document[name] = declared.reset if value is None else bare(value, declared)
    return document


def differing(shape: Shape, present: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties in which a document is not yet as it is to be; None for one that is dropped."""
    changed: dict[str, Any] = {}
    for name, declared in shape.fields.items():
        if declared.own or not declared.updatable:
            continue
        wanted, has = after.get(name), present.get(name)
        if wanted is None and (declared.reset is KEEP or has in (None, declared.reset)):
            continue
        if wanted is None or bare(wanted, declared) != has:
            changed[name] = wanted
    return changed


def bare(value: Any, declared: Field) -> Any:
    """Return a value without what Heat adds where a map's fields are declared: None for each not given."""
    if declared.fields and isinstance(value, Mapping):
        given = {name: inner for name, inner in value.items() if inner is not None}
        return {name: bare(inner, declared.fields[name]) for name, inner in given.items()}
    if declared.items is not None and isinstance(value, list):
        return [bare(inner, declared.items) for inner in value]
    return value
