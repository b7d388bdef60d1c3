"""Heat's documents: the few calls that look at a stack, and the two that set its groups in motion.

Which stack is meant is named by name and id together wherever something is asked for: Heat answers 404
when the two do not belong together, and so a stack made anew under an old name is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast
from urllib.parse import quote

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import NotFound
from requests import Response

from chalicelib.openstack.answers import errors_of, require_its_own
from chalicelib.openstack.translation import twice
from chalicelib.ports.cloud import CloudUnavailable

_LISTING_TIMEOUT_SECONDS = 30
_DEPTH = 4
"""How deep nested stacks are looked into; Heat bounds how many resources there are in all."""

Document = dict[str, Any]


class Heat:
    """Heat, over an adapter that authenticates as the owner; documents go in and out as they are.

    What shows something returns None when Heat says that it does not exist.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def stack(self, name_or_id: str) -> Document | None:
        """Return a stack; by its id also one that was deleted lately."""
        path = f"/stacks/{_quoted(name_or_id)}"
        return cast(Document | None, self._shown(path, "stack", resolve_outputs="False"))

    def template(self, stack: Document) -> Document | None:
        """Return the stack's template, parsed."""
        with _errors_of_heat():
            try:
                answer = twice(lambda: self._adapter.get(f"{_path(stack)}/template"))
            except NotFound as error:
                require_its_own(error)
                return None
        return _object(answer)

    def resources(self, stack: Document) -> Sequence[Document]:
        """Return the resources of the stack and of those nested in it; none of a stack that is gone."""
        shown = self._shown(
            f"{_path(stack)}/resources", "resources", _LISTING_TIMEOUT_SECONDS, nested_depth=_DEPTH
        )
        return cast(Sequence[Document], shown or ())

    def metadata(self, stack: Document, resource: str) -> Document | None:
        """Return a resource's metadata."""
        path = f"{_path(stack)}/resources/{_quoted(resource)}/metadata"
        return cast(Document | None, self._shown(path, "metadata"))

    def patch(self, name: str, id_: str, parameters: Mapping[str, object]) -> None:
        """Update the stack by these parameters, once; all others, and the template, stay."""
        assert parameters, "an update without parameters may shrink a group"
        with _errors_of_heat():
            self._adapter.patch(_path_of(name, id_), json={"parameters": dict(parameters)})

    def signal(self, name: str, id_: str, resource: str) -> None:
        """Signal a resource of the stack, once."""
        with _errors_of_heat():
            self._adapter.post(f"{_path_of(name, id_)}/resources/{_quoted(resource)}/signal", json={})

    def _shown(self, path: str, noun: str, timeout_seconds: int | None = None, **query: Any) -> Any:
        more = {} if timeout_seconds is None else {"timeout": timeout_seconds}
        with _errors_of_heat():
            try:
                answer = twice(lambda: self._adapter.get(path, params=query, **more))
            except NotFound as error:
                require_its_own(error)
                return None
        document = _object(answer)
        if noun not in document:
            raise CloudUnavailable(f"Heat's answer has no {noun!r}.")
        return document[noun]


def _errors_of_heat() -> AbstractContextManager[None]:
    return errors_of("Heat", wanted="show, list, update and signal stacks")


def _object(answer: Response) -> Document:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CloudUnavailable("Heat's answer is no document.")
    return document


def _path(stack: Document) -> str:
    return _path_of(str(stack["stack_name"]), str(stack["id"]))


def _path_of(name: str, id_: str) -> str:
    return f"/stacks/{_quoted(name)}/{_quoted(id_)}"


def _quoted(segment: str) -> str:
    return quote(segment, safe="")
