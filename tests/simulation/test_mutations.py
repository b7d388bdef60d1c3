"""The list of faults fits the code, and the document that shows it fits the list."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.documents import ROOT, rows
from tests.simulation.mutants import mutate
from tests.simulation.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.fault)
def test_a_fault_can_still_be_put_into_the_code(mutation: Mutation, tmp_path: Path) -> None:
    path = tmp_path / "chalicelib" / mutation.path
    path.parent.mkdir(parents=True)
    shutil.copy(ROOT / "chalicelib" / mutation.path, path)
    before = path.read_text(encoding="utf-8")
    mutate(tmp_path, mutation)
    after = path.read_text(encoding="utf-8")
    assert after != before
    compile(after, mutation.path, "exec")


def test_the_document_lists_them_all() -> None:
    listed = rows("simulation.md", "Faults put in by hand")
    assert [(fault, path.strip("`"), test.strip("`")) for fault, path, test in listed] == [
        (each.fault, f"chalicelib/{each.path}", each.caught_by) for each in MUTATIONS
    ]
