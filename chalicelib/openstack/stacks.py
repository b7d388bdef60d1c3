"""Heat: the stacks of one project, one for each member of a group.

A stack's name is unique in its project: what is asked for twice is refused the second time, and so found
again. Heat lists stacks by their tags, which an update may drop: a stack that is not listed is asked for by
its id. Templates and parameters may be secret: no request that carries them is logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import Conflict as NameTaken
from keystoneauth1.exceptions import HttpError, NotFound

from chalicelib.core.ids import GroupId, ResourceId
from chalicelib.core.launch import StackTemplate
from chalicelib.core.member import GROUP_KEY, MEMBER_KEY, Resource, group_tag
from chalicelib.openstack.answers import document_of, errors_of
from chalicelib.openstack.translation import error_type, refused, twice
from chalicelib.ports.cloud import CloudRefused, CloudUnavailable, Order

_CREATION_TIMEOUT_SECONDS = 30
_PAGE_MAX = 200
_MARKS = (GROUP_KEY, MEMBER_KEY)
_DELETING = "DELETE_IN_PROGRESS"

_NO_TRUST = (
    "Heat could not make the trust of its own that it needs for each stack. Use a credential of type trust "
    "with redelegation: true; or, with an application credential, have the operator set "
    "[security_compliance] allow_insecure_application_credential_trust_escalation in keystone.conf."
)
_NONE_STORED = (
    "Heat stores passwords in place of trusts (deferred_auth_method = password), and has none of the owner: "
    "stacks of resources that act later (nested stacks, groups, policies) can only be created once the "
    "operator sets deferred_auth_method = trusts in heat.conf."
)


class NoTrustForHeat(CloudUnavailable):
    """Heat could not make its own trust from the token it was asked with, as far as its answer tells."""


class NameIsTaken(CloudRefused):
    """A stack of this name is in the project that is not what was asked for."""


class Stacks:
    """``ports.cloud.Cloud``, over an adapter that authenticates as the owner."""

    def __init__(
        self,
        adapter: Adapter,
        page_size: int = _PAGE_MAX,
        creation_timeout_seconds: float = _CREATION_TIMEOUT_SECONDS,
    ) -> None:
        self._adapter = adapter
        self._page_size = page_size
        self._creation_timeout_seconds = creation_timeout_seconds
        self._names: dict[ResourceId, str] = {}

    def resources_of(self, group_id: GroupId) -> Sequence[Resource]:
        """Return every stack that carries the group's tag and that of one of its members.

        The group's tag alone does not do: an owner may put it on any stack.
        """
        with errors_of_heat():
            found = self._listed({"tags": group_tag(group_id)})
        stacks = [self._seen(document) for document in found]
        return tuple(s for s in stacks if s.metadata.get(GROUP_KEY) == group_id and MEMBER_KEY in s.metadata)

    def resource(self, resource_id: ResourceId) -> Resource | None:
        """Return the stack, or None when Heat says there is none; one that was deleted is none."""
        with errors_of_heat():
            found = self._page({"id": resource_id})
        return next((self._seen(document) for document in found if document["id"] == resource_id), None)

    def create(self, order: Order) -> ResourceId:
        """Ask for a stack, once; return its id.

        A stack of this very name and mark is the answer to an earlier try of the same request, which was
        repeated on its way.
        """
        with errors_of_heat():
            try:
                answer = self._adapter.post(
                    "/stacks", json=creation(order), timeout=self._creation_timeout_seconds, log=False
                )
            except NameTaken:
                return self._of_earlier_try(order)
            except HttpError as error:
                raise _why_not_created(error) from error
        id_ = ResourceId(document_of(answer, "Heat", "stack")["stack"]["id"])
        self._names[id_] = order.name
        return id_

    def delete(self, resource_id: ResourceId) -> None:
        """Delete a stack; one already gone is a success."""
        if resource_id not in self._names and self.resource(resource_id) is None:
            return
        path = f"/stacks/{quote(self._names[resource_id], safe='')}/{quote(resource_id, safe='')}"
        with errors_of_heat():
            try:
                twice(lambda: self._adapter.delete(path))
            except NotFound as error:
                if not refused(error):
                    raise

    def label(self, resource_id: ResourceId, metadata: dict[str, str]) -> None:
        """Do nothing: a stack is told at its creation which member it is, and later only by an update."""

    def _of_earlier_try(self, order: Order) -> ResourceId:
        marks = set(_tags(order))
        for document in self._page({"name": order.name}):
            if document["stack_name"] == order.name and marks <= set(document.get("tags") or ()):
                return self._seen(document).id
        raise NameIsTaken(f"There is, or was a moment ago, another stack named {order.name}.")

    def _listed(self, query: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        """Return all stacks that the query selects, each once.

        A page begins after the last stack of the page before. When that one is deleted meanwhile Heat begins
        anew without a word: what is known is passed over, and what is new goes on.
        """
        found: dict[str, dict[str, Any]] = {}
        marker: dict[str, str] = {}
        while True:
            page = self._page({**query, **marker})
            new = {document["id"]: document for document in page if document["id"] not in found}
            found.update(new)
            if len(page) < self._page_size or not new:
                return tuple(found.values())
            marker = {"marker": page[-1]["id"]}

    def _page(self, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        params = {**query, "limit": self._page_size, "sort_keys": "creation_time", "sort_dir": "asc"}
        answer = twice(lambda: self._adapter.get("/stacks", params=params))
        found: list[dict[str, Any]] = document_of(answer, "Heat", "stacks")["stacks"]
        return found

    def _seen(self, document: Mapping[str, Any]) -> Resource:
        """Return the stack that Heat shows, and keep its name: without it none is deleted."""
        id_ = ResourceId(document["id"])
        self._names[id_] = document["stack_name"]
        status = str(document["stack_status"])
        return Resource(
            id=id_,
            name=document["stack_name"],
            status=status,
            task="deleting" if status == _DELETING else None,
            created_at=datetime.fromisoformat(document["creation_time"]),
            metadata=_marks(document.get("tags") or ()),
            fault=document.get("stack_status_reason") if status.endswith("_FAILED") else None,
        )


def errors_of_heat() -> AbstractContextManager[None]:
    """Turn keystoneauth's exceptions into those of ``ports.cloud``."""
    return errors_of("Heat", wanted="list, create and delete stacks")


def _why_not_created(error: HttpError) -> Exception:
    """Return what it means that Heat did not create a stack, where Heat itself does not say.

    When Keystone refuses Heat a trust, Heat answers 500 and names nothing but a RemoteError; so it does of
    whatever else goes wrong inside. That nothing was made is likely, and not certain.
    """
    kind = error_type(error)
    if error.http_status == HTTPStatus.INTERNAL_SERVER_ERROR and kind == "RemoteError":
        return NoTrustForHeat(_NO_TRUST)
    if kind == "MissingCredentialError":
        return CloudRefused(_NONE_STORED)
    return error


def creation(order: Order) -> dict[str, Any]:
    """Return Heat's document for the order.

    A stack that fails stays as it is: what Heat says of it is worth more than a rollback, and we delete it.

    Raises:
        TypeError: what is ordered is no stack.
    """
    if not isinstance(order.template, StackTemplate):
        raise TypeError("what is ordered of Heat is no stack")
    template = order.template.given(told(order.metadata))
    return {
        "stack_name": order.name,
        "template": template.template,
        "parameters": dict(template.parameters),
        "files": dict(template.files),
        "environment": dict(template.environment or {}),
        "timeout_mins": template.timeout_minutes,
        "disable_rollback": True,
        "tags": ",".join(_tags(order)),
    }


def told(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters by which a stack learns its group and its member, if it declares them."""
    return {key.replace(":", "_"): metadata[key] for key in _MARKS if key in metadata}


def _tags(order: Order) -> tuple[str, ...]:
    ours = [f"{key}:{order.metadata[key]}" for key in _MARKS if key in order.metadata]
    return tuple(dict.fromkeys((*order.template.tags, *order.tags, *ours)))


def _marks(tags: Sequence[str]) -> dict[str, str]:
    """Return what a stack was marked with, from its tags."""
    pairs = [
        (key, tag.removeprefix(f"{key}:")) for tag in tags for key in _MARKS if tag.startswith(f"{key}:")
    ]
    return dict(pairs)
