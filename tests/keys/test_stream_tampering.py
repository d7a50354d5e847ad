"""Whatever happens to a sealed file, it opens as what was sealed or not at all."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from keys import stream
from keys.context import Context, Purpose
from keys.errors import UnsealError
from keys.secret import SecretKey
from keys.stream import HEADER_SIZE, SEGMENT_SIZE, Unsealer

KEY = SecretKey(bytes(range(32)))
CONTEXT = Context(Purpose.FILE, "practice", "case", "file")
SMALL = 96
SEGMENTS = 6


def refused(sealed: bytes, key: SecretKey = KEY, context: Context = CONTEXT) -> None:
    with pytest.raises(UnsealError):
        stream.unseal_bytes(key, sealed, context)


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """Six segments of 96 bytes, so that every single case can be tried."""
    monkeypatch.setattr(stream, "SEGMENT_SIZE", SMALL)
    plain = bytes(index % 251 for index in range(SMALL * SEGMENTS - HEADER_SIZE - 16 * SEGMENTS))
    whole = stream.seal_bytes(KEY, plain, CONTEXT)
    assert len(whole) == SMALL * SEGMENTS
    yield whole
    assert stream.unseal_bytes(KEY, whole, CONTEXT) == plain


def apart(sealed: bytes) -> tuple[bytes, list[bytes]]:
    spans = [stream.segment_span(number) for number in range(SEGMENTS)]
    return sealed[:HEADER_SIZE], [sealed[start:stop] for start, stop in spans]


def test_no_flipped_bit_opens(sealed: bytes) -> None:
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        refused(bytes(altered))


def test_no_truncation_opens(sealed: bytes) -> None:
    for size in range(len(sealed)):
        refused(sealed[:size])


def test_nothing_appended_opens(sealed: bytes) -> None:
    _, segments = apart(sealed)
    for more in (*(bytes(count) for count in range(1, 2 * SMALL)), *segments):
        refused(sealed + more)


def test_segments_in_no_other_order_open(sealed: bytes) -> None:
    header, segments = apart(sealed)
    # The first is shorter, so every order moves the borders as well.
    orders = itertools.permutations(segments)
    assert next(orders) == tuple(segments)
    tried = 0
    for order in orders:
        refused(header + b"".join(order))
        tried += 1
    assert tried == 719


def test_equally_long_segments_do_not_open_in_each_others_place(sealed: bytes) -> None:
    header, segments = apart(sealed)
    unsealer = Unsealer(KEY, CONTEXT, header)
    for place, number, last in itertools.product(range(6), range(6), (False, True)):
        if (place, last) == (number, number == SEGMENTS - 1):
            assert unsealer.unseal(place, segments[number], last=last)
        else:
            with pytest.raises(UnsealError):
                unsealer.unseal(place, segments[number], last=last)


def test_no_segment_is_dropped_or_repeated_unnoticed(sealed: bytes) -> None:
    header, segments = apart(sealed)
    for number in range(SEGMENTS):
        refused(header + b"".join(segments[:number] + segments[number + 1 :]))
        refused(header + b"".join(segments[: number + 1] + segments[number:]))


def test_a_segment_of_another_stream_under_the_same_key_does_not_open(sealed: bytes) -> None:
    header, segments = apart(sealed)
    other = stream.seal_bytes(KEY, stream.unseal_bytes(KEY, sealed, CONTEXT), CONTEXT)
    _, others = apart(other)
    for number in range(SEGMENTS):
        refused(header + b"".join([*segments[:number], others[number], *segments[number + 1 :]]))


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(CONTEXT, purpose=Purpose.PART),
        replace(CONTEXT, controller_id="practice2"),
        replace(CONTEXT, case_id="case2"),
        replace(CONTEXT, object_id="file2"),
        Context(Purpose.FILE, "practice", "file", "case"),
    ],
)
def test_a_stream_moved_to_another_place_does_not_open(sealed: bytes, elsewhere: Context) -> None:
    refused(sealed, context=elsewhere)


def test_a_stream_does_not_open_under_another_key(sealed: bytes) -> None:
    for bit in range(256):
        refused(sealed, key=SecretKey((int.from_bytes(KEY.reveal()) ^ 1 << bit).to_bytes(32)))


@pytest.mark.parametrize("header", [b"", bytes(40), b"\x28", b"\x29" + bytes(39), b"\x28" * 41])
def test_what_is_not_a_header_is_refused(header: bytes) -> None:
    with pytest.raises(UnsealError):
        Unsealer(KEY, CONTEXT, header)


@pytest.mark.parametrize("size", [0, 1, 15, SEGMENT_SIZE + 1])
def test_a_segment_of_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(UnsealError):
        Unsealer(KEY, CONTEXT, b"\x28" + bytes(39)).unseal(0, bytes(size), last=True)


def test_a_real_file_does_not_open_when_altered_around_its_borders() -> None:
    plain = bytes(3 * SEGMENT_SIZE + 7)
    whole = stream.seal_bytes(KEY, plain, CONTEXT)
    borders = [0, HEADER_SIZE, SEGMENT_SIZE, 2 * SEGMENT_SIZE, 3 * SEGMENT_SIZE, len(whole)]
    near = {border + step for border in borders for step in (-1, 0, 1)}
    for place in sorted(near & set(range(len(whole)))):
        altered = bytearray(whole)
        altered[place] ^= 0x80
        refused(bytes(altered))
        refused(whole[:place])
    refused(whole + b"\0")
    one, two, three = SEGMENT_SIZE, 2 * SEGMENT_SIZE, 3 * SEGMENT_SIZE
    refused(whole[:one] + whole[two:three] + whole[one:two] + whole[three:])
    assert stream.unseal_bytes(KEY, whole, CONTEXT) == plain
