from __future__ import annotations

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.ids import derived_id, time_sorted_id

thorough = settings(max_examples=200, derandomize=True, deadline=None)

parts = st.lists(st.text(alphabet="ab:1", max_size=4), max_size=3).map(tuple)


@thorough
@given(parts, parts)
def test_the_same_parts_give_the_same_id_and_other_parts_another(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert (derived_id(*one) == derived_id(*other)) is (one == other)


def test_parts_do_not_run_together() -> None:
    assert len({derived_id("ab", "c"), derived_id("a", "bc"), derived_id("abc"), derived_id("1:a", "b")}) == 4


def test_a_derived_id_is_a_uuid_and_stays_the_same_for_ever() -> None:
    """Ids of executions are stored: another derivation would let old events scale once more."""
    assert derived_id("policy-1", "event-1") == "16a506f6-7eaa-5517-918b-3fa23bc4957d"
    assert uuid.UUID(derived_id("policy-1", "event-1")).version == 5


milliseconds = st.integers(0, 2**48 - 1)
randoms = st.integers(0, 2**74 - 1)


def test_a_time_sorted_id_is_the_example_of_the_rfc() -> None:
    """RFC 9562, appendix A.6: rand_a is CC3, rand_b is 18C4DC0C0C07398F."""
    assert time_sorted_id(0x017F22E279B0, 0xCC3 << 62 | 0x18C4DC0C0C07398F) == (
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    )


@thorough
@given(milliseconds, randoms, milliseconds, randoms)
def test_time_sorted_ids_sort_by_time_and_then_by_all_their_random_bits(
    one: int, bits: int, other: int, other_bits: int
) -> None:
    first, second = time_sorted_id(one, bits), time_sorted_id(other, other_bits)
    assert (first < second) == ((one, bits) < (other, other_bits))
    assert (first == second) == ((one, bits) == (other, other_bits))
    assert uuid.UUID(first).version == 7
    assert uuid.UUID(first).variant == uuid.RFC_4122


def test_two_random_bits_apart_are_two_ids() -> None:
    assert len({time_sorted_id(1, 1 << bit) for bit in range(74)}) == 74
