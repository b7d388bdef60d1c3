"""docs/security.md promises nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from deploy.policies import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", TEXT)))


def rows(title: str) -> list[list[str]]:
    """Return the cells of the table under a title, without its head."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("name", TESTS)
def test_every_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_file_that_is_named_exists() -> None:
    named = {each.partition("::")[0] for each in re.findall(r"`((?:tests|chalicelib)/[^`]+)`", TEXT)}
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_the_ten_points_are_there_each_with_its_test() -> None:
    points = rows("OWASP API Security Top 10 (2023)")
    assert [point[0].split()[0] for point in points] == [f"API{number}" for number in range(1, 11)]
    assert [point[0] for point in points if "::test_" not in point[-1]] == []


def test_every_token_says_what_it_costs_how_it_is_taken_back_and_what_shows_that() -> None:
    tokens = rows("What each token can do")
    assert [row for row in tokens if len(row) != 5 or not all(row) or "::test_" not in row[-1]] == []
    said = " ".join(row[0] for row in tokens)
    assert [function for function in FUNCTIONS if f"`{function}`" not in said] == []
