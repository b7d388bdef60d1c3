"""The packaged bundle, deployed as to AWS: by change set, into a stand-in of its own.

There the functions are Lambdas, each held to what its role's policy grants; API Gateway, the mapping from
the queue and EventBridge's schedule invoke them. What no deployment can know before it is made, its own URL,
is told to it by an update.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import pytest

from deploy.deploy import deploy
from deploy.policies import FUNCTIONS, function_name
from dev.aws import LocalAws

_BUCKET = "artifacts"
_WORK_AT_ONCE = 4  # a tick's sixteen messages would start sixteen processes at once on this one machine


class Deployed:
    """A stage in the stand-in; ``url`` is where its API is, once it is deployed."""

    def __init__(self, stage: str, aws: LocalAws) -> None:
        self.url = ""
        self._stage = stage
        self._aws = aws

    def begin(self, package: Path, environ: Mapping[str, str]) -> None:
        """Make what a stage needs beforehand, and deploy it for the first time."""
        parameters = dict(environ)
        with self.reached():
            boto3.client("s3").create_bucket(Bucket=_BUCKET)
            secret = boto3.client("secretsmanager").create_secret(
                Name="password", SecretString=parameters.pop("OS_PASSWORD")
            )
        api = self.deploy(package, OS_PASSWORD_SECRET=secret["ARN"], **parameters)["RestAPIId"]
        self.url = f"{self._aws.url}/restapis/{api}/api/_user_request_"
        self.deploy(package, PUBLIC_URL=self.url)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Lead this process's AWS clients here, until the end of the block."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._aws.environment.items():
                patch.setenv(name, value)
            yield

    def deploy(self, package: Path, **environ: str) -> dict[str, str]:
        """Deploy a package; return the stack's outputs. Parameters that are not in ``environ`` stay."""
        with self.reached(), TemporaryDirectory() as directory:
            _write_as_understood(package, Path(directory))
            return deploy(self._stage, Path(directory), _BUCKET, environ)

    def code(self) -> dict[str, str]:
        """Return the hash of the code that each function runs now."""
        with self.reached():
            functions = boto3.client("lambda").list_functions()["Functions"]
        return {each["FunctionName"]: each["CodeSha256"] for each in functions}

    @contextmanager
    def as_function(self, function: str) -> Iterator[boto3.Session]:
        """Yield a session with a function's role, which is led here until the end of the block."""
        with self.reached():
            name = function_name(self._stage, function)
            role = boto3.client("lambda").get_function_configuration(FunctionName=name)["Role"]
            lent = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="a-test")["Credentials"]
            yield boto3.Session(lent["AccessKeyId"], lent["SecretAccessKey"], lent["SessionToken"])

    def write_logs(self, directory: Path) -> None:
        """Write what each function has logged to a file of its own."""
        with self.reached():
            pages = boto3.client("logs").get_paginator("filter_log_events")
            for name in (function_name(self._stage, function) for function in FUNCTIONS):
                found = pages.paginate(logGroupName=f"/aws/lambda/{name}")
                lines = (event["message"] for page in found for event in page["events"])
                (directory / f"{name}.log").write_text("\n".join(lines), encoding="utf-8")


@contextmanager
def deployed(stage: str, package: Path, environ: Mapping[str, str], logs: Path) -> Iterator[Deployed]:
    """Yield a stage that is deployed until the end of the block.

    Args:
        package: the directory with the bundle and its template, made for the stage.
        environ: the OS_* variables of our service user, and others that are parameters of the template.
        logs: a directory, in which a file for each function lies in the end.
    """
    with LocalAws(judging=True) as aws:
        running = Deployed(stage, aws)
        running.begin(package, environ)
        try:
            yield running
        finally:
            running.write_logs(logs)


def _write_as_understood(package: Path, out: Path) -> None:
    """Write the package as the stand-in reads it to the same end, and with fewer rounds at once.

    It takes SendMessageBatch for an action; AWS has none of that name: SendMessage is the right to either. It
    knows of binary bodies by the API's property alone, not by the extension in the definition.
    """
    template = json.loads((package / "sam.json").read_text(encoding="utf-8"))
    for statement in _statements(template):
        if "sqs:SendMessage" in statement["Action"]:
            statement["Action"].append("sqs:SendMessageBatch")
    api, work = (template["Resources"][name]["Properties"] for name in ("RestAPI", "Work"))
    api["BinaryMediaTypes"] = api["DefinitionBody"]["x-amazon-apigateway-binary-media-types"]
    taking = work["Events"]["WorkSqsEventSource"]["Properties"]
    taking["ScalingConfig"]["MaximumConcurrency"] = _WORK_AT_ONCE
    (out / "sam.json").write_text(json.dumps(template), encoding="utf-8")
    shutil.copy(package / "deployment.zip", out)


def _statements(template: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                yield from policy["PolicyDocument"]["Statement"]
