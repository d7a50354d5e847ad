from __future__ import annotations

import struct

import pytest

from gateway.inspection.photos.exif import Exif, orientation_alone, read_exif
from gateway.inspection.texts import Texts

NAME = b"Jan Jansen 123456782"
ORDERS = pytest.mark.parametrize("order", ["<", ">"])
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 129: 1}
MAKER_NOTE, ORIENTATION = 0x927C, 0x0112
SHORT = 3


def entry(order: str, tag: int, kind: int, count: int, value: bytes | int) -> bytes:
    """One entry of a directory; a number is the offset of the value."""
    held = value if isinstance(value, bytes) else struct.pack(order + "I", value)
    return struct.pack(order + "HHI", tag, kind, count) + held.ljust(4, b"\0")


def directory(order: str, *entries: bytes, after: int = 0) -> bytes:
    return b"".join(
        (struct.pack(order + "H", len(entries)), *entries, struct.pack(order + "I", after))
    )


def block(order: str, *parts: bytes) -> bytes:
    """A block whose first directory stands at 8, and whatever follows."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    return mark + struct.pack(order + "I", 8) + b"".join(parts)


def read(tiff: bytes) -> tuple[Exif, list[str]]:
    texts = Texts()
    return read_exif(tiff, texts), texts.pieces


def with_value(order: str, tag: int, kind: int, value: bytes) -> bytes:
    """One value behind one directory of one entry."""
    count = len(value) // WIDTHS.get(kind, 1)
    return block(order, directory(order, entry(order, tag, kind, count, 26)), value)


@ORDERS
@pytest.mark.parametrize("kind", [2, 129])
def test_a_text_is_read_whatever_its_tag(order: str, kind: int) -> None:
    for tag in (0x010E, 0x9286):
        content = with_value(order, tag, kind, NAME) + b"and what follows it"
        assert read(content) == (Exif(), [NAME.decode()])


@ORDERS
@pytest.mark.parametrize("kind", [kind for kind in WIDTHS if kind not in {2, 129}])
def test_what_is_no_text_by_its_kind_is_read_in_a_maker_note_alone(order: str, kind: int) -> None:
    value = NAME + b" and more"[: -len(NAME) % 8]
    assert len(value) % 8 == 0
    exif, texts = read(with_value(order, MAKER_NOTE, kind, value) + b"and what follows it")
    assert (exif, texts) == (Exif(has_maker_note=True), [value.decode()])
    assert read(with_value(order, 0x010E, kind, value)) == (Exif(), [])


def test_a_value_of_no_known_kind_is_empty() -> None:
    for kind in (0, 13, 128, 130):
        assert read(with_value(">", MAKER_NOTE, kind, NAME)) == (Exif(has_maker_note=True), [])


@ORDERS
def test_up_to_four_bytes_stand_in_the_entry_itself(order: str) -> None:
    def texts(value: bytes, held: bytes | int) -> list[str]:
        one = entry(order, 0x010E, 2, len(value), held)
        return read(block(order, directory(order, one), value))[1]

    assert texts(b"Jan!", b"JanX") == ["JanX"]
    assert texts(b"Jan-P", 26) == ["Jan-P"]


@ORDERS
@pytest.mark.parametrize("tag", range(0x9C9A, 0x9CA1))
def test_five_texts_of_windows_are_wide(order: str, tag: int) -> None:
    texts = read(with_value(order, tag, 1, NAME.decode().encode("utf-16-le")))[1]
    assert texts == ([NAME.decode()] if 0x9C9B <= tag <= 0x9C9F else [])


@ORDERS
@pytest.mark.parametrize("tag", [0x9286, 0x001B, 0x001C])
def test_eight_bytes_say_what_a_comment_is_coded_in(order: str, tag: int) -> None:
    assert read(with_value(order, tag, 7, b"ASCII\0\0\0" + NAME))[1] == [NAME.decode()]
    wide = NAME.decode().encode("utf-16-le" if order == "<" else "utf-16-be")
    assert read(with_value(order, tag, 7, b"UNICODE\0" + wide))[1] == [NAME.decode()]
    assert read(with_value(order, tag + 2, 7, b"ASCII\0\0\0" + NAME))[1] == []


@ORDERS
@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (0x8769, Exif()),
        (0x8825, Exif(has_gps=True)),
        (0xA005, Exif()),
    ],
)
def test_directories_in_a_directory_are_read(order: str, tag: int, expected: Exif) -> None:
    inner = directory(
        order,
        entry(order, ORIENTATION, SHORT, 1, struct.pack(order + "H", 6)),
        entry(order, 0x010E, 2, 4, b"Jan!"),
        after=7,
    )
    outer = directory(order, entry(order, tag, 4, 1, 26))
    assert read(block(order, outer, inner)) == (expected, ["Jan!"])
    other = directory(order, entry(order, tag + 1, 4, 1, 26))
    assert read(block(order, other, inner)) == (Exif(), [])


@ORDERS
@pytest.mark.parametrize("value", range(11))
@pytest.mark.parametrize("kind", [SHORT, 4])
def test_an_orientation_is_a_short_from_1_to_8(order: str, value: int, kind: int) -> None:
    held = struct.pack(order + "H", value)
    one = directory(order, entry(order, ORIENTATION, kind, 1, held))
    right = kind == SHORT and 1 <= value <= 8
    assert read(block(order, one))[0].orientation == (value if right else 1)


@ORDERS
def test_the_second_directory_is_that_of_a_thumbnail(order: str) -> None:
    second = directory(order, entry(order, ORIENTATION, SHORT, 1, struct.pack(order + "H", 6)))
    first = directory(order, entry(order, 0x010E, 2, 4, b"Jan!"), after=26)
    assert read(block(order, first, second)) == (Exif(has_thumbnail=True), ["Jan!"])


@ORDERS
def test_512_entries_and_8_directories_are_read(order: str) -> None:
    many = [entry(order, 0x010E, 2, 4, b"%04d" % number) for number in range(514)]
    assert read(block(order, directory(order, *many)))[1][-1] == "0511"
    chain, at = b"", 8
    for number in range(10):
        at += 18
        chain += directory(order, entry(order, 0x010E, 2, 4, b"%04d" % number), after=at)
    assert read(block(order, chain))[1] == [f"{number:04d}" for number in range(8)]


@ORDERS
def test_an_entry_may_end_with_the_block_and_no_later(order: str) -> None:
    whole = block(order, directory(order, entry(order, 0x010E, 2, 4, b"Jan!")))[:-4]
    assert read(whole) == (Exif(), ["Jan!"])
    assert read(whole[:-1]) == (Exif(), [])


def test_65_536_bytes_of_a_maker_note_are_searched() -> None:
    for over in (0, 1):
        value = bytes(65_536 - len(NAME) + over) + NAME + b"!"
        assert read(with_value(">", MAKER_NOTE, 7, value))[1] == [NAME.decode()[: len(NAME) - over]]


def test_a_block_without_a_byte_order_is_searched_as_it_is() -> None:
    assert read(b"XX\0*\0\0\0\x08" + NAME) == (Exif(), [NAME.decode()])


def test_the_orientation_alone_is_the_shortest_block() -> None:
    assert orientation_alone(6) == bytes.fromhex(
        "4d4d002a 00000008 0001 0112 0003 00000001 0006 0000 00000000"
    )
