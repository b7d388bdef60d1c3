"""docs/settings.md has a row for whatever can be set, with the default that holds."""

from __future__ import annotations

import re

from chalicelib import settings
from deploy.parameters import PARAMETERS
from tests.docs.documents import DOCS
from tests.test_settings import LEAST

TEXT = (DOCS / "settings.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]*)\| ", TEXT, re.MULTILINE)


class _Recording(dict[str, str]):
    """An environment that remembers what was looked for."""

    def __init__(self) -> None:
        super().__init__(LEAST)
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(key)
        return super().get(key, default)


def test_every_variable_that_is_read_has_its_row_and_no_other() -> None:
    environ = _Recording()
    settings.read(environ)
    told = [variable for variable, _, _ in ROWS]
    assert sorted(told) == sorted(environ.asked | {each.variable for each in PARAMETERS})


def test_what_is_marked_is_a_parameter_of_the_stack() -> None:
    marked = {variable for variable, _, parameter in ROWS if parameter.startswith("✓")}
    assert marked == {each.variable for each in PARAMETERS}


def test_the_defaults_are_those_that_hold() -> None:
    given = {variable: default.strip("`") for variable, default, _ in ROWS if default.startswith("`")}
    assert len(given) > 25
    assert settings.read({**LEAST, **given}) == settings.read(LEAST)
