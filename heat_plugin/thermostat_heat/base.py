"""What all resource types have in common: one thing of the service's, made once, and known by its id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from heat.engine import attributes, resource
from keystoneauth1 import exceptions as keystone

from .errors import Gone, Refused
from .fields import Shape, differing, new_document, patch_document
from .polling import Polling
from .service import SERVICE_TYPE, Service, endpoint_of

_ASKED = "asked"
"""In the resource's data from when it is asked for until it is refused: meanwhile it may exist."""

_IN_USE_LOOKS = 60
"""How often a deletion is tried again while something else uses what is to go: some four minutes."""


def live(says: str, kind: str | None = None) -> Any:
    """Return an attribute that is asked for whenever it is read."""
    return attributes.Schema(says, cache_mode=attributes.Schema.CACHE_NONE, type=kind)


class ThermostatResource(resource.Resource):
    """A resource that the service keeps.

    Attributes:
        shape: the noun, with its properties.
        shown: attributes that are fields of the service's document.
        recovers: the last that was done to it failed.
    """

    shape: ClassVar[Shape]
    shown: ClassVar[frozenset[str]] = frozenset()
    always_replace_on_check_failed = False
    signal_needs_metadata_updates = False
    recovers = False

    @classmethod
    def is_service_available(cls, context: Any) -> tuple[bool, str | None]:
        """Say whether the catalogue has the service."""
        try:
            endpoint_of(context)
        except keystone.EndpointNotFound:
            return False, f"The catalogue has no service of type {SERVICE_TYPE}."
        return True, None

    @property
    def service(self) -> Service:
        """The service, asked with the token of whoever Heat acts for at present."""
        return Service(self.context)

    @property
    def path(self) -> str:
        """The path of what stands for this resource."""
        return self.shape.path(str(self.resource_id))

    def handle_create(self) -> Any:
        """Make it; asked again, the service answers with what it made the first time."""
        return self.made(self._create())

    def made(self, _document: Mapping[str, Any]) -> Any:
        """Look at what was made; return what ``check_create_complete`` needs."""
        return None

    def _create(self) -> dict[str, Any]:
        self.data_set(_ASKED, "yes")
        try:
            document = self.service.post(self.shape.noun, self._collection(), self._wanted())
        except Refused:
            self.data_delete(_ASKED)
            raise
        self.resource_id_set(document["id"])
        return document

    def _collection(self) -> str:
        return self.shape.collection

    def _wanted(self) -> dict[str, Any]:
        """Return what is posted: always the same for this very resource, so that it is made once."""
        return {**self.new_document(self.properties), "client_token": self._client_token()}

    def new_document(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of what the properties ask for."""
        return {"name": self.physical_resource_name(), **new_document(self.shape, given)}

    def _client_token(self) -> str:
        said = f"{self.stack.id}/{self.name}/{self.uuid}"
        return hashlib.sha256(said.encode()).hexdigest()

    def handle_update(self, json_snippet: Any, _tmpl_diff: Any, prop_diff: dict[str, Any]) -> Any:
        """Change what the template changed, and nothing else."""
        after = json_snippet.properties(self.properties_schema, self.context)
        document = self.patch_document(self.changes(prop_diff, after), after)
        if document:
            self.changed(self.service.patch(self.shape.noun, self.path, document))

    def changes(self, prop_diff: dict[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """Return the properties that change.

        Heat knows the difference to what it last completed. Where something failed since, nobody knows how
        far it came: then it is the difference to what is there.
        """
        if not self.recovers:
            return prop_diff
        return differing(self.shape, self._show_resource(), after)

    def patch_document(self, changed: dict[str, Any], _after: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is patched, of changed properties."""
        document = patch_document(self.shape, changed)
        if "name" in changed and changed["name"] is None:
            document["name"] = self.physical_resource_name()
        return document

    def changed(self, _document: Mapping[str, Any]) -> None:
        """Look at what a change is answered with."""

    def _needs_update(self, *arguments: Any, **named: Any) -> bool:
        """Say whether there is something to do: what failed is made good, also by the same template."""
        self.recovers = self.status == self.FAILED
        return bool(super()._needs_update(*arguments, **named)) or self.recovers

    def needs_replace_failed(self) -> bool:
        """Say whether one that failed is made anew: only where it does not exist, or is on its way out."""
        if self.resource_id is None:
            return True
        try:
            return self._show_resource().get("status") == "deleting"
        except Gone:
            return True

    def handle_delete(self) -> Polling | None:
        """Delete it; what is gone already is deleted."""
        if self.resource_id is None and not self._find():
            return None
        return Polling()

    def _find(self) -> bool:
        """Find what was asked for where the answer was lost, by asking again; say whether there is any."""
        if _ASKED not in self.data():
            return False
        try:
            self._create()
        except Refused:
            return False
        return True

    def check_delete_complete(self, polling: Polling | None) -> bool:
        """Say whether it is deleted; while something else still uses it, that is tried again."""
        if polling is None:
            return True
        try:
            polling.ask(lambda: self.service.delete(self.shape.noun, self.path))
        except Gone:
            return True
        except Refused as refused:
            if not refused.code.endswith(".in_use") or polling.looks >= _IN_USE_LOOKS:
                raise
            raise polling.later() from None
        return True

    def handle_check(self) -> None:
        """Fail where it does not exist, or is in trouble."""
        self.check_document(self._show_resource())

    def check_document(self, _document: Mapping[str, Any]) -> None:
        """Fail where the document tells of trouble."""

    def _show_resource(self) -> dict[str, Any]:
        return self.service.get(self.shape.noun, self.path)

    def parse_live_resource_data(self, properties: Any, document: dict[str, Any]) -> dict[str, Any]:
        """Return what the service has of the properties that can be changed, for updates that look at it."""
        return {
            name: document.get(name)
            for name, field in self.shape.fields.items()
            if field.updatable and not field.own and properties.get(name) is not None
        }

    def _resolve_attribute(self, name: str) -> Any:
        if self.resource_id is None:
            return None
        try:
            return self.attribute(name)
        except Gone:
            return None

    def attribute(self, name: str) -> Any:
        """Return an attribute; by default a field of the document."""
        return self._show_resource().get(name) if name in self.shown else None
