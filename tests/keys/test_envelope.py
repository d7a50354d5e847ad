from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import envelope, stream
from keys.context import Context, Purpose
from keys.errors import UnsealError
from keys.secret import SecretKey

KEY = SecretKey(bytes(range(32)))
CASE = Context(Purpose.CASE_KEY, "practice", "case")
NOTES = Context(Purpose.RECORD, "practice", "case", "notes")


@given(st.binary(max_size=500))
def test_a_value_opens_as_what_was_sealed(value: bytes) -> None:
    sealed = envelope.seal(KEY, value, NOTES)
    assert envelope.unseal(KEY, sealed, NOTES) == value
    assert len(sealed) == len(value) + 56


def test_the_same_value_never_seals_alike() -> None:
    assert len({envelope.seal(KEY, b"value", NOTES)[1:33] for _ in range(100)}) == 100


def test_a_wrapped_key_opens_in_its_place_alone() -> None:
    secret = SecretKey.generate()
    wrapped = envelope.wrap(KEY, secret, CASE)
    assert len(wrapped) == 88
    assert envelope.unwrap(KEY, wrapped, CASE) == secret
    for elsewhere in (
        replace(CASE, purpose=Purpose.FILE_KEY),
        replace(CASE, controller_id="other"),
        replace(CASE, case_id="other"),
        replace(CASE, object_id="other"),
    ):
        with pytest.raises(UnsealError):
            envelope.unwrap(KEY, wrapped, elsewhere)
    with pytest.raises(UnsealError):
        envelope.unwrap(secret, wrapped, CASE)


def test_no_altered_bit_of_a_wrapped_key_opens() -> None:
    wrapped = envelope.wrap(KEY, SecretKey.generate(), CASE)
    for bit in range(len(wrapped) * 8):
        altered = bytearray(wrapped)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UnsealError):
            envelope.unwrap(KEY, bytes(altered), CASE)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_value_that_is_no_key_does_not_unwrap(size: int) -> None:
    with pytest.raises(UnsealError):
        envelope.unwrap(KEY, envelope.seal(KEY, bytes(size), CASE), CASE)


def test_a_value_is_one_segment_and_no_more() -> None:
    largest = bytes(envelope.VALUE_LIMIT)
    sealed = envelope.seal(KEY, largest, NOTES)
    assert len(sealed) == stream.SEGMENT_SIZE
    assert envelope.unseal(KEY, sealed, NOTES) == largest
    with pytest.raises(ValueError, match="at most"):
        envelope.seal(KEY, largest + b"\0", NOTES)
    with pytest.raises(UnsealError):
        envelope.unseal(KEY, stream.seal_bytes(KEY, largest + b"\0", NOTES), NOTES)


@pytest.mark.parametrize("hostile", [b"", b"\x28", bytes(56), b"\x28" + bytes(55), bytes(88)])
def test_bytes_that_were_never_sealed_do_not_open(hostile: bytes) -> None:
    with pytest.raises(UnsealError):
        envelope.unseal(KEY, hostile, NOTES)


def test_a_record_key_is_of_one_case_and_is_not_the_case_key() -> None:
    places = [("practice", "case"), ("practice", "case2"), ("practice2", "case")]
    derived = [envelope.record_key(KEY, *place).reveal() for place in places]
    again = [envelope.record_key(KEY, *place).reveal() for place in places]
    assert derived == again
    assert len({*derived, KEY.reveal()}) == 4
    assert envelope.record_key(SecretKey.generate(), *places[0]).reveal() not in derived
