"""Secrets that the tests make are kept, and so is all that is logged: none may be found in the other.

A plugin of pytest that looks when a run ends. Whatever makes a secret in the tests hands it to ``keep``: the
services in memory, the simulated clouds, the callers of a running stack. What is logged in this process is
kept as it is logged, at every level and whether or not anybody listens; processes that tests start leave log
files, which are ``watched``. With xdist each process looks at its own, and the one that was started tells of
all.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dev.simcloud import PASSWORD, SimCloud

SHORTEST_CHARACTERS = 10
"""A shorter one might stand in a log by chance, and so is not looked for."""

_IN_URL = re.compile(r"/v1/(?:hooks/(?:alarms/[^/]+/[^/]+/)?|intake/)([A-Za-z0-9_-]{43})")
_SECRET_FIELDS = {"secret", "application_credential_secret", "key", "password"}

_EVERY_RECORDS = vars(logging.makeLogRecord({})).keys()

_FOUND = pytest.StashKey[list[str]]()

_secrets: set[str] = set()
_clouds: list[SimCloud] = []
_files: list[Path] = []
_said: set[str] = set()


def keep(secret: str) -> str:
    """Return the secret, which may stand in no log from now on, nor before."""
    if len(secret) >= SHORTEST_CHARACTERS:
        _secrets.add(secret)
    return secret


def keep_all_of(cloud: SimCloud) -> SimCloud:
    """Return the cloud, whose every token, password and URL of ours will have been secret."""
    _clouds.append(cloud)
    return cloud


def keep_in(document: Any) -> Any:
    """Return what was sent or answered as JSON, once the secrets in it are kept."""
    for name, text in _texts(document):
        if name in _SECRET_FIELDS:
            keep(text)
        for token in _IN_URL.findall(text):
            keep(token)
    return document


def watch(log: Path) -> Path:
    """Return the path of a log, or of a directory with logs, which is looked at in the end."""
    _files.append(log)
    return log


def leaks() -> list[str]:
    """Return where secrets stand in what was logged, a line for each, with the secret itself cut off."""
    secrets = _secrets | {secret for cloud in _clouds for secret in _secrets_of(cloud)}
    return [
        f"{place}: a secret that begins with {secret[:6]!r}: {_around(text, secret)!r}"
        for place, text in _texts_logged()
        for secret in sorted(secrets)
        if secret in text
    ]


def _texts(document: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a document, with the name of the field that it is in."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield from _texts(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value, name)
    elif isinstance(document, str):
        yield name, document


def _secrets_of(cloud: SimCloud) -> Iterator[str]:
    yield from cloud.world.tokens
    yield from (credential.secret for credential in cloud.world.credentials.values())
    for alarm in cloud.world.alarms.values():
        yield from (token for _, text in _texts(alarm.document) for token in _IN_URL.findall(text))
    yield from (f"{quote}{PASSWORD}{quote}" for quote in "'\"")  # the bare word may be said


def _texts_logged() -> Iterator[tuple[str, str]]:
    yield "logged in this process", "\n".join(_said)
    for path in _files:
        for log in sorted(path.glob("*.log")) if path.is_dir() else [path]:
            yield log.name, log.read_text(errors="replace")


def _around(text: str, secret: str) -> str:
    at = text.index(secret)
    line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
    return line.replace(secret, "***")[:300]


def _keeping(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """Return ``Logger.makeRecord`` that keeps what is said, in fields as well; each sentence once.

    A factory of records would not do: fields are put into a record after it was made.
    """
    formatter = logging.Formatter()

    def keeping(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        _said.add(record.getMessage())
        fields = {name: value for name, value in vars(record).items() if name not in _EVERY_RECORDS}
        _said.update(text for _, text in _texts(fields))
        if record.exc_info and record.exc_info[0] is not None:
            _said.add(formatter.formatException(record.exc_info))
        return record

    return keeping


def pytest_configure(config: pytest.Config) -> None:
    """Keep what is logged from now on; of our own, at every level."""
    config.stash[_FOUND] = []
    logging.Logger.makeRecord = _keeping(logging.Logger.makeRecord)  # type: ignore[method-assign]
    logging.getLogger("chalicelib").setLevel(logging.DEBUG)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what another process has found."""
    del error
    node.config.stash[_FOUND] += getattr(node, "workeroutput", {}).get("leaks", [])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look, once all fixtures are gone; the run fails where anything is found."""
    found = session.config.stash[_FOUND]
    found += leaks()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["leaks"] = found
    elif found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was found."""
    found = terminalreporter.config.stash[_FOUND]
    if found:
        terminalreporter.section("secrets were logged", red=True)
        for line in found:
            terminalreporter.line(line)
