from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from gateway.inspection.errors import UnreadablePhotoError
from gateway.inspection.photos.bmff import Box, Heif, Item, Reader, boxes, read_heif

Place = tuple[int, int, int, int, list[tuple[int, int]]]  # item, method, elsewhere, base, extents


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def number(value: int, width: int) -> bytes:
    return value.to_bytes(width, "big")


PITM = full(b"pitm", 0, 0, b"\0\7")
NO_PLACES = full(b"iloc", 0, 0, b"\x44\0\0\0")
NO_PROPERTIES = box(b"iprp", box(b"ipco"), full(b"ipma", 0, 0, bytes(4)))


def infe(item: int, *, version: int = 2, protection: int = 0, kind: bytes = b"hvc1") -> bytes:
    width = 4 if version == 3 else 2
    return full(b"infe", version, 0, number(item, width), number(protection, 2), kind, b"a name\0")


def iinf(*entries: bytes, version: int = 0, count: int | None = None) -> bytes:
    counted = len(entries) if count is None else count
    return full(b"iinf", version, 0, number(counted, 4 if version else 2), *entries)


def iloc(
    *places: Place,
    version: int = 0,
    widths: tuple[int, int, int, int] = (4, 4, 0, 0),
    count: int | None = None,
) -> bytes:
    wide = 4 if version == 2 else 2
    offset, length, base, index = widths
    entries = b""
    for item, method, elsewhere, from_there, extents in places:
        entries += number(item, wide) + (number(method, 2) if version else b"")
        entries += number(elsewhere, 2) + number(from_there, base) + number(len(extents), 2)
        for start, size in extents:
            entries += number(5 if index else 0, index) if version else b""
            entries += number(start, offset) + number(size, length)
    packed = bytes((offset << 4 | length, base << 4 | index))
    counted = len(places) if count is None else count
    return full(b"iloc", version, 0, packed, number(counted, wide), entries)


def ipma(
    *entries: tuple[int, Sequence[tuple[int, bool]]],
    version: int = 0,
    flags: int = 0,
    count: int | None = None,
) -> bytes:
    body = b""
    for item, held in entries:
        body += number(item, 4 if version else 2) + bytes((len(held),))
        for property_, essential in held:
            width = 2 if flags & 1 else 1
            body += number(property_ | essential << 8 * width - 1, width)
    counted = len(entries) if count is None else count
    return full(b"ipma", version, flags, number(counted, 4), body)


def iprp(associations: bytes, properties: int = 3) -> bytes:
    held = (box(b"free", bytes((at,))) for at in range(properties))
    return box(b"iprp", box(b"ipco", *held), associations)


def file(*parts: bytes) -> bytes:
    return box(b"ftyp", b"heic") + full(b"meta", 0, 0, *parts)


def heif(*changed: bytes) -> Heif:
    """A file of one item, number 7, in which some boxes are others."""
    parts = {part[4:8]: part for part in (PITM, iinf(infe(7)), NO_PLACES, NO_PROPERTIES)}
    parts |= {part[4:8]: part for part in changed}
    return read_heif(file(*parts.values()))


def refusal(*changed: bytes) -> UnreadablePhotoError:
    with pytest.raises(UnreadablePhotoError) as caught:
        heif(*changed)
    return caught.value


def start_of(*changed: bytes, kind: bytes) -> int:
    """Where the body of a box begins in such a file."""
    parts = {part[4:8]: part for part in (PITM, iinf(infe(7)), NO_PLACES, NO_PROPERTIES)}
    parts |= {part[4:8]: part for part in changed}
    return file(*parts.values()).index(kind) + 4


def test_the_least_file_has_one_item_and_the_primary_one() -> None:
    read = heif()
    assert read.items == {7: Item(b"hvc1", b"a name\0")}
    assert (read.primary, read.idat, read.properties, read.references) == (7, b"", [], [])
    assert [part.kind for part in read.others] == [b"ftyp"]
    assert heif(full(b"pitm", 1, 0, number(70_000, 4))).primary == 70_000
    assert heif(box(b"idat", b"bytes")).idat == b"bytes"


@pytest.mark.parametrize("version", range(5))
def test_items_are_told_in_two_versions(version: int) -> None:
    if version in {2, 3}:
        assert [*heif(iinf(infe(9, version=version))).items] == [9]
    else:
        assert refusal(iinf(infe(9, version=version))).reason == "coding"


def test_what_is_no_item_or_a_protected_one_is_refused() -> None:
    assert refusal(iinf(infe(9, protection=1))).reason == "coding"
    assert refusal(iinf(infe(9).replace(b"infe", b"infx"))).reason == "coding"
    assert [*heif(iinf(infe(9), version=1)).items] == [9]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (iinf(infe(7), count=1001), b"iinf"),
        (iinf(infe(7), version=1, count=1001), b"iinf"),
        (iloc(count=1001), b"iloc"),
        (iprp(ipma(count=1001)), b"iprp"),
        (full(b"iref", 0, 0, box(b"dimg", b"\0\7", b"\3\xe9")), b"dimg"),
        (iloc((7, 0, 0, 0, [(0, 1)] * 65)), b"iloc"),
    ],
)
def test_no_count_is_above_its_bound(part: bytes, kind: bytes) -> None:
    error = refusal(part)
    assert (error.reason, error.numbers) == ("structure", {"offset": start_of(part, kind=kind)})


def test_each_bound_itself_is_allowed() -> None:
    assert heif(iinf(infe(7), count=1000)).items
    assert len(heif(iloc((7, 0, 0, 0, [(0, 1)] * 64))).items[7].extents) == 64
    assert heif(iloc(*[(8, 0, 0, 0, [])] * 1000)).items[7].extents == []
    assert heif(iprp(ipma(*[(8, ())] * 1000))).items[7].properties == []
    many = full(b"iref", 0, 0, box(b"dimg", b"\0\7", b"\3\xe8", b"\0\1" * 1000))
    assert heif(many).references == [(b"dimg", 7, [1] * 1000)]


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("widths", [(4, 4, 0, 0), (8, 4, 4, 0), (4, 8, 8, 4), (0, 4, 4, 8)])
def test_places_are_counted_from_their_base(
    version: int, widths: tuple[int, int, int, int]
) -> None:
    base = 1000 if widths[2] else 0
    first = 20 if widths[0] else 0
    places = [(7, 0, 0, base, [(first, 3), (first, 5)]), (8, 0, 0, base, [(first, 9)])]
    read = heif(iloc(*places, version=version, widths=widths))
    assert read.items[7].extents == [(base + first, 3), (base + first, 5)]
    assert not read.items[7].in_meta


def test_an_item_lies_in_the_file_or_in_the_metadata_and_nowhere_else() -> None:
    assert heif(iloc((7, 1, 0, 0, [(0, 1)]), version=1)).items[7].in_meta
    assert heif(iloc((7, 0xFF0, 0, 0, [(0, 1)]), version=1)).items[7].in_meta is False
    assert refusal(iloc((7, 2, 0, 0, [(0, 1)]), version=1)).reason == "coding"
    assert refusal(iloc((7, 0, 1, 0, [(0, 1)]))).reason == "coding"
    assert heif(iloc((8, 2, 1, 0, [(0, 1)]), version=1)).items[7].extents == []


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("flags", [0, 1, 2, 3])
def test_properties_are_those_of_their_number(version: int, flags: int) -> None:
    held = [(1, False), (3, True), (0, True), (2, True)]
    read = heif(iprp(ipma((8, [(1, True)]), (7, held), version=version, flags=flags)))
    assert read.items[7].properties == [(1, False), (3, True), (2, True)]
    assert [part.body for part in read.properties] == [b"\0", b"\1", b"\2"]


def test_a_property_that_is_not_there_is_refused() -> None:
    part = iprp(ipma((7, [(4, False)])))
    error = refusal(part)
    assert (error.reason, error.numbers) == ("structure", {"offset": start_of(part, kind=b"iprp")})
    wide = iprp(ipma((7, [(128, False)]), flags=1))
    assert refusal(wide).reason == "structure"


@pytest.mark.parametrize("version", [0, 1])
def test_references_name_an_item_and_others(version: int) -> None:
    width = 4 if version else 2
    entries = [
        box(kind, number(7, width), number(len(others), 2), *(number(one, width) for one in others))
        for kind, others in ((b"dimg", (8, 9)), (b"thmb", (1,)), (b"cdsc", ()))
    ]
    read = heif(full(b"iref", version, 0, *entries))
    assert read.references == [(b"dimg", 7, [8, 9]), (b"thmb", 7, [1]), (b"cdsc", 7, [])]


@pytest.mark.parametrize("kind", [b"pitm", b"iinf", b"iloc", b"iprp", b"ipco", b"ipma"])
def test_a_box_that_is_missing_is_refused_with_the_place_of_what_lacks_it(kind: bytes) -> None:
    content = file(PITM, iinf(infe(7)), NO_PLACES, NO_PROPERTIES).replace(kind, b"free")
    with pytest.raises(UnreadablePhotoError) as caught:
        read_heif(content)
    assert (caught.value.reason, caught.value.numbers) == (
        "structure",
        {"offset": content.index(b"meta") + 4},
    )


def test_a_file_has_one_box_of_metadata_and_it_has_a_bound() -> None:
    parts = PITM, iinf(infe(7)), NO_PLACES, NO_PROPERTIES
    content = file(*parts)
    with pytest.raises(UnreadablePhotoError) as caught:
        read_heif(content[:12])
    assert caught.value.numbers == {"offset": 0}
    second = full(b"meta", 0, 0, *parts)
    with pytest.raises(UnreadablePhotoError) as caught:
        read_heif(content + second)
    assert caught.value.numbers == {"offset": len(content) + 8}
    room = (1 << 22) - len(second)
    assert read_heif(file(*parts, box(b"free", bytes(room)))).items
    with pytest.raises(UnreadablePhotoError):
        read_heif(file(*parts, box(b"free", bytes(room + 1))))


def test_a_box_holds_8191_boxes() -> None:
    empty = box(b"free")
    assert len(list(boxes(Box(b"", empty * 8191, 0)))) == 8191
    with pytest.raises(UnreadablePhotoError) as caught:
        list(boxes(Box(b"", empty * 8192, 100)))
    assert caught.value.numbers == {"offset": 100 + 8 * 8192}


@pytest.mark.parametrize("size", [16, 20])
def test_a_long_size_is_read(size: int) -> None:
    content = struct.pack(">I4sQ", 1, b"free", size) + bytes(size - 16) + box(b"skip", b"x")
    first, second = boxes(Box(b"", content, 100))
    assert (first.body, first.start) == (bytes(size - 16), 116)
    assert (second.body, second.start) == (b"x", 100 + size + 8)


@pytest.mark.parametrize("size", [15, 1 << 56 | 16, 1 << 63 | 16])
def test_a_long_size_counts_in_all_of_its_bytes(size: int) -> None:
    with pytest.raises(UnreadablePhotoError):
        list(boxes(Box(b"", struct.pack(">I4sQ", 1, b"free", size), 0)))


def test_only_the_box_of_content_may_go_to_the_end() -> None:
    (one,) = boxes(Box(b"", bytes(4) + b"mdat" + b"content", 0))
    assert (one.body, one.start) == (b"content", 8)
    with pytest.raises(UnreadablePhotoError):
        list(boxes(Box(b"", bytes(4) + b"idat" + b"content", 0)))


def test_of_all_items_twice_the_file_is_read() -> None:
    read, item = Heif(bytes(100)), Item(b"Exif", extents=[(0, 100)])
    assert (read.read_item(item), read.read_item(item)) == (bytes(100), bytes(100))
    with pytest.raises(UnreadablePhotoError) as caught:
        read.read_item(Item(b"Exif", extents=[(0, 1)]))
    assert (caught.value.reason, caught.value.numbers) == ("structure", {"offset": 0})


def test_an_item_in_the_metadata_is_read_there() -> None:
    read = Heif(bytes(100), idat=b"abcdef")
    assert read.read_item(Item(b"grid", extents=[(1, 2), (4, 2)], in_meta=True)) == b"bcef"
    with pytest.raises(UnreadablePhotoError) as caught:
        read.read_item(Item(b"grid", extents=[(1, 6)], in_meta=True))
    assert caught.value.numbers == {"actual_bytes": 100}


def test_nothing_of_the_content_is_shown() -> None:
    one = Box(b"Exif", b"CANARY", 0)
    item = Item(b"Exif", b"CANARY")
    shown = repr(one) + repr(item) + repr(Heif(b"CANARY", idat=b"CANARY", items={1: item}))
    assert "CANARY" not in shown
    assert Reader(one).number(0) == 0
