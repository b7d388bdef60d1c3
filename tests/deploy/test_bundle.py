"""The bundle, imported by a fresh interpreter that sees nothing else: what it imports, and what it holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.packaged import PackagedTemplate
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

_ON_LAMBDA = """
import app, json
print(json.dumps(list(sys.modules)))
"""

_ROUTES = """
import app, json
print(json.dumps({path: list(app.app.routes[path]) for path in json.load(sys.stdin)}))
"""

_METHODS = """
import importlib, json, marshal, pkgutil
from pathlib import Path
import chalicelib
from chalicelib.cold_start import COMPILED_METHODS, compile_methods_by
methods = marshal.loads(Path(chalicelib.__path__[0], COMPILED_METHODS).read_bytes())
asked = []
def compiled(source):
    asked.append(source)
    return source
compile_methods_by(compiled)
for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
    importlib.import_module(module.name)
print(json.dumps([len(asked), [source for source in asked if source not in methods]]))
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


ENVIRONMENT = {
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
ON_LAMBDA = ENVIRONMENT | {"AWS_LAMBDA_FUNCTION_NAME": "cold"}


def test_nothing_that_few_requests_need_is_imported_with_what_others_need(unpacked: Path) -> None:
    imported = set(run(unpacked, _COLD_START, environment=ENVIRONMENT))
    assert {"app", "chalicelib.tables.folds", "chalicelib.intake.metrics.otlp", "requests"} <= imported
    assert imported & (_ONLY_WHEN_NEEDED | _ONLY_FOR_TOOLS) == set()


@pytest.mark.parametrize("handler", ["app.app", "app.tick", "app.work"])
def test_a_cold_start_leaves_out_openstack_and_most_of_the_api(unpacked: Path, handler: str) -> None:
    imported = set(run(unpacked, _ON_LAMBDA, environment=ON_LAMBDA | {"_HANDLER": handler}))
    assert {"pynamodb", "chalicelib.tables.database"} <= imported
    assert imported & {"requests", "keystoneauth1", "chalicelib.api.documents"} == set()
    assert ("chalicelib.core.plan" in imported) is (handler == "app.work")


def test_on_lambda_every_route_is_found_when_it_is_asked_for(
    unpacked: Path, template: PackagedTemplate
) -> None:
    paths = template.resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    wanted = {path: {method.upper() for method in methods} for path, methods in paths.items()}
    found = run(unpacked, _ROUTES, list(wanted), ON_LAMBDA | {"_HANDLER": "app.app"})
    assert {path: set(methods) for path, methods in found.items()} == wanted


def test_no_method_of_a_dataclass_of_ours_is_compiled_by_a_cold_start(unpacked: Path) -> None:
    asked, unknown = run(unpacked, _METHODS)
    assert asked > 1000
    assert unknown == []


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_bundle_verifies_what_amazon_signed(unpacked: Path, version: str) -> None:
    """Through the API it cannot be tried here: certificates come from Amazon's own hosts only."""
    message = envelope("{}", version=version)
    used = run(unpacked, _VERIFY, {"message": message, "certificate": certificate().decode()})
    assert Path(used).is_relative_to(unpacked)
