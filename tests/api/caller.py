"""Callers of the API in this process, over services in memory; and what one of them has made there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from chalice.test import Client

from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.core.ids import GroupId, ProjectId
from tests.api.contract import Answer, Contract
from tests.core.factories import PROJECT
from tests.world import World

MEMBER, READER, ADMIN = "token-of-a-member", "token-of-a-reader", "token-of-an-admin"
OUTSIDER = "token-of-another-project"
NOBODY_SPECIAL = "token-without-a-role"
OTHER_PROJECT = ProjectId("project-2")
SECRET = "the-application-credential's-secret"
NO_SUCH_ID = "ffffffff-ffff-7fff-bfff-ffffffffffff"
NO_SUCH_TOKEN = "n" * 43

KEYSTONE_IS_OUT = Unavailable(
    "keystone.unavailable", "Keystone does not answer: 503 Service Unavailable.", retry_after_seconds=5
)
NOT_SCOPED = Forbidden("token.not_project_scoped", "The token is not scoped to a project.")

ALARM: Mapping[str, Any] = {
    "name": "cpu-high",
    "metric": "cpu",
    "comparison_operator": "gt",
    "threshold": 80,
    "evaluation_periods": 3,
    "datapoints_to_alarm": 2,
}
SERVER: Mapping[str, Any] = {"image": "image-1", "flavor": "flavor-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """One of everything that a project can have; the names are those in the API's paths."""

    credential_id: str
    launch_configuration_id: str
    group_id: str
    member_id: str
    policy_id: str
    webhook_id: str
    token: str
    alarm_id: str
    execution_id: str
    intake_token: str
    schedule_id: str
    refresh_id: str
    stack: str = "shop"

    def path(self, template: str) -> str:
        """Return the path with our ids in it."""
        return template.format_map(asdict(self))


@dataclass
class Api:
    """The API as its callers see it; every answer is held to the OpenAPI document.

    Attributes:
        secrets: what no log line and no error may show.
    """

    world: World
    client: Client
    contract: Contract
    secrets: set[str] = field(default_factory=lambda: {MEMBER, READER, ADMIN, OUTSIDER, SECRET})

    def __post_init__(self) -> None:
        self.world.identity.add(MEMBER, PROJECT, "member")
        self.world.identity.add(READER, PROJECT, "reader")
        self.world.identity.add(ADMIN, PROJECT, "admin")
        self.world.identity.add(NOBODY_SPECIAL, PROJECT, "auditor")
        self.world.identity.add(OUTSIDER, OTHER_PROJECT, "member")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        token: str | None = MEMBER,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send ``body`` as JSON, or ``raw`` as it is."""
        sent = {"content-type": "application/json", "host": "scale.example"}
        if token is not None:
            sent["X-Auth-Token"] = token
        encoded = b"" if body is None else json.dumps(body).encode()
        response = self.client.http.request(
            method, path, headers={**sent, **(headers or {})}, body=encoded if raw is None else raw
        )
        answer = Answer(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            document=json.loads(response.body) if response.body else None,
        )
        self.contract.check(method, path, answer)
        if "errors" in (answer.document or ()):
            self.require_no_secret(json.dumps(answer.document))
        return answer

    def get(self, path: str, **how: Any) -> Answer:
        return self.request("GET", path, **how)

    def post(self, path: str, body: Any = None, **how: Any) -> Answer:
        return self.request("POST", path, body, **how)

    def put(self, path: str, body: Any = None, **how: Any) -> Answer:
        return self.request("PUT", path, body, **how)

    def patch(self, path: str, body: Any = None, **how: Any) -> Answer:
        return self.request("PATCH", path, body, **how)

    def delete(self, path: str, **how: Any) -> Answer:
        return self.request("DELETE", path, **how)

    def require_no_secret(self, text: str) -> None:
        """Fail where ``text`` shows a secret."""
        assert not [secret for secret in self.secrets if secret in text], text

    @contextmanager
    def unchanged(self, *, but: str | None = None) -> Iterator[None]:
        """Fail where what happens inside leaves a trace; ``but`` names a part that may change."""
        before = self.snapshot()
        yield
        after = self.snapshot()
        assert {each for each in before if before[each] != after[each]} <= {but}

    def snapshot(self) -> Mapping[str, Any]:
        """Return a copy of everything that is stored, queued or delegated."""
        memory = self.world.memory
        tables = {each.name: getattr(memory, each.name) for each in fields(memory) if each.name != "lock"}
        beside = {"rounds": self.world.queue.rounds, "trusts": self.world.identity.trusts}
        return copy.deepcopy({**tables, **beside})

    def created(self, path: str, body: Mapping[str, Any], **how: Any) -> dict[str, Any]:
        """Return what was made of ``body``."""
        answer = self.post(path, body, **how)
        assert answer.status in (201, 202), answer.document
        return cast(dict[str, Any], answer.document)

    def credential(self, **changes: Any) -> dict[str, Any]:
        return self._created("/v1/credentials", {"name": "mine", "type": "trust"}, changes)

    def launch_configuration(self, **changes: Any) -> dict[str, Any]:
        return self._created("/v1/launch-configurations", {"name": "web", "server": SERVER}, changes)

    def group(self, **changes: Any) -> dict[str, Any]:
        """Return a new group of 2 within 1 to 5, with a cooldown of 60 s, and what it needs unless given."""
        body = {"name": "web", "min_size": 1, "max_size": 5, "desired_capacity": 2, "cooldown": 60, **changes}
        how = {"token": body.get("token", MEMBER)}
        for name, make in (
            ("credential_id", self.credential),
            ("launch_configuration_id", self.launch_configuration),
        ):
            body[name] = body.get(name) or make(**how)["id"]
        return self._created("/v1/groups", {}, body)

    def policy(self, group_id: str, **changes: Any) -> dict[str, Any]:
        """Return a new policy that adds a member."""
        body = {"name": "out", "group_id": group_id, "type": "change_in_capacity", "adjustment": 1}
        return self._created("/v1/policies", body, changes)

    def alarm(self, group_id: str, **changes: Any) -> dict[str, Any]:
        """Return a new alarm: 2 of 3 minutes with an average above 80."""
        body = {**ALARM, "group_id": group_id}
        return self._created("/v1/alarms", body, changes)

    def schedule(self, group_id: str, **changes: Any) -> dict[str, Any]:
        """Return a new schedule that wants four members from seven in the morning."""
        body = {"name": "mornings", "group_id": group_id, "cron": "0 7 * * *", "min_size": 4}
        return self._created("/v1/schedules", body, changes)

    def refresh(self, group_id: str, **changes: Any) -> dict[str, Any]:
        """Return a new refresh, one by one; no round has worked on it."""
        return self._created(f"/v1/groups/{group_id}/refreshes", {}, changes)

    def webhook(self, policy_id: str, **changes: Any) -> dict[str, Any]:
        """Return a new webhook; its URL is a secret from now on."""
        document = self._created(f"/v1/policies/{policy_id}/webhooks", {"name": "aodh"}, changes)
        self.secrets.add(token_in(document["url"]))
        return document

    def intake(self, group_id: str) -> dict[str, Any]:
        """Return the new intake of a group; its URL is a secret from now on."""
        answer = self.put(f"/v1/groups/{group_id}/intake")
        assert answer.status == 201, answer.document
        self.secrets.add(token_in(answer.document["url"]))
        return cast(dict[str, Any], answer.document)

    def estate(self) -> Estate:
        """Make one of everything; the group has settled at 3 members and no cooldown holds it."""
        group = self.group()
        policy = self.policy(group["id"])
        webhook = self.webhook(policy["id"])
        intake = self.intake(group["id"])
        execution = self.post(f"/v1/policies/{policy['id']}/executions").document
        self.world.settle()
        self.world.clock.pass_(3600)
        schedule = self.schedule(group["id"])
        self.world.heat.add()
        return Estate(
            credential_id=group["credential_id"],
            launch_configuration_id=group["launch_configuration_id"],
            group_id=group["id"],
            member_id=self.world.members(GroupId(group["id"]))[0].id,
            policy_id=policy["id"],
            webhook_id=webhook["id"],
            alarm_id=self.alarm(group["id"])["id"],
            token=token_in(webhook["url"]),
            execution_id=execution["id"],
            intake_token=token_in(intake["url"]),
            schedule_id=schedule["id"],
            refresh_id=self.refresh(group["id"], client_token="estate")["id"],
        )

    def _created(self, path: str, body: Mapping[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        token = changes.pop("token", MEMBER)
        return self.created(path, {**body, **changes}, token=token)


def token_in(url: str) -> str:
    """Return the token of a webhook's URL."""
    return url.rpartition("/")[2]
