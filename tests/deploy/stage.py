"""A whole stage as the packaged template describes it, on this machine.

The AWS stand-in has the tables, the queue, the key and the secret; each function is a process with the
template's handler string and environment, and reaches AWS through a gate that knows only its own policy.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3

from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.ports.storage import GroupKey
from chalicelib.tables.database import Database
from chalicelib.tables.folds import FoldTable
from chalicelib.tables.meters import MeterTable
from deploy.provision import provision
from deploy.resources import Names
from dev import simulated
from dev.simcloud import SimCloud
from tests.deploy.aws_gate import AwsGate
from tests.deploy.events import Gateway, schedule_event, sqs_event
from tests.deploy.lambda_runtime import LambdaFunction
from tests.deploy.packaged import PackagedFunction, PackagedTemplate

STAGE = "of-the-test"


class Stage:
    """One stage, from ``with`` to its end; its functions start when first needed."""

    def __init__(self, template: Path, bundle: Path, aws: str, cloud: SimCloud, logs: Path) -> None:
        self._template_path = template
        self._bundle = bundle
        self._aws = aws
        self._cloud = cloud
        self._logs = logs
        self._exits = ExitStack()
        self._running: dict[str, LambdaFunction] = {}
        self.gates: dict[str, AwsGate] = {}

    def __enter__(self) -> Self:
        names = Names(STAGE)
        provision(STAGE)
        user = simulated.service_user(self._cloud.auth_url)
        secret = boto3.client("secretsmanager").create_secret(
            Name=f"{STAGE}-password", SecretString=user.pop("OS_PASSWORD")
        )
        self._sqs = boto3.client("sqs")
        self.queue_url = self._sqs.get_queue_url(QueueName=names.queue)["QueueUrl"]
        key = boto3.client("kms").describe_key(KeyId=names.key)["KeyMetadata"]["Arn"]
        parameters = {"".join(map(str.capitalize, name.split("_"))): value for name, value in user.items()}
        self.template = PackagedTemplate(
            self._template_path,
            {**parameters, "OsPasswordSecret": secret["ARN"], "WorkQueue": self.queue_url},
            {"SecretsKey.Arn": key},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def described(self, logical: str) -> PackagedFunction:
        """Return what the template says of a function."""
        return self.template.function(logical)

    def function(self, logical: str) -> LambdaFunction:
        """Return a function, started if it is not yet."""
        if logical not in self._running:
            described = self.described(logical)
            gate = self._exits.enter_context(AwsGate(self._aws, described.grants))
            running = LambdaFunction(
                described.handler,
                self._bundle,
                {**described.environment, "AWS_ENDPOINT_URL": gate.url},
                described.timeout_seconds,
                self._logs / f"{logical}.log",
            )
            self._running[logical] = self._exits.enter_context(running)
            self.gates[logical] = gate
        return self._running[logical]

    def api(self, user: str = "demo") -> Gateway:
        """Return the API as a user of the simulated cloud calls it."""
        paths = self.template.resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
        token = simulated.token_of(self._cloud.auth_url, user)
        return Gateway(self.function("APIHandler"), paths, token)

    def tick(self) -> None:
        """Let a minute pass."""
        self.function("Tick").invoke(schedule_event())

    def work(self, body: str) -> None:
        """Hand a message to the function that works, which must not give it back."""
        answer = self.function("Work").invoke(sqs_event(body))
        assert answer == {"batchItemFailures": []}, f"{body} failed; its log is in {self._logs}"

    def lines(self, logical: str) -> list[dict[str, Any]]:
        """Return what a function has printed of our own lines."""
        printed = (self._logs / f"{logical}.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in printed if line.startswith("{")]

    def let_pass_since_heard(self, project_id: str, webhook_id: str, *, seconds: int) -> None:
        """Put a watched webhook's row back in time, for nobody waits here for a real silence."""
        table = boto3.client("dynamodb")
        name = f"thermostat-{STAGE}-webhooks"
        key = {"project_id": {"S": project_id}, "id": {"S": webhook_id}}
        row = table.get_item(TableName=name, Key=key)["Item"]
        source = json.loads(row["source"]["S"])
        began = datetime.fromisoformat(source["watched_since"]) - timedelta(seconds=seconds)
        source["watched_since"] = began.isoformat().replace("+00:00", "Z")
        row["source"] = {"S": json.dumps(source, separators=(",", ":"))}
        row["overdue_at"] = {"S": began.strftime("%Y-%m-%dT%H:%M:%S.%f+0000")}
        table.put_item(TableName=name, Item=row)

    def fold_table(self) -> FoldTable:
        """Return the table of samples, for those of hours that the API does not take any more."""
        return FoldTable(Database(f"thermostat-{STAGE}-"), shards=4, keep_days=15)

    def forget_attention(self, project_id: str, group_id: str, metric: str) -> None:
        """Have a metric kept in minutes, as when we died before it was kept more closely."""
        table = MeterTable(Database(f"thermostat-{STAGE}-"), keep_days=15, clock=time.monotonic)
        key = GroupKey(project_id=ProjectId(project_id), group_id=GroupId(group_id))
        table.watch(key, metric, fine=False)

    def messages(self) -> list[str]:
        """Take what lies on the queue and may be seen now."""
        bodies: list[str] = []
        while True:
            answer = self._sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return bodies
            for message in answer["Messages"]:
                bodies.append(message["Body"])
                self._sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
