"""What the documents name exists: tests that show what they say, files, and what their links lead to."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.documents import DOCS, ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "heat_plugin/README.md"])
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


@pytest.mark.parametrize("document", TEXTS)
def test_links_lead_to_a_document_and_a_title_in_it(document: str) -> None:
    missing = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", TEXTS[document]):
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text(encoding="utf-8"))):
            missing.append(link)
    assert missing == []


def _anchors(text: str) -> set[str]:
    """Return what GitHub makes of the titles, for links to them."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
