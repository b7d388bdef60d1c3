"""What the documents say that tests show, they show: every test and file that is named exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.documents import DOCS, ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
TEXTS = {str(each.relative_to(ROOT)): each.read_text(encoding="utf-8") for each in DOCUMENTS}
TESTS = sorted({name for text in TEXTS.values() for name in re.findall(r"`(tests/[\w/]+\.py::\w+)`", text)})


@pytest.mark.parametrize("name", TESTS)
def test_every_test_that_is_named_exists(name: str) -> None:
    path, _, test = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    machines = {
        each.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for each in node.targets
        if isinstance(each, ast.Name) and each.id.startswith("Test")
    }
    assert test in functions | machines


@pytest.mark.parametrize("document", TEXTS)
def test_every_file_that_is_named_exists(document: str) -> None:
    named = {
        each.partition("::")[0]
        for each in re.findall(r"`((?:tests|chalicelib|dev|deploy)/[\w./-]+(?:::\w+)?)`", TEXTS[document])
    }
    assert [each for each in named if not (ROOT / each).exists()] == []
