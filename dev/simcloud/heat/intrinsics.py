"""HOT's functions, as far as templates of groups and servers need them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from dev.simcloud.heat.errors import HeatRefused, invalid

_NOT_SIMULATED = frozenset(
    {
        "and", "contains", "digest", "equals", "filter", "if", "list_concat", "list_concat_unique",
        "make_url", "map_merge", "map_replace", "not", "or", "repeat", "resource_facade",
        "str_replace_strict", "str_replace_vstrict", "str_split", "yaql",
    }
)  # fmt: skip


class Scope(Protocol):
    """What the functions of one stack speak of."""

    def parameter(self, name: str) -> Any:
        """Return a parameter's value."""

    def resource(self, name: str) -> Any:
        """Return what a resource is known by elsewhere."""

    def attribute(self, name: str, path: tuple[Any, ...]) -> Any:
        """Return an attribute of a resource."""

    def file(self, name: str) -> str:
        """Return a file's text."""


def resolved(value: Any, scope: Scope) -> Any:
    """Return ``value`` with each function in it replaced by its result."""
    if isinstance(value, list):
        return [resolved(each, scope) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](resolved(argument, scope), scope)
        if name in _NOT_SIMULATED:
            raise invalid(f"The simulated Heat has no function {name}")
    return {name: resolved(each, scope) for name, each in value.items()}


def check_references(where: str, value: Any, names: set[str]) -> None:
    """Refuse a reference to a resource that is not among ``names``."""
    for name in references(value):
        if name not in names:
            message = f'The specified reference "{name}" (in {where}) is incorrect.'
            raise HeatRefused(400, "InvalidTemplateReference", message)


def references(value: Any) -> Iterator[str]:
    """Yield the names of the resources that ``value`` speaks of."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    if isinstance(value, dict):
        if len(value) == 1 and "get_resource" in value:
            yield value["get_resource"]
        elif len(value) == 1 and "get_attr" in value:
            yield value["get_attr"][0]
        else:
            for each in value.values():
                yield from references(each)


def within(value: Any, path: tuple[Any, ...]) -> Any:
    """Return what lies at ``path`` in a list or a map; None if nothing does."""
    for step in path:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (LookupError, TypeError, ValueError):
            return None
    return value


def _get_param(argument: Any, scope: Scope) -> Any:
    name, *path = argument if isinstance(argument, list) else [argument]
    return within(scope.parameter(name), tuple(path))


def _get_attr(argument: Any, scope: Scope) -> Any:
    name, *path = argument
    return scope.attribute(name, tuple(path))


def _str_replace(argument: Any, _scope: Scope) -> str:
    text = argument["template"]
    for name, value in sorted(argument["params"].items(), key=lambda item: -len(item[0])):
        text = text.replace(name, "" if value is None else str(value))
    return str(text)


def _list_join(argument: Any, _scope: Scope) -> str:
    separator, *lists = argument
    return str(separator).join(str(each) for some in lists for each in some or ())


_FUNCTIONS = {
    "get_param": _get_param,
    "get_resource": lambda argument, scope: scope.resource(argument),
    "get_attr": _get_attr,
    "get_file": lambda argument, scope: scope.file(argument),
    "str_replace": _str_replace,
    "list_join": _list_join,
}
