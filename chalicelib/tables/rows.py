"""Rows: how the core's frozen values lie in DynamoDB.

A row has an attribute for each field of its value, under the same name. What conditions and indexes look at
is a plain attribute; documents are one JSON string each, which round-trips exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from fractions import Fraction
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec
from pynamodb.attributes import Attribute, NumberAttribute
from pynamodb.constants import STRING
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, Projection
from pynamodb.models import Model

from chalicelib.core.errors import Unavailable
from chalicelib.decoding import decoder_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT = 1
"""What rows are written as. Goes up with a change that earlier releases would misread, and with no other
(docs/decisions/0015-upgrades.md); a row without the number is of format 1."""

T = TypeVar("T")
V = TypeVar("V", bound="DataclassInstance")
E = TypeVar("E", bound=StrEnum)

_FIRST = {"N": "1"}


class DocumentAttribute(Attribute[T]):
    """A frozen value, or a tuple of some, as one JSON string.

    Args:
        default: what rows have that were written before there was such an attribute.
    """

    attr_type = STRING

    def __init__(self, type_: type[T], *, null: bool = False, default: T | None = None) -> None:
        super().__init__(null=null, default=default)
        self._type = type_

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[T]:
        """Made when a row is first read: looking into types takes longer than decoding."""
        return decoder_of(self._type, _decode)

    def serialize(self, value: T) -> str:
        """Return the value as JSON."""
        return msgspec.json.encode(value, enc_hook=_encode).decode()

    def deserialize(self, value: str) -> T:
        """Return the value that ``serialize`` was given."""
        return self._decoder.decode(value)


class OneOfAttribute(Attribute[Any]):
    """A frozen value of one of several types, as one JSON string that says which.

    Args:
        types: by the word that stands for each in the row; a word never changes its meaning.
    """

    attr_type = STRING

    def __init__(self, types: Mapping[str, type[Any]]) -> None:
        super().__init__()
        self._types = types
        self._words = {type_: word for word, type_ in types.items()}

    @cached_property
    def _decoders(self) -> Mapping[str, msgspec.json.Decoder[Any]]:
        """Made when a row is first read, as that of a document."""
        return {word: decoder_of(type_, _decode) for word, type_ in self._types.items()}

    def serialize(self, value: Any) -> str:
        """Return the value as JSON, beside the word of its type."""
        return msgspec.json.encode([self._words[type(value)], value], enc_hook=_encode).decode()

    def deserialize(self, value: str) -> Any:
        """Return the value that ``serialize`` was given."""
        word, raw = msgspec.json.decode(value, type=tuple[str, msgspec.Raw])
        return self._decoders[word].decode(raw)


class WordAttribute(Attribute[E]):
    """A member of an enumeration, as its word."""

    attr_type = STRING

    def __init__(self, type_: type[E], *, null: bool = False) -> None:
        super().__init__(null=null)
        self._type = type_

    def serialize(self, value: E) -> str:
        """Return the member's word."""
        return value.value

    def deserialize(self, value: str) -> E:
        """Return the member with this word."""
        return self._type(value)


class RowIndex(GlobalSecondaryIndex["Row"]):
    """A global secondary index, named as the row's attribute that it is."""

    def __init_subclass__(cls, projection: Projection | None = None) -> None:
        cls.Meta = type("Meta", (), {"projection": projection or AllProjection()})
        super().__init_subclass__()  # type: ignore[no-untyped-call]


class Row(Model):
    """One item, which holds a value of the core field by field, and maybe attributes of the table's own.

    Attributes:
        table: the table's name, without the database's prefix.
        row_format: what the row was written as.
    """

    table: ClassVar[str]

    row_format = NumberAttribute(attr_name="v", null=True, default_for_new=FORMAT)

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Return the row of an item; NewerRelease if a later release wrote it otherwise."""
        require_known(data)
        return super().from_raw_data(data)

    def deserialize(self, attribute_values: dict[str, dict[str, Any]]) -> None:
        """Take what an update left in an item; NewerRelease if a later release wrote that."""
        require_known(attribute_values)
        super().deserialize(attribute_values)

    @classmethod
    def of(cls, value: DataclassInstance, **more: Any) -> Self:
        """Return the row that holds ``value``, with the table's own attributes beside it."""
        return cls(**{field.name: getattr(value, field.name) for field in fields(value)}, **more)

    def to(self, type_: type[V]) -> V:
        """Return the value that the row holds; what an earlier release did not write has its default."""
        held = ((field, getattr(self, field.name)) for field in fields(type_))
        return type_(**{f.name: value for f, value in held if value is not None or not _has_default(f)})

    @classmethod
    def held(cls, item: Mapping[str, Any], type_: type[V]) -> V:
        """Return the value an item holds, as ``from_raw_data(item).to(type_)`` in a third of its time."""
        require_known(item)
        values = {}
        for name, attribute_name, attribute, optional in _places(cls, type_):
            raw = item.get(attribute_name)
            if raw is None or "NULL" in raw:
                value = attribute.default
            else:
                value = attribute.deserialize(raw[attribute.attr_type])
            if value is not None or not optional:
                values[name] = value
        return type_(**values)

    def rewriting(self, names: Iterable[str]) -> list[Action]:
        """Return the actions that write these attributes, and what they are written as.

        They want a condition by which nobody has written the row since this release read it: else they
        could call what a later one wrote its own.
        """
        return self.setting(sorted({*names, "row_format"}))

    def setting(self, names: Iterable[str]) -> list[Action]:
        """Return the actions that write these attributes of the row; one that is None is removed."""
        attributes = self.get_attributes()
        return [
            attributes[name].remove() if value is None else attributes[name].set(value)
            for name, value in ((name, getattr(self, name)) for name in names)
        ]


@cache
def _places(
    row: type[Row], type_: type[DataclassInstance]
) -> tuple[tuple[str, str, Attribute[Any], bool], ...]:
    """Return each field's name, the item's name for it, its attribute, and whether it has a default."""
    attributes = row.get_attributes()
    return tuple(
        (f.name, attributes[f.name].attr_name, attributes[f.name], _has_default(f)) for f in fields(type_)
    )


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


class NewerRelease(Unavailable):
    """A row was written in a format that this release does not know, and would misread."""

    def __init__(self) -> None:
        super().__init__(
            "storage.newer_release",
            "This was written by a later release of the service than the one that answers.",
            retry_after_seconds=30,
        )


def require_known(item: Mapping[str, Any]) -> None:
    """Raise NewerRelease if a later release wrote the item in another format."""
    if int(item.get("v", _FIRST)["N"]) > FORMAT:
        raise NewerRelease


def joined(owner: str, id_: str) -> str:
    """Return the key of what belongs to ``id_`` in the project ``owner``."""
    return f"{owner}#{id_}"


def _encode(value: object) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise NotImplementedError(type(value))


def _decode(type_: type, value: Any) -> Any:
    if type_ is Fraction:
        return Fraction(value)
    raise NotImplementedError(type_)
