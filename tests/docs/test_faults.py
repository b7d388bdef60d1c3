"""docs/faults.md tells of every fault that is put to both groups, and which test shows ours."""

from __future__ import annotations

from dev.faults_beside_heat.cases import CASES
from tests.docs.documents import rows


def test_every_fault_has_its_row_and_the_test_that_shows_ours() -> None:
    told = rows("faults.md", "What came of it")
    assert [row[0].split("`")[1] for row in told] == [case.name for case in CASES]
    assert [row[0] for row in told if "::test_" not in row[-1]] == []
