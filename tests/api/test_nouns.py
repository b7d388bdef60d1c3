from __future__ import annotations

import pytest

from app import app
from chalicelib.api.nouns import noun_of


@pytest.mark.parametrize("path", app.routes)
def test_a_path_leads_to_the_noun_that_answers_there(path: str) -> None:
    """On Lambda only that noun is imported; here all are, so what answers is known."""
    answering = {entry.view_function.__module__ for entry in app.routes[path].values()}
    assert answering == {noun_of(path).__name__}
