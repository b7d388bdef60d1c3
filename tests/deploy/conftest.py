"""The package, made once; and its functions, running on this machine under the policies of the template."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.package import Package, package
from dev.aws import LocalAws
from dev.simcloud import SimCloud
from tests.deploy.packaged import PackagedTemplate
from tests.deploy.stage import STAGE, Stage
from tests.kept_secrets import keep_all_of, watch


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The package, in a directory whose name has a space, made over an earlier one."""
    directory = tmp_path_factory.mktemp("a build")
    (directory / "deployment.zip").write_bytes(b"of an earlier run")
    return package(STAGE, directory)


@pytest.fixture(scope="session")
def template(made: Package) -> PackagedTemplate:
    return PackagedTemplate(made.template)


@pytest.fixture(scope="session")
def unpacked(made: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("task root")
    with zipfile.ZipFile(made.bundle) as bundle:
        bundle.extractall(directory)
    return directory


@pytest.fixture(scope="session")
def cloud() -> Iterator[SimCloud]:
    with SimCloud() as running:
        yield keep_all_of(running)


@pytest.fixture(scope="session")
def stage(
    made: Package,
    unpacked: Path,
    local_aws: LocalAws,
    cloud: SimCloud,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    logs = watch(tmp_path_factory.mktemp("logs"))
    with Stage(made.template, unpacked, local_aws.url, cloud, logs) as running:
        yield running
