"""Stacks, looked at: lists, one stack, its template, outputs and events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from dev.simcloud.heat import documents, registry
from dev.simcloud.heat.call import PREFIX, Call, Router, look_up, redirect
from dev.simcloud.heat.errors import HeatRefused, no_stack
from dev.simcloud.heat.scope import StackScope
from dev.simcloud.heat.templates import resources_of
from dev.simcloud.heat.work import Work
from dev.simcloud.messages import Document, Response
from dev.simcloud.stack_records import Stack
from dev.simcloud.world import World

_FIELDS: dict[str, Callable[[Stack], str]] = {
    "action": lambda stack: stack.action,
    "id": lambda stack: stack.id,
    "name": lambda stack: stack.name,
    "stack_name": lambda stack: stack.name,
    "stack_status": lambda stack: stack.status,
    "status": lambda stack: stack.progress,
}
_BELOW_A_NAME = ("resources", "events", "template", "environment", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What shows stacks."""

    world: World
    work: Work
    base_url: str

    def add_to(self, router: Router) -> None:
        """Add what this answers to ``router``."""
        router.add("GET", "/stacks", "reader", self.index)
        router.add("GET", "/stacks/detail", "reader", self.index)
        router.add("GET", "/stacks/{stack_name}", "reader", self.find)
        for below in _BELOW_A_NAME:
            router.add("GET", f"/stacks/{{stack_name}}/{below}", "reader", self._finder(f"/{below}"))
        router.add_identified("GET", "", "reader", self.show)
        router.add_identified("GET", "/template", "reader", self.template)
        router.add_identified("GET", "/environment", "reader", self.environment)
        router.add_identified("GET", "/files", "reader", self.files)
        router.add_identified("GET", "/outputs", "reader", self.outputs)
        router.add_identified("GET", "/outputs/{key}", "reader", self.output)
        router.add_identified("GET", "/events", "reader", self.events)
        router.add_identified("GET", "/resources/{name}/events", "reader", self.events)

    def index(self, call: Call) -> Response:
        """List stacks, the newest first; an unknown parameter of the query is let pass."""
        limit = call.whole_number("limit")
        found = [stack for stack in self._own(call) if _matches(call, stack)]
        found.sort(key=lambda stack: (stack.created_at, stack.id), reverse=True)
        if call.request.parameter("sort_dir") == "asc":
            found.reverse()
        count = len(found)
        marker = next((n for n, s in enumerate(found) if s.id == call.request.parameter("marker")), -1)
        page = found[marker + 1 :][:limit]
        body: Document = {"stacks": [documents.brief(stack, self.base_url) for stack in page]}
        if limit and len(page) == limit:
            query = urlencode(call.request.query | {"marker": [page[-1].id]}, doseq=True)
            href = f"{self.base_url}{PREFIX}/v1/{call.project_id}/stacks?{query}"
            body["links"] = [{"rel": "next", "href": href}]
        if call.flag("with_count"):
            body["count"] = count
        return Response(status=200, body=body)

    def find(self, call: Call, stack_name: str) -> Response:
        """Redirect to the stack of this name or id."""
        return redirect(call, self.base_url, look_up(self.world, call, stack_name))

    def show(self, call: Call, stack: Stack) -> Response:
        """Show a stack, a deleted one too; its outputs unless told otherwise."""
        resolve = call.flag("resolve_outputs", default=True)
        scope = self._scope(stack) if resolve else None
        return Response(status=200, body={"stack": documents.shown(stack, self.base_url, scope)})

    def template(self, _call: Call, stack: Stack) -> Response:
        """Show a stack's template; of a deleted stack, without its resources."""
        template = stack.template
        if stack.deleted_at is not None and resources_of(template):
            template = {**template, "resources": {}}
        return Response(status=200, body=template)

    def environment(self, _call: Call, stack: Stack) -> Response:
        """Show what a stack was given beside its template."""
        body = {**documents.environment_of(stack.parameters), "encrypted_param_names": []}
        return Response(status=200, body=body)

    def files(self, _call: Call, stack: Stack) -> Response:
        """Show a stack's files."""
        return Response(status=200, body=dict(stack.files))

    def outputs(self, _call: Call, stack: Stack) -> Response:
        """List a stack's outputs without their values."""
        _check_there(stack)
        return Response(status=200, body={"outputs": documents.outputs(stack)})

    def output(self, _call: Call, stack: Stack, key: str) -> Response:
        """Show an output."""
        _check_there(stack)
        for each in documents.outputs(stack):
            if each["output_key"] == key:
                value = self._scope(stack).outputs()[key]
                return Response(status=200, body={"output": {**each, "output_value": value}})
        raise HeatRefused(404, "NotFound", f"Specified output key {key} not found.")

    def events(self, call: Call, stack: Stack, name: str | None = None) -> Response:
        """List what happened to a stack, or to a resource of it, the newest first."""
        told = [e for e in registry.events(self.world, stack) if name in (None, e.resource)]
        if call.request.parameter("sort_dir") != "asc":
            told.reverse()
        marker = next((n for n, e in enumerate(told) if e.id == call.request.parameter("marker")), -1)
        page = told[marker + 1 :][: call.whole_number("limit")]
        body = {"events": [documents.event(stack, each, self.base_url) for each in page]}
        return Response(status=200, body=body)

    def _finder(self, path: str) -> Callable[..., Response]:
        def find(call: Call, stack_name: str) -> Response:
            return redirect(call, self.base_url, look_up(self.world, call, stack_name), path)

        return find

    def _own(self, call: Call) -> list[Stack]:
        with_deleted, with_nested = call.flag("show_deleted"), call.flag("show_nested")
        return [
            stack
            for stack in self.world.stacks.values()
            if stack.project_id == call.project_id
            and (with_deleted or stack.deleted_at is None)
            and (with_nested or stack.parent_id is None)
        ]

    def _scope(self, stack: Stack) -> StackScope:
        return self.work.scope(stack, self.world.now())


def _matches(call: Call, stack: Stack) -> bool:
    query = call.request.query
    wanted = all(value(stack) in query[name] for name, value in _FIELDS.items() if name in query)
    tags = set(stack.tags)
    all_of, any_of, not_all, not_any = (
        {tag for text in query.get(name, ()) for tag in text.split(",") if tag}
        for name in ("tags", "tags_any", "not_tags", "not_tags_any")
    )
    return (
        wanted
        and all_of <= tags
        and (not any_of or bool(any_of & tags))
        and not (not_all and not_all <= tags)
        and not not_any & tags
    )


def _check_there(stack: Stack) -> None:
    if stack.deleted_at is not None:
        raise no_stack(stack.name)
