"""A backend of alarms in memory, with everything that can go wrong with one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chalicelib.core.alarm import Alarm, AlarmState, CompositeRule
from chalicelib.core.credential import Credential
from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.ports.monitoring import Reading, external_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One alarm as the backend keeps it."""

    id: str
    name: str
    alarm: Alarm
    hook_url: str
    state: AlarmState = AlarmState.INSUFFICIENT_DATA


@dataclass
class FakeMonitoring:
    """The alarms of one backend.

    Attributes:
        refusal: raised by every call that asks the backend, before anything is done.
        answers_lost: how many changes are made and then not answered.
        meanwhile: what happens before anything is established.
    """

    watched: dict[str, Watched] = field(default_factory=dict)
    refusal: Exception | None = None
    answers_lost: int = 0
    meanwhile: Callable[[], None] = lambda: None
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def require_possible(self, alarm: Alarm) -> None:
        """Refuse composite alarms, and M of N."""
        rule = alarm.rule
        if isinstance(rule, CompositeRule) or rule.datapoints_to_alarm != rule.evaluation_periods:
            raise Invalid("alarm.not_in_aodh", "Aodh cannot do that.")

    def establish(self, credential: Credential, alarm: Alarm, hook_url: str, request_id: str) -> str:
        """Make or change the one alarm of this name."""
        del credential, request_id
        self._enter()
        self.meanwhile()
        found = self.named(alarm)
        kept = next((each for each in found if each.id == alarm.external_id), found[0] if found else None)
        if kept is None:
            id_ = f"external-{next(self._numbers)}"
            kept = Watched(id=id_, name=external_name(alarm.id), alarm=alarm, hook_url=hook_url)
        for double in found:
            del self.watched[double.id]
        self.watched[kept.id] = replace(kept, alarm=alarm, hook_url=hook_url)
        self._answer()
        return kept.id

    def read(self, credential: Credential, alarm: Alarm, request_id: str) -> Reading | None:
        """Return the state of the alarm of this name."""
        del credential, request_id
        self._enter()
        found = self.named(alarm)
        return Reading(state=found[0].state, reason="as the backend says") if found else None

    def delete(self, credential: Credential, alarm: Alarm, request_id: str) -> None:
        """Delete what has this name."""
        del credential, request_id
        self._enter()
        for each in self.named(alarm):
            del self.watched[each.id]
        self._answer()

    def named(self, alarm: Alarm) -> list[Watched]:
        """Return what stands for the alarm."""
        return [each for each in self.watched.values() if each.name == external_name(alarm.id)]

    def _enter(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def _answer(self) -> None:
        if self.answers_lost:
            self.answers_lost -= 1
            raise Unavailable("aodh.unavailable", "Aodh did not answer.", retry_after_seconds=5)
