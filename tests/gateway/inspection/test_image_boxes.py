from __future__ import annotations

import io
import itertools
import struct

import pillow_heif
import pytest

from gateway.inspection.errors import InspectionError, UnreadablePhotoError
from gateway.inspection.photos import bmff, image
from gateway.inspection.report import Limits
from tests.scans import picture


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def phone() -> bytes:
    with io.BytesIO() as file:
        pillow_heif.from_pillow(picture(60, 40)).save(file, quality=90, tile_size=32)
        return file.getvalue()


PHONE = phone()
HEIF = bmff.read_heif(PHONE)
CONTENTS = {key: HEIF.read_item(item) for key, item in HEIF.items.items()}


def rewritten(*, wide: bool, in_meta: bool, pieces: int = 1, base: int = 0) -> bytes:
    """The same photo in one of the other forms that the standard allows.

    Args:
        wide: Whether numbers of items and properties take the longest form.
        in_meta: Whether the items lie in `idat`.
        pieces: In how many extents each of them lies.
        base: What each place is counted from, as far as the form allows.
    """
    number = ">I" if wide else ">H"

    def places(start: int) -> bytes:
        entries = b""
        for key, content in CONTENTS.items():
            cuts = [len(content) * piece // pieces for piece in range(pieces + 1)]
            extents = b"".join(
                struct.pack(">QQQ", 7, start + begin - base, end - begin)
                for begin, end in itertools.pairwise(cuts)
            )
            method, count = int(in_meta), len(cuts) - 1
            entries += struct.pack(number + "HHQH", key, method, 0, base, count) + extents
            start += len(content)
        listed = struct.pack(number, len(CONTENTS))
        return full(b"iloc", 2 if wide else 1, 0, b"\x88\x88", listed, entries)

    kinds = [
        full(b"infe", 3 if wide else 2, 0, struct.pack(number + "H", key, 0), item.kind, b"\0")
        for key, item in HEIF.items.items()
    ]
    (_, source, tiles), *_ = HEIF.references
    dimg = b"".join(struct.pack(number, key) for key in tiles)
    associations = b"".join(
        struct.pack(number, key)
        + bytes((len(item.properties),))
        + b"".join(
            struct.pack(">H", index | essential << 15) if wide else bytes((index | essential << 7,))
            for index, essential in item.properties
        )
        for key, item in HEIF.items.items()
    )
    ipco = box(b"ipco", *(box(part.kind, part.body) for part in HEIF.properties))
    parts = (
        full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
        full(b"pitm", int(wide), 0, struct.pack(number, HEIF.primary)),
        full(b"iinf", int(wide), 0, struct.pack(number, len(kinds)), *kinds),
        full(
            b"iref",
            int(wide),
            0,
            box(b"dimg", struct.pack(number, source), struct.pack(">H", len(tiles)), dimg),
        ),
        box(
            b"iprp",
            ipco,
            full(b"ipma", int(wide), int(wide), struct.pack(">I", len(CONTENTS)), associations),
        ),
    )
    joined = b"".join(CONTENTS.values())
    brands = PHONE[:28]
    if in_meta:
        return brands + full(b"meta", 0, 0, *parts, places(0), box(b"idat", joined))
    before = len(brands) + len(full(b"meta", 0, 0, *parts, places(base)))
    mdat = struct.pack(">I4sQ", 1, b"mdat", 16 + len(joined)) + joined  # the long form of a size
    return brands + full(b"meta", 0, 0, *parts, places(before + 16)) + mdat


def clean(content: bytes) -> bytes:
    return image.inspect_photo(content, Limits()).clean


FORMS = [
    {"wide": False, "in_meta": False},
    {"wide": True, "in_meta": False},
    {"wide": True, "in_meta": True},
    {"wide": False, "in_meta": True, "pieces": 3},
    {"wide": False, "in_meta": False, "pieces": 5, "base": 40},
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_photo_is_read_the_same(form: dict[str, int]) -> None:
    content = rewritten(**form)  # type: ignore[arg-type]
    assert clean(content) == clean(PHONE)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_cut_short_is_refused(form: dict[str, int]) -> None:
    content = rewritten(**form)  # type: ignore[arg-type]
    for end in range(0, len(content), 7):
        with pytest.raises(InspectionError):
            clean(content[:end])


def test_the_last_box_may_go_to_the_end_of_the_file() -> None:
    at = PHONE.rindex(b"mdat") - 4
    assert clean(PHONE[:at] + bytes(4) + PHONE[at + 4 :]) == clean(PHONE)


def test_a_box_is_where_it_says() -> None:
    inner = box(b"free", b"abc")
    content = box(b"ftyp", b"x") + box(b"moov", inner)
    outer = list(bmff.boxes(bmff.Box(b"", content, 0)))
    assert [(part.kind, part.body, part.start) for part in outer] == [
        (b"ftyp", b"x", 8),
        (b"moov", inner, 17),
    ]
    (nested,) = bmff.boxes(outer[1])
    assert content[nested.start :][:3] == nested.body == b"abc"


@pytest.mark.parametrize("size", [0, 7, 9, 2**32 - 1])
def test_a_box_that_does_not_fit_is_refused_with_its_place(size: int) -> None:
    content = box(b"free") + struct.pack(">I", size) + b"skip"
    with pytest.raises(UnreadablePhotoError) as caught:
        list(bmff.boxes(bmff.Box(b"", content, 100)))
    assert (caught.value.reason, caught.value.numbers) == ("structure", {"offset": 108})


@pytest.mark.parametrize("size", [0, 15, 17, 2**64 - 1])
def test_a_long_size_that_does_not_fit_is_refused(size: int) -> None:
    with pytest.raises(UnreadablePhotoError):
        list(bmff.boxes(bmff.Box(b"", struct.pack(">I4sQ", 1, b"free", size), 0)))


@pytest.mark.parametrize(
    ("extents", "reason"),
    [
        ([(101, 0)], "cut_short"),
        ([(95, 6)], "cut_short"),
        ([(2**63, 1)], "cut_short"),
        ([(0, 60), (0, 41)], "structure"),  # more than is left of twice the file
    ],
)
def test_an_item_outside_the_file_is_refused(extents: list[tuple[int, int]], reason: str) -> None:
    whole = bmff.Item(b"hvc1", extents=[(0, 60), (60, 40)])
    heif = bmff.Heif(bytes(100))
    assert heif.read_item(whole) == bytes(100)
    assert heif.read_item(bmff.Item(b"Exif", extents=[(0, 0), (100, 0)])) == b""
    with pytest.raises(UnreadablePhotoError) as caught:
        heif.read_item(bmff.Item(b"hvc1", extents=extents))
    assert caught.value.reason == reason


def test_reading_over_the_end_of_a_box_is_refused_with_the_place() -> None:
    reader = bmff.Reader(bmff.Box(b"pitm", b"\1\2\3", 50))
    assert reader.number(2) == 0x0102
    with pytest.raises(UnreadablePhotoError) as caught:
        reader.number(2)
    assert caught.value.numbers == {"offset": 52}
    assert reader.rest() == bmff.Box(b"pitm", b"\3", 52)


@pytest.mark.parametrize(("items", "taken"), [(1000, True), (1001, False)])
def test_the_items_of_a_file_are_bounded(items: int, *, taken: bool) -> None:
    kinds = [full(b"infe", 2, 0, struct.pack(">HH", key, 0), b"hvc1") for key in range(items)]
    parts = (
        full(b"pitm", 0, 0, b"\0\0"),
        full(b"iinf", 0, 0, b"\0\0", *kinds),
        full(b"iloc", 0, 0, b"\x44\0\0\0"),
        box(b"iprp", box(b"ipco"), full(b"ipma", 0, 0, bytes(4))),
    )
    content = full(b"meta", 0, 0, *parts)
    if taken:
        assert len(bmff.read_heif(content).items) == items
    else:
        with pytest.raises(UnreadablePhotoError):
            bmff.read_heif(content)
