from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Invalid, TooLarge
from chalicelib.intake.compression import inflated

LIMIT_BYTES = 1000
WHOLE = gzip.compress(b"whole", mtime=0)


@given(body=st.binary(max_size=LIMIT_BYTES).filter(lambda body: not body.startswith(b"\x1f\x8b")))
def test_what_was_compressed_comes_out_as_it_was_and_the_rest_as_it_came(body: bytes) -> None:
    assert inflated(gzip.compress(body), LIMIT_BYTES) == body
    assert inflated(body, LIMIT_BYTES) == body


def test_the_limit_is_of_what_comes_out() -> None:
    assert len(inflated(gzip.compress(bytes(LIMIT_BYTES)), LIMIT_BYTES)) == LIMIT_BYTES
    for body in (
        gzip.compress(bytes(LIMIT_BYTES + 1)),
        gzip.compress(bytes(10**8)),
        b"x" * (LIMIT_BYTES + 1),
    ):
        with pytest.raises(TooLarge):
            inflated(body, LIMIT_BYTES)


@pytest.mark.parametrize(
    "body",
    [
        b"\x1f\x8b",
        b"\x1f\x8bnothing of the kind",
        WHOLE[:-1],
        WHOLE + b"more",
        WHOLE + WHOLE,
        WHOLE[:-8] + bytes(8),
    ],
)
def test_what_is_no_whole_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        inflated(body, LIMIT_BYTES)
    assert refused.value.code == "autoscaling.intake.compression"


@given(body=st.binary().map(lambda body: b"\x1f\x8b\x08" + body))
def test_whatever_comes_it_is_bytes_or_refused(body: bytes) -> None:
    try:
        assert len(inflated(body, LIMIT_BYTES)) <= LIMIT_BYTES
    except (Invalid, TooLarge):
        return


def test_other_compressions_are_left_alone() -> None:
    body = zlib.compress(b"deflate")
    assert inflated(body, LIMIT_BYTES) == body
