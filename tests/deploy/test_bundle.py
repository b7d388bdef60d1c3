"""The bundle, imported by a fresh interpreter that sees nothing else: what it imports, and what it holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sns_messages import certificate, envelope

_ONLY_WHEN_NEEDED = {
    "cryptography",  # the signature of an SNS notification
    "google",  # protobuf, which OTLP's other encoding comes in
    "opentelemetry",
    "asyncio",
    "unittest",
}
_ONLY_FOR_TOOLS = {"boto3", "chalice.cli", "setuptools"}

_COLD_START = """
import app
from chalicelib import wiring
wiring.services()
import json
print(json.dumps(list(sys.modules)))
"""

_VERIFY = """
import json
from chalicelib.intake import sns
from chalicelib.sns import SnsCertificates
said = json.load(sys.stdin)
class Web:
    def get(self, url):
        return said["certificate"].encode()
SnsCertificates(Web()).require_genuine(sns.parse(said["message"], {}))
import cryptography
print(json.dumps(cryptography.__file__))
"""


def run(unpacked: Path, program: str, said: Any = None, environment: dict[str, str] | None = None) -> Any:
    """Return what a program prints that has the bundle and the standard library, and nothing besides."""
    begin = f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", begin + program],
        cwd=unpacked,
        env=environment or {},
        input=json.dumps(said),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_cold_start_imports_nothing_that_few_requests_need(unpacked: Path) -> None:
    """Of none of the functions: all three begin with app.py and the services."""
    environment = {
        "STAGE": "cold",
        "QUEUE_URL": "https://sqs.test/work",
        "KMS_KEY": "key",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "OS_AUTH_URL": "https://keystone.test/v3",
        "OS_USERNAME": "thermostat",
        "OS_PROJECT_NAME": "service",
        "OS_PASSWORD_SECRET": "arn",
    }
    imported = set(run(unpacked, _COLD_START, environment=environment))
    assert {"app", "chalicelib.tables.folds", "chalicelib.intake.metrics.otlp"} <= imported
    assert imported & (_ONLY_WHEN_NEEDED | _ONLY_FOR_TOOLS) == set()


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_bundle_verifies_what_amazon_signed(unpacked: Path, version: str) -> None:
    """Through the API it cannot be tried here: certificates come from Amazon's own hosts only."""
    message = envelope("{}", version=version)
    used = run(unpacked, _VERIFY, {"message": message, "certificate": certificate().decode()})
    assert Path(used).is_relative_to(unpacked)
