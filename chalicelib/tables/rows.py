"""Rows: how the core's frozen values lie in DynamoDB.

A row has an attribute for each field of its value, under the same name. What conditions and indexes look at
is a plain attribute; documents are one JSON string each, which round-trips exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec
from pynamodb.attributes import Attribute
from pynamodb.constants import STRING
from pynamodb.expressions.update import Action
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, Projection
from pynamodb.models import Model

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
V = TypeVar("V", bound="DataclassInstance")
E = TypeVar("E", bound=StrEnum)


class DocumentAttribute(Attribute[T]):
    """A frozen value, or a tuple of some, as one JSON string.

    Args:
        default: what rows have that were written before there was such an attribute.
    """

    attr_type = STRING

    def __init__(self, type_: type[T], *, null: bool = False, default: T | None = None) -> None:
        super().__init__(null=null, default=default)
        self._decoder = msgspec.json.Decoder(type_, dec_hook=_decode)

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
        self._words = {type_: word for word, type_ in types.items()}
        self._decoders = {
            word: msgspec.json.Decoder(type_, dec_hook=_decode) for word, type_ in types.items()
        }

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
    """

    table: ClassVar[str]

    @classmethod
    def of(cls, value: DataclassInstance, **more: Any) -> Self:
        """Return the row that holds ``value``, with the table's own attributes beside it."""
        return cls(**{field.name: getattr(value, field.name) for field in fields(value)}, **more)

    def to(self, type_: type[V]) -> V:
        """Return the value that the row holds."""
        return type_(**{field.name: getattr(self, field.name) for field in fields(type_)})

    def setting(self, names: Iterable[str]) -> list[Action]:
        """Return the actions that write these attributes of the row; one that is None is removed."""
        attributes = self.get_attributes()
        return [
            attributes[name].remove() if value is None else attributes[name].set(value)
            for name, value in ((name, getattr(self, name)) for name in names)
        ]


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
