from __future__ import annotations

import pytest

from chalicelib.core.alarm import AlarmState, CompositeRule
from chalicelib.core.notice import Notice, breach
from tests.core.aodh_alarms import a_rule_for_aodh, an_aodh_alarm


def notice(value: float | None) -> Notice:
    return Notice(external_id="e", state=AlarmState.ALARM, reason="high", value=value)


@pytest.mark.parametrize(
    ("statistic", "value", "beyond"),
    [
        ("average", 95.0, 15.0),
        ("minimum", 70.0, -10.0),
        ("rate", 6000.0, 20.0),  # in a period of 60 s: 100 per second
    ],
)
def test_the_breach_is_in_the_unit_of_the_threshold(statistic: str, value: float, beyond: float) -> None:
    alarm = an_aodh_alarm(rule=a_rule_for_aodh(statistic=statistic))
    assert breach(alarm, notice(value)) == beyond


def test_without_a_value_or_a_threshold_the_breach_is_unknown() -> None:
    assert breach(an_aodh_alarm(), notice(None)) is None
    assert breach(an_aodh_alarm(rule=CompositeRule(expression="{}")), notice(95)) is None
