"""The racers: what 32 senders ask of one group at the same moment, and what they are answered."""

from __future__ import annotations

import itertools
import random
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import requests

from chalicelib.tables.group_rows import shard_of
from dev.client import Document
from tests.at_once import at_once
from tests.races.arena import ADJUSTMENTS, LARGEST, Arena
from tests.races.killing import Killing

RACERS = 32
METRICS = tuple(f"load-{number}" for number in range(6))
"""More than are written one by one: the batches go the way of transactions."""

_TRY_AGAIN = frozenset({429, 502, 503})
_TIMEOUT_SECONDS = 30
_PATIENCE_SECONDS = 300
_SHARDS = 8  # as the settings have it


class Kind(StrEnum):
    """What is asked for."""

    EVENT = "event"
    CHANGE = "change"
    SAMPLES = "samples"
    LOOK = "look"
    POLICY = "policy"
    NO_POLICY = "no policy"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as its sender repeats it until somebody answers.

    Attributes:
        name: of what is asked for; who sends the same name sends the same.
        owned: it takes the owner's token.
    """

    kind: Kind
    name: str
    method: str
    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    owned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a call.

    Attributes:
        sent: how often it was sent; all but the last time nobody answered, or was too busy.
    """

    call: Call
    status: int
    document: Document
    sent: int


class Racers:
    """Volleys of calls, each of 32 from one starting gun."""

    def __init__(self, arena: Arena, chance: random.Random) -> None:
        self.answers: list[Answer] = []
        self.volleys = 0
        self._arena = arena
        self._chance = chance
        self._numbers = itertools.count(1)
        self._policies: list[str] = []

    def race(self, seconds: float, killing: Killing) -> None:
        """Let them race for so long, and a turn of all kinds of volleys at least, with kills in each.

        The moments of the kills lie within the time that the volley before took: on a slow machine they
        are as far apart as the work is slow.
        """
        kinds = (self._same, self._different, self._sampled, self._mixed)
        end, took = time.monotonic() + seconds, 1.0
        for volley in itertools.cycle(kinds):
            if time.monotonic() > end and self.volleys >= len(kinds):
                return
            began = time.monotonic()
            with killing.within(took):
                self._shoot(list(volley()))
            took = time.monotonic() - began

    def end(self, killing: Killing) -> None:
        """Let all of them delete the group."""
        call = Call(kind=Kind.END, name="end", method="DELETE", path=self._arena.group, body={}, owned=True)
        with killing.within(1.0):
            self._shoot([call] * RACERS)

    def _shoot(self, calls: list[Call]) -> None:
        self._chance.shuffle(calls)
        self._disturb()
        answers = at_once(RACERS, lambda number: self._sent(number, calls[number]))
        made = {answer.document["id"] for answer in answers if answer.call.kind is Kind.POLICY}
        self._policies += sorted(made)
        self.answers += answers
        self.volleys += 1

    def _disturb(self) -> None:
        """Have the group swept for and worked on by all who take messages, all at once."""
        self._arena.queue.converge_soon([self._arena.key] * 4, "req-of-a-racer")
        self._arena.queue.sweep_soon([shard_of(self._arena.key.group_id, _SHARDS)] * 4)

    def _same(self) -> Iterator[Call]:
        yield from [self._event()] * RACERS

    def _different(self) -> Iterator[Call]:
        yield from (self._event() for _ in range(RACERS))

    def _sampled(self) -> Iterator[Call]:
        for _ in range(RACERS // 2):
            yield from [self._samples()] * 2

    def _mixed(self) -> Iterator[Call]:
        yield from [self._event()] * 6
        yield from (self._event() for _ in range(6))
        yield from self._changes(10)
        yield from [self._samples()] * 4
        yield from [self._look()] * 2
        yield from [self._policy()] * 2
        yield from [self._no_policy() if self._policies else self._look()] * 2

    def _event(self) -> Call:
        name = f"event-{next(self._numbers)}"
        path = self._arena.hooks[self._chance.choice(ADJUSTMENTS)]
        return Call(kind=Kind.EVENT, name=name, method="POST", path=path, body={"event_id": name})

    def _changes(self, count: int) -> Iterator[Call]:
        """Yield changes that were all made up on one and the same state of the group."""
        seen = self._arena.stored()
        for _ in range(count):
            size, largest = self._chance.randint(0, LARGEST), self._chance.randint(20, LARGEST)
            yield Call(
                kind=Kind.CHANGE,
                name=str(seen.generation),
                method="PATCH",
                path=self._arena.group,
                body=self._chance.choice([{"desired_capacity": size}, {"max_size": largest}]),
                headers={"If-Match": f'"{seen.generation}"'},
                owned=True,
            )

    def _samples(self) -> Call:
        number, now = next(self._numbers), datetime.now(UTC).isoformat()
        samples = [{"metric": metric, "value": number, "timestamp": now} for metric in METRICS]
        path = f"{self._arena.intake}/samples"
        return Call(kind=Kind.SAMPLES, name=str(number), method="POST", path=path, body={"samples": samples})

    def _look(self) -> Call:
        path = f"{self._arena.group}/convergences"
        return Call(kind=Kind.LOOK, name="look", method="POST", path=path, body={}, owned=True)

    def _policy(self) -> Call:
        name = uuid.UUID(int=self._chance.getrandbits(128)).hex
        rule = {"type": "exact_capacity", "adjustment": 1, "group_id": self._arena.key.group_id}
        body = {"name": name, "client_token": name, **rule}
        return Call(kind=Kind.POLICY, name=name, method="POST", path="/v1/policies", body=body, owned=True)

    def _no_policy(self) -> Call:
        id_ = self._policies.pop()
        path = f"/v1/policies/{id_}"
        return Call(kind=Kind.NO_POLICY, name=id_, method="DELETE", path=path, body={}, owned=True)

    def _sent(self, number: int, call: Call) -> Answer:
        """Send the call to one API or the other, until one answers."""
        end = time.monotonic() + _PATIENCE_SECONDS
        headers = {**call.headers, **({"X-Auth-Token": self._arena.token} if call.owned else {})}
        urls = itertools.cycle(self._arena.urls[:: 1 if number % 2 else -1])
        for sent, url in enumerate(urls, 1):
            answer = _answered(url, call, headers)
            if answer is not None and answer.status_code not in _TRY_AGAIN:
                document = answer.json() if answer.content else {}
                return Answer(call=call, status=answer.status_code, document=document, sent=sent)
            assert time.monotonic() < end, f"nobody answers {call}"
            time.sleep(0.1)
        raise AssertionError("it tries without end")


def _answered(url: str, call: Call, headers: Mapping[str, str]) -> requests.Response | None:
    """Return the answer; None where the process is gone, or goes as it answers."""
    try:
        return requests.request(
            call.method, url + call.path, json=call.body, headers=headers, timeout=_TIMEOUT_SECONDS
        )
    except requests.RequestException:
        return None
