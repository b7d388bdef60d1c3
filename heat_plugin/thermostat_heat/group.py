"""The group: created once its members serve, changed without undoing scaling, deleted once it is drained."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from heat.common import exception

from .base import ThermostatResource, live
from .errors import Gone, Refused
from .fields import bare
from .polling import Polling
from .schema import properties_schema
from .shapes import GROUP, ROLLING

_STALE, _CONFLICT = 412, 409
_STALE_MAX = 5
_SIZES = frozenset({"min_size", "max_size"})
_MADE_OF = "launch_configuration_id"
_SIZE = "desired_capacity"
"""In the resource's data: what the template said of the size when it was last heeded."""

_HOPELESS = frozenset({"credential_error", "deleting"})
"""What no refresh comes back from; of builds that fail, it tells itself when they are too many."""
_IN_TROUBLE = _HOPELESS | {"error"}
_LOOKS_AT_ERROR = 20
"""An update makes good what failed before it, but first what failed is still there to be seen."""


class _Wait:
    """What is waited for.

    Args:
        size: the field of the group that says how many members are to be in service; None waits for none.
        refresh_id: the rolling replacement that is to end well.
        patience: how often the group may be found in error.
    """

    def __init__(self, *, size: str | None, refresh_id: str | None = None, patience: int = 0) -> None:
        self.size = size
        self.refresh_id = refresh_id
        self.patience = patience
        self.polling = Polling()


class _Deletion(Polling):
    """A deletion, and whether it was accepted."""

    accepted = False


class Group(ThermostatResource):
    """Members whose number the service keeps: within bounds, moved by policies, alarms, schedules and people.

    An update of the stack leaves the size alone, unless the template changes ``desired_capacity`` itself, or
    bounds that the present size is outside of.
    """

    shape = GROUP
    properties_schema = properties_schema(GROUP)
    requires_deferred_auth = True
    shown = frozenset({"current_size", "in_service", "desired_capacity", "status", "status_reason"})
    attributes_schema = {
        "current_size": live("How many members there are, in service or on their way."),
        "in_service": live("How many members serve."),
        "desired_capacity": live("How many members are wanted."),
        "status": live("active, converging, error ..."),
        "status_reason": live("Why it is in that status."),
        "members": live("The members: id, name, status, server_id or stack_id."),
        "refs": live("The ids of the members' servers or stacks."),
        "refs_map": live("The ids of the members' servers or stacks, by the members' names."),
    }

    def made(self, _document: Mapping[str, Any]) -> _Wait:
        """Wait for its first members."""
        self._note_size(self.properties["desired_capacity"])
        return _Wait(size=self.properties["wait_for"])

    def check_create_complete(self, wait: _Wait) -> bool:
        """Say whether enough members serve; raise why they never will."""
        return self._reached(wait)

    def _reached(self, wait: _Wait) -> bool:
        if wait.size in (None, "none"):
            return True
        group = wait.polling.ask(self._show_resource)
        if group["status"] == "error" and wait.patience:
            wait.patience -= 1
            raise wait.polling.later()
        _require(group, but=_IN_TROUBLE)
        if group["status"] == "frozen" or group["in_service"] >= group[wait.size]:
            return True
        raise wait.polling.later()

    def handle_update(self, json_snippet: Any, _tmpl_diff: Any, prop_diff: dict[str, Any]) -> _Wait:
        """Change what the template changed; a new launch configuration as ``update_policy`` says."""
        after = json_snippet.properties(self.properties_schema, self.context)
        document = self.patch_document(self.changes(prop_diff, after), after)
        document = {**document, **self._size(prop_diff, after["desired_capacity"])}
        replaces = _MADE_OF in document or self.recovers
        if replaces:
            self._stop_refresh()
        resized = self._patch(document) if document else False
        self._note_size(after["desired_capacity"])
        rolling = (after["update_policy"] or {}).get("rolling")
        return _Wait(
            size=after["wait_for"] if resized or self.recovers else None,
            refresh_id=self._refresh(rolling) if rolling and replaces else None,
            patience=_LOOKS_AT_ERROR,
        )

    def patch_document(self, changed: dict[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is patched, without the size, which has a rule of its own."""
        return super().patch_document({**changed, "desired_capacity": None}, after)

    def _size(self, prop_diff: Mapping[str, Any], wanted: int | None) -> dict[str, int]:
        """Return the size to set: the template's, if it was not the template's when it was last set.

        What Heat last completed does not tell: an update that failed may have set a size, and the rollback is
        to set it back. Only where nothing is noted, as after an adoption, Heat's difference decides.
        """
        noted = self.data().get(_SIZE)
        changed = "desired_capacity" in prop_diff if noted is None else noted != str(wanted)
        return {"desired_capacity": wanted} if changed and wanted is not None else {}

    def _note_size(self, wanted: int | None) -> None:
        """Note the size that the template says, after it was set."""
        if self.data().get(_SIZE) != str(wanted):
            self.data_set(_SIZE, str(wanted))

    def _patch(self, document: dict[str, Any]) -> bool:
        """Change the group; say whether a size was set.

        Bounds that the present size is outside of take it along: only then is a size set that the template
        does not change, and only if nobody changes it in the meantime.
        """
        if "desired_capacity" in document or not document.keys() & _SIZES:
            self.service.patch(self.shape.noun, self.path, document)
            return "desired_capacity" in document
        for _ in range(_STALE_MAX - 1):
            try:
                return self._patch_bounds(document)
            except Refused as refused:
                if refused.status != _STALE:
                    raise
        return self._patch_bounds(document)

    def _patch_bounds(self, document: dict[str, Any]) -> bool:
        group = self._show_resource()
        desired, bounds = group["desired_capacity"], {**group, **document}
        within = max(bounds["min_size"], min(desired, bounds["max_size"]))
        sizes = {} if within == desired else {"desired_capacity": within}
        generation = group["generation"]
        self.service.patch(self.shape.noun, self.path, {**document, **sizes}, generation=generation)
        return bool(sizes)

    def _stop_refresh(self) -> None:
        """End a rolling replacement that is under way: it is for a launch configuration that goes."""
        refresh_id = self._show_resource().get("refresh_id")
        if refresh_id is not None:
            self._abort(refresh_id)

    def _abort(self, refresh_id: str) -> None:
        try:
            self.service.delete("refresh", f"{self.path}/refreshes/{refresh_id}")
        except Gone:
            return
        except Refused as refused:
            if refused.status != _CONFLICT:  # it has ended by itself
                raise

    def _refresh(self, rolling: Mapping[str, Any]) -> str:
        """Have the members replaced; return the id of the refresh."""
        wanted = {**bare(rolling, ROLLING), "client_token": str(uuid.uuid4())}
        return str(self.service.post("group", f"{self.path}/refreshes", wanted)["id"])

    def check_update_complete(self, wait: _Wait) -> bool:
        """Say whether members are replaced, and as many serve as the template sets."""
        if wait.refresh_id is not None:
            self._check_refresh(wait, wait.refresh_id)
            wait.refresh_id = None
        return self._reached(wait)

    def _check_refresh(self, wait: _Wait, refresh_id: str) -> None:
        path = f"{self.path}/refreshes/{refresh_id}"
        refresh = wait.polling.ask(lambda: self.service.get("refresh", path))
        match refresh["status"]:
            case "succeeded":
                return
            case "running" | "paused":
                _require(wait.polling.ask(self._show_resource), but=_HOPELESS)
                raise wait.polling.later()
            case ended:
                raise exception.Error(f"The replacement of members {ended}: {refresh['status_reason']}")

    def handle_update_cancel(self, wait: _Wait) -> None:
        """Replace no further members."""
        if wait.refresh_id is not None:
            self._abort(wait.refresh_id)

    def handle_delete(self) -> Polling | None:
        """Begin to delete it."""
        return None if super().handle_delete() is None else _Deletion()

    def check_delete_complete(self, deletion: Any) -> bool:
        """Say whether it is drained and gone."""
        if deletion is None:
            return True
        try:
            if not deletion.accepted:
                deletion.ask(lambda: self.service.delete(self.shape.noun, self.path))
                deletion.accepted = True
            deletion.ask(self._show_resource)
        except Gone:
            return True
        raise deletion.later()

    def handle_suspend(self) -> None:
        """Freeze it: nothing changes its members."""
        reason = f"The stack {self.stack.name} is suspended."
        self.service.put(self.shape.noun, f"{self.path}/freeze", {"reason": reason})

    def handle_resume(self) -> None:
        """Thaw it."""
        self.service.delete(self.shape.noun, f"{self.path}/freeze")

    def handle_signal(self, _details: Any = None) -> str:
        """Have the service look at it now, and try again what failed."""
        group = self.service.post(self.shape.noun, f"{self.path}/convergences", {})
        return f"looked at; {group['desired_capacity']} members are wanted"

    def check_document(self, document: Mapping[str, Any]) -> None:
        """Fail where it is in error."""
        _require(document, but=_IN_TROUBLE)

    def parse_live_resource_data(self, properties: Any, document: dict[str, Any]) -> dict[str, Any]:
        """Return what the service has, without the size: an update that looks at it would set it back."""
        found = super().parse_live_resource_data(properties, document)
        found.pop("desired_capacity", None)
        return found

    def attribute(self, name: str) -> Any:
        """Return an attribute."""
        if name in self.shown:
            return super().attribute(name)
        members = list(self.service.listed("group", f"{self.path}/members", "members"))
        ids = {each["name"]: each["server_id"] or each.get("stack_id") for each in members}
        match name:
            case "refs":
                return [id_ for id_ in ids.values() if id_ is not None]
            case "refs_map":
                return {name: id_ for name, id_ in ids.items() if id_ is not None}
            case _:
                fields = ("id", "name", "status", "server_id", "stack_id")
                return [{key: each.get(key) for key in fields} for each in members]


def _require(group: Mapping[str, Any], *, but: frozenset[str]) -> None:
    """Raise the service's reason where a group is in one of these statuses."""
    if group["status"] in but:
        raise exception.Error(f"The group is in status {group['status']}: {group['status_reason']}")
