"""Stacks, made and changed: creation, updates, actions, deletion."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace

from dev.simcloud.faults import Faults
from dev.simcloud.heat import parameters, registry
from dev.simcloud.heat.actions import begin
from dev.simcloud.heat.call import Call, Router, accepted, look_up, null, redirect
from dev.simcloud.heat.checks import check_stack, check_types
from dev.simcloud.heat.documents import environment_of, links, shown
from dev.simcloud.heat.errors import HeatRefused, bad_request, invalid, no_stack
from dev.simcloud.heat.nesting import Nesting
from dev.simcloud.heat.templates import environment_in, template_in
from dev.simcloud.messages import Document, Response
from dev.simcloud.stack_records import Action, Progress, Stack
from dev.simcloud.world import World, with_implied

_NAME = "[a-zA-Z][a-zA-Z0-9_.-]{0,254}"
_TAG_LENGTH_MAX = 80
_ACTIONS = {"suspend": Action.SUSPEND, "resume": Action.RESUME, "check": Action.CHECK}
_NOT_UPDATED = {Action.DELETE: "deleting", Action.SUSPEND: "suspended"}
_STUCK_WITHIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """What changes stacks."""

    world: World
    faults: Faults
    nesting: Nesting
    base_url: str

    def add_to(self, router: Router) -> None:
        """Add what this answers to ``router``."""
        router.add("POST", "/stacks", "member", self.create)
        router.add("POST", "/stacks/preview", "member", self.preview)
        router.add("POST", "/validate", "member", self.validate)
        for method in ("PUT", "PATCH", "DELETE"):
            router.add(method, "/stacks/{stack_name}", "member", self.find)
        router.add("POST", "/stacks/{stack_name}/actions", "member", self.find_actions)
        router.add_identified("PATCH", "", "member", self.patch)
        router.add_identified("PUT", "", "member", self.put)
        router.add_identified("DELETE", "", "member", self.delete)
        router.add_identified("POST", "/actions", "member", self.act)

    def create(self, call: Call) -> Response:
        """Begin to make a stack."""
        stack = self._asked(call)
        self._check_name(stack)
        check_stack(stack)
        self._check_delegation(call)
        begin(self.world, self.faults, stack, Action.CREATE, stack.created_at)
        where = links(stack, self.base_url)
        body = {"stack": {"id": stack.id, "links": where}}
        return Response(status=201, body=body, headers={"Location": where[0]["href"]})

    def preview(self, call: Call) -> Response:
        """Tell what a stack would be; its resources are left out here."""
        stack = replace(self._asked(call), id="None")
        self._check_name(stack)
        check_stack(stack)
        return Response(status=200, body={"stack": shown(stack, self.base_url, None)})

    def validate(self, call: Call) -> Response:
        """Tell what a template takes, if it is one; its properties are not looked at here."""
        asked = call.document()
        template = template_in(asked)
        if template is None:
            raise bad_request("No template specified")
        try:
            check_types(template, asked.get("files") or {})
        except HeatRefused as refused:
            raise bad_request(refused.message or "") from refused
        body = {
            "Description": template.get("description") or "No description",
            "Parameters": parameters.described(template),
            "Environment": environment_of({}),
        }
        return Response(status=200, body=body)

    def find(self, call: Call, stack_name: str) -> Response:
        """Redirect to the stack of this name or id."""
        return redirect(call, self.base_url, look_up(self.world, call, stack_name))

    def find_actions(self, call: Call, stack_name: str) -> Response:
        """Redirect to the actions of the stack of this name or id."""
        return redirect(call, self.base_url, look_up(self.world, call, stack_name), "/actions")

    def patch(self, call: Call, stack: Stack) -> Response:
        """Begin an update: what is not sent stays as it is, and an unknown parameter is let pass."""
        asked = call.document()
        cleared = asked.get("clear_parameters") or ()
        given = {name: value for name, value in stack.parameters.items() if name not in cleared}
        environment = environment_in(asked)
        changed = replace(
            stack,
            template=template_in(asked) or stack.template,
            parameters=given | (environment.get("parameters") or {}) | _parameters(asked),
            files=stack.files | (asked.get("files") or {}),
            environment=stack.environment | environment,
        )
        return self._update(changed, asked, stack.tags)

    def put(self, call: Call, stack: Stack) -> Response:
        """Begin an update to another template, with other parameters."""
        asked = call.document()
        template = template_in(asked)
        if template is None:
            raise bad_request("No template specified")
        environment = environment_in(asked)
        changed = replace(
            stack,
            template=template,
            parameters=(environment.get("parameters") or {}) | _parameters(asked),
            files=asked.get("files") or {},
            environment=environment,
        )
        parameters.check_known(template, changed.parameters)
        return self._update(changed, asked, ())

    def delete(self, _call: Call, stack: Stack) -> Response:
        """Begin a stack's deletion; one that is under way goes on."""
        if stack.deleted_at is not None:
            raise no_stack(stack.name)
        if (stack.action, stack.progress) != (Action.DELETE, Progress.IN_PROGRESS):
            begin(self.world, self.faults, stack, Action.DELETE, self.world.now())
        return Response(status=204)

    def act(self, call: Call, stack: Stack) -> Response:
        """Begin to suspend, resume or check a stack."""
        asked = call.document()
        if not asked:
            raise bad_request("No action specified")
        if len(asked) > 1:
            raise bad_request("Multiple actions specified")
        name = next(iter(asked))
        if name not in _ACTIONS:
            raise bad_request(f"Invalid action {name} specified")
        if stack.deleted_at is not None:
            raise no_stack(stack.name)
        action = _ACTIONS[name]
        if not (action is stack.action is Action.SUSPEND and stack.progress is Progress.COMPLETE):
            begin(self.world, self.faults, stack, action, self.world.now())
        return null()

    def _asked(self, call: Call) -> Stack:
        """Return the stack that a request asks for."""
        asked, now = call.document(), self.world.now()
        if not isinstance(asked.get("stack_name"), str):
            raise bad_request("No stack name specified")
        template = template_in(asked)
        if template is None:
            raise bad_request("No template specified")
        if "converge" in asked:
            raise bad_request("converge flag only supported in stack update (or update preview) request.")
        environment = environment_in(asked)
        stack = Stack(
            id=str(uuid.uuid4()),
            name=asked["stack_name"],
            project_id=call.project_id,
            user_id=call.caller.user_id,
            owner=self.world.users[call.caller.user_id].name,
            template=template,
            parameters=(environment.get("parameters") or {}) | _parameters(asked),
            files=asked.get("files") or {},
            environment=environment,
            tags=_tags(asked),
            timeout_minutes=_timeout(asked),
            disable_rollback=asked.get("disable_rollback", True),
            created_at=now,
            began_at=now,
        )
        if not re.fullmatch(_NAME, stack.name):
            why = 'must contain only alphanumeric or "_-." characters, must start with alpha and must be'
            raise invalid(f"Invalid stack name {stack.name} {why} 255 characters or less.")
        parameters.check_known(template, stack.parameters)
        return stack

    def _check_name(self, stack: Stack) -> None:
        live = [s for s in self.world.stacks.values() if s.deleted_at is None]
        if any((s.name, s.project_id) == (stack.name, stack.project_id) for s in live):
            raise HeatRefused(409, "StackExists", f"The Stack ({stack.name}) already exists.")

    def _check_delegation(self, call: Call) -> None:
        """Refuse a token that Heat cannot make a trust of its own with, as a default Heat fails at it.

        It asks for all roles that the token carries, those implied among them; Keystone lets it have only
        what stands in the trust, if that may be delegated on at all.
        """
        token = call.caller.token
        delegated = token.trust_id is not None or token.credential_id is not None
        trust = self.world.trusts.get(token.trust_id or "")
        if (
            trust is not None
            and trust.redelegation_count
            and with_implied(frozenset(trust.roles)) <= {*trust.roles}
        ):
            return
        if delegated and not self.world.stacks_by_delegates:
            raise HeatRefused(500, "RemoteError", None)

    def _update(self, stack: Stack, asked: Document, tags: tuple[str, ...]) -> Response:
        """Begin an update; one that comes within a second of another and of a signal never ends."""
        if stack.deleted_at is not None:
            raise no_stack(stack.name)
        if stack.action in _NOT_UPDATED:
            message = f"Updating a stack when it is {_NOT_UPDATED[stack.action]} is not supported."
            raise HeatRefused(400, "NotSupported", message)
        check_stack(stack)
        changed = replace(
            stack,
            tags=_tags(asked) if "tags" in asked else tags,
            timeout_minutes=_timeout(asked) or stack.timeout_minutes,
        )
        stuck = self._is_mixed(stack)
        begin(self.world, self.faults, changed, Action.UPDATE, self.world.now())
        if stuck:
            self._stick(stack)
        return accepted()

    def _is_mixed(self, stack: Stack) -> bool:
        """Tell whether an update meets another and a signal, all within a second: seen, 5 times of 5."""
        updating = (stack.action, stack.progress) == (Action.UPDATE, Progress.IN_PROGRESS)
        if not updating or stack.signalled_at is None or stack.signalled_at < stack.began_at:
            return False
        return (self.world.now() - stack.began_at).total_seconds() <= _STUCK_WITHIN_SECONDS

    def _stick(self, stack: Stack) -> None:
        registry.put(self.world, replace(self.world.stacks[stack.id], stuck=True))
        for each in registry.resources(self.world, stack):
            inner = registry.nested(self.world, each)
            if inner is not None:
                self.nesting.cancel(inner, self.world.now())


def _parameters(asked: Document) -> Document:
    given = asked.get("parameters") or {}
    if not isinstance(given, dict):
        raise HeatRefused(400, "ValueError", None)
    return given


def _tags(asked: Document) -> tuple[str, ...]:
    given = asked.get("tags")
    if given is None:
        return ()
    if not isinstance(given, str):
        raise HeatRefused(400, "AttributeError", None)
    tags = tuple(tag for tag in given.split(",") if tag)
    for tag in tags:
        if len(tag) > _TAG_LENGTH_MAX:
            raise bad_request(f'Invalid tag, "{tag}" is longer than {_TAG_LENGTH_MAX} characters')
    return tags


def _timeout(asked: Document) -> int | None:
    given = asked.get("timeout_mins")
    if given is None:
        return None
    if not str(given).isdigit():
        raise bad_request("Only integer is acceptable by 'timeout_mins'.")
    return int(given)
