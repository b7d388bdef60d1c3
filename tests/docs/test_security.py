"""docs/security.md promises nothing that no test shows."""

from __future__ import annotations

from deploy.policies import FUNCTIONS
from tests.docs.documents import rows

DOCUMENT = "security.md"


def test_the_ten_points_are_there_each_with_its_test() -> None:
    points = rows(DOCUMENT, "OWASP API Security Top 10 (2023)")
    assert [point[0].split()[0] for point in points] == [f"API{number}" for number in range(1, 11)]
    assert [point[0] for point in points if "::test_" not in point[-1]] == []


def test_every_token_says_what_it_costs_how_it_is_taken_back_and_what_shows_that() -> None:
    tokens = rows(DOCUMENT, "What each token can do")
    assert [row for row in tokens if len(row) != 5 or not all(row) or "::test_" not in row[-1]] == []
    said = " ".join(row[0] for row in tokens)
    assert [function for function in FUNCTIONS if f"`{function}`" not in said] == []
