from __future__ import annotations

from datetime import datetime

import pytest

from chalicelib.core.capacity import Direction
from chalicelib.core.policy import DirectionLimit
from chalicelib.core.token import TokenHash
from tests.core.factories import LONG_AGO, NOW, a_webhook, seconds

OLD, NEW = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("limit", "direction", "allowed"),
    [
        (DirectionLimit.ANY, Direction.OUT, True),
        (DirectionLimit.ANY, Direction.IN, True),
        (DirectionLimit.OUT, Direction.OUT, True),
        (DirectionLimit.OUT, Direction.IN, False),
        (DirectionLimit.IN, Direction.IN, True),
        (DirectionLimit.IN, Direction.OUT, False),
    ],
)
def test_what_a_limit_allows(limit: DirectionLimit, direction: Direction, allowed: bool) -> None:
    assert limit.allows(direction) is allowed


def a_token(sha256: str, expires_at: datetime | None = None) -> TokenHash:
    return TokenHash(sha256=sha256, issued_at=LONG_AGO, expires_at=expires_at)


@pytest.mark.parametrize(
    ("token_ends", "webhook_ends", "live"),
    [
        (None, None, True),
        (NOW + seconds(1), None, True),
        (NOW, None, False),
        (None, NOW + seconds(1), True),
        (None, NOW, False),
        (NOW - seconds(1), NOW + seconds(1), False),
    ],
)
def test_a_token_lives_until_it_or_its_webhook_ends(
    token_ends: datetime | None, webhook_ends: datetime | None, live: bool
) -> None:
    webhook = a_webhook(tokens=(a_token(OLD, token_ends),), expires_at=webhook_ends)
    assert webhook.token_is_live(OLD, NOW) is live


def test_after_a_rotation_both_tokens_live_until_the_old_one_ends() -> None:
    webhook = a_webhook(tokens=(a_token(NEW), a_token(OLD, NOW + seconds(60))))
    assert webhook.token_is_live(NEW, NOW)
    assert webhook.token_is_live(OLD, NOW)
    assert webhook.token_is_live(NEW, NOW + seconds(60))
    assert not webhook.token_is_live(OLD, NOW + seconds(60))


@pytest.mark.parametrize("webhook_ends", [None, NOW + seconds(60)])
def test_a_token_of_somebody_else_never_lives(webhook_ends: datetime | None) -> None:
    assert not a_webhook(expires_at=webhook_ends).token_is_live("c" * 64, NOW)
    assert not a_webhook(tokens=()).token_is_live(OLD, NOW)
