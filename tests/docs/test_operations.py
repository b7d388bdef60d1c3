"""What operators read: every alarm has its section, every metric its row, every line its fields."""

from __future__ import annotations

import re
from pathlib import Path

from chalicelib.core.group import TroubleKind
from chalicelib.telemetry import METRICS
from deploy.alarms import alarms_of

DOCS = Path(__file__).parents[2] / "docs"
CODE = Path(__file__).parents[2] / "chalicelib"


def test_the_runbook_says_what_to_do_about_every_alarm_and_no_other() -> None:
    text = (DOCS / "runbook.md").read_text(encoding="utf-8")
    sections = re.split(r"^### ", text.partition("\n## Alarms\n")[2], flags=re.MULTILINE)[1:]
    assert {each.partition("\n")[0] for each in sections} == {alarm.name for alarm in alarms_of("prod")}
    assert all(len(each.partition("\n")[2].strip()) > 50 for each in sections)


def test_the_runbook_says_what_each_code_of_what_is_unavailable_means() -> None:
    raised = re.compile(r'(?:Unavailable|super\(\).__init__)\(\s*"([a-z_]+\.[a-z_]+)"')
    sources = [path.read_text(encoding="utf-8") for path in CODE.rglob("*.py")]
    codes = {code for text in sources if "Unavailable" in text for code in raised.findall(text)}
    assert len(codes) > 8
    text = (DOCS / "runbook.md").read_text(encoding="utf-8")
    _, _, section = text.partition("\n### unavailable\n")
    table = section.partition("\n### ")[0]
    assert {code for code in codes if f".{code}`" not in table} == set()


def test_every_metric_is_described_in_the_words_that_prometheus_gets() -> None:
    text = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    rows = [
        f"| `{each.name}` | `{each.prometheus_name}` | {', '.join(f'`{d}`' for d in each.dimensions)} "
        f"| {each.says} |"
        for each in METRICS
    ]
    assert re.findall(r"^\| `[A-Z]\w+` \| .*\|$", text, re.MULTILINE) == rows


def test_what_may_keep_a_group_is_listed_where_the_line_is_described() -> None:
    text = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    _, _, listed = text.partition("`trouble` (what keeps the group: ")
    words = set(re.findall(r"`(\w+)`", listed.partition(")")[0]))
    assert words == {"none", "frozen", "draining", *TroubleKind}
