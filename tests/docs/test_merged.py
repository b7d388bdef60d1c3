"""No file of the project keeps what a merge left undecided."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.docs.documents import ROOT

_MARKER = re.compile(rb"^(<{7} |={7}$|>{7} )", re.MULTILINE)


def test_no_file_has_conflict_markers() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no checkout of git's")
    names = [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    assert [name for name in names if _MARKER.search((ROOT / name).read_bytes())] == []
