"""How stacks fare as time passes: an action begins, its resources are worked on, it ends.

Nothing runs by itself. Whoever asks anything of the cloud first lets the engine ``settle`` what has fallen
due since, each thing at the instant at which it fell due.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dev.simcloud.heat import registry
from dev.simcloud.heat.actions import dependencies
from dev.simcloud.heat.errors import HeatRefused
from dev.simcloud.heat.kinds import SERVER
from dev.simcloud.heat.nesting import Nesting
from dev.simcloud.heat.servers import Failed
from dev.simcloud.heat.work import Work, has_nested
from dev.simcloud.stack_records import Action, Progress, Stack, StackResource
from dev.simcloud.world import World

_TIMEOUT_MINUTES = 60
_FATE = "fate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Brings the actions that were begun to their ends."""

    world: World
    work: Work
    nesting: Nesting

    def settle(self) -> None:
        """Let everything happen that has fallen due."""
        now = self.world.now()
        while any(self._advance(stack, now) for stack in self._moving()):
            pass

    def _moving(self) -> list[Stack]:
        busy = {
            each.stack_id
            for each in self.world.stack_resources.values()
            if each.progress is Progress.IN_PROGRESS or "scaling" in each.data
        }
        stacks = self.world.stacks.values()
        return [s for s in stacks if s.progress is Progress.IN_PROGRESS or s.id in busy]

    def _advance(self, stack: Stack, now: datetime) -> bool:
        """Let one round of what has fallen due happen to a stack; tell whether anything did."""
        if stack.stuck:
            return False
        moved = False
        for each in registry.resources(self.world, stack):
            if each.progress is Progress.IN_PROGRESS:
                moved |= self._end(stack, each, now)
            elif "scaling" in each.data and each.todo is None:
                moved |= self.nesting.end_scaling(stack, each)
            elif each.todo is not None:
                at = self._ready_at(stack, each)
                if at is not None:
                    self._perform(stack, each, each.todo, at)
                    moved = True
        return self._conclude(stack, now) or moved

    def _end(self, stack: Stack, each: StackResource, now: datetime) -> bool:
        if has_nested(each.type) and _FATE not in each.data:
            if each.todo is Action.UPDATE or each.todo is Action.DELETE:
                self._perform(stack, each, each.todo, stack.began_at)
                return True
            return self.nesting.end(stack, each)
        if each.todo is Action.DELETE and each.action is not Action.DELETE:
            self._perform(stack, each, Action.DELETE, stack.began_at)
            return True
        if each.ends_at is None or each.ends_at > now:
            return False
        if _FATE in each.data:
            kept = {name: value for name, value in each.data.items() if name != _FATE}
            self.work.fail(stack, replace(each, data=kept), str(each.data[_FATE]), each.ends_at)
        else:
            self.work.end(stack, each, each.ends_at)
        return True

    def _ready_at(self, stack: Stack, each: StackResource) -> datetime | None:
        """Return since when a resource can be worked on; None if it cannot yet."""
        there = registry.resources(self.world, stack)
        if each.todo is Action.DELETE and stack.action is not Action.DELETE:
            others = [other for other in there if other.todo is not Action.DELETE]
            others = [other for other in others if other.action is not Action.DELETE]
        elif each.todo in (Action.CREATE, Action.UPDATE):
            needed = dependencies(stack.template, each.name)
            others = [other for other in there if other.name in needed]
        else:
            others = []
        if any(o.todo or o.progress is not Progress.COMPLETE or o.action is Action.INIT for o in others):
            return None
        return max([stack.began_at, *(o.finished_at for o in others if o.finished_at)])

    def _perform(self, stack: Stack, each: StackResource, todo: Action, at: datetime) -> None:
        if stack.fails is not None and each == registry.resources(self.world, stack)[0]:
            fated = replace(each, data={**each.data, _FATE: stack.fails})
            ends_at = at + timedelta(seconds=self.world.build_seconds)
            self.work.begin(stack, fated, todo, at, ends_at)
            return
        doer = self.nesting if has_nested(each.type) else self.work
        try:
            if todo is Action.DELETE:
                doer.unmake(stack, each, at)
            elif todo in (Action.CREATE, Action.UPDATE):
                properties = self.work.properties(stack, each.name, at)
                (doer.make if todo is Action.CREATE else doer.change)(stack, each, properties, at)
            else:
                doer.turn(stack, each, todo, at)
        except (Failed, HeatRefused) as failed:
            reason = f"{failed.kind}: resources.{each.name}: {failed.message}"
            self.work.fail(stack, each, reason, at, todo)

    def _conclude(self, stack: Stack, now: datetime) -> bool:
        """End a stack's action if there is nothing left to do, or if something failed."""
        stack = self.world.stacks[stack.id]
        if stack.progress is not Progress.IN_PROGRESS:
            return False
        there = registry.resources(self.world, stack)
        if stack.held and (stack.held_until is None or stack.held_until > now):
            return False
        failed = [r for r in there if _has_failed(r, stack.began_at)]
        deadline = stack.began_at + timedelta(minutes=stack.timeout_minutes or _TIMEOUT_MINUTES)
        busy = any(r.todo or r.progress is Progress.IN_PROGRESS for r in there)
        if failed:
            first = min(failed, key=lambda r: r.finished_at or now)
            reason = f"Resource {first.action} failed: {_told(first)}{_unchecked(stack, there)}"
            self._finish(stack, Progress.FAILED, reason, first.finished_at or now)
        elif not busy:
            at = max([stack.began_at, *(r.finished_at for r in there if r.finished_at)])
            at = now if stack.action is Action.DELETE else at
            reason = f"Stack {stack.action} completed successfully{_unchecked(stack, there)}"
            self._finish(stack, Progress.COMPLETE, reason, at)
        elif now >= deadline:
            self._time_out(stack, there, deadline)
        else:
            return False
        return True

    def _finish(self, stack: Stack, progress: Progress, reason: str, at: datetime) -> None:
        at = max(at, stack.held_until or at)
        done = replace(
            stack, progress=progress, reason=reason, finished_at=at, fails=None, held=False, held_until=None
        )
        if stack.action is Action.DELETE and progress is Progress.COMPLETE:
            done = replace(done, deleted_at=at)
        registry.put(self.world, done)
        registry.tell_stack(self.world, done, at)
        for each in registry.resources(self.world, stack):
            if progress is Progress.FAILED:
                registry.put(self.world, replace(each, todo=None))
            elif each.leftovers:
                self.nesting.clear(stack, each, at)

    def _time_out(self, stack: Stack, there: list[StackResource], at: datetime) -> None:
        for each in there:
            if each.progress is Progress.IN_PROGRESS:
                self.work.fail(stack, each, f"{each.action} aborted (Timed out)", at)
        self._finish(stack, Progress.FAILED, "Timed out", at)


def _told(failed: StackResource) -> str:
    """Return why a resource failed, as its stack says it; of a check, with more words than use."""
    if failed.action is not Action.CHECK:
        return failed.reason
    return f"{failed.name}: Resource CHECK failed: {failed.reason}"


def _unchecked(stack: Stack, there: list[StackResource]) -> str:
    """Return what a check adds if a stack has resources that no check looks at."""
    looked_at = all(each.type == SERVER or has_nested(each.type) for each in there)
    if stack.action is not Action.CHECK or looked_at:
        return ""
    return ". 'CHECK' not fully supported (see resources)"


def _has_failed(each: StackResource, began_at: datetime) -> bool:
    """Tell whether a resource failed in the action that began then, rather than before it."""
    failed = each.progress is Progress.FAILED and each.todo is None
    return failed and each.finished_at is not None and each.finished_at >= began_at
