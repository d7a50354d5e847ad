"""What of a HEIC the decoder is given, and what is said of the rest; nothing is decoded here."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import pillow_heif
import pytest
from PIL import Image

from gateway.inspection.errors import (
    InspectionError,
    NotAPhotoError,
    TooManyPixelsError,
    UnreadablePhotoError,
)
from gateway.inspection.photos import colour, heic
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import Limits
from tests.gateway.inspection.test_bmff import box, full, iinf, iloc, ipma, number
from tests.scans import picture

LIMITS = Limits()
BRANDS = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
HANDLER = full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13))


@dataclass(frozen=True, slots=True)
class Piece:
    """An item: its kind, content, and the properties that it has."""

    kind: bytes
    content: bytes
    properties: Sequence[tuple[int, bool]] = ()
    label: bytes = b""


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", 0, 0, number(width, 4), number(height, 4))


def nclx(primaries: int, curve: int) -> bytes:
    return box(b"colr", b"nclx", number(primaries, 2), number(curve, 2), b"\0\1\x80")


CODING = box(b"hvcC", b"how it is coded")


def file(
    pieces: dict[int, Piece],
    properties: Sequence[bytes],
    references: Sequence[bytes] = (),
    primary: int = 1,
    behind: bytes = b"",
) -> bytes:
    """A HEIC, its items one after the other in the last box but those behind."""
    kinds = [
        full(b"infe", 2, 0, number(at, 2), bytes(2), piece.kind, piece.label + b"\0")
        for at, piece in pieces.items()
    ]
    held = ipma(*((at, piece.properties) for at, piece in pieces.items()), flags=1)

    def described(start: int) -> bytes:
        places = []
        for at, piece in pieces.items():
            places.append((at, 0, 0, 0, [(start, len(piece.content))]))
            start += len(piece.content)
        parts = [HANDLER, full(b"pitm", 0, 0, number(primary, 2)), iinf(*kinds)]
        parts += [full(b"iref", 0, 0, *references)] if references else []
        parts += [box(b"iprp", box(b"ipco", *properties), held), iloc(*places)]
        return BRANDS + full(b"meta", 0, 0, *parts)

    content = b"".join(piece.content for piece in pieces.values())
    return described(len(described(0)) + 8) + box(b"mdat", content) + behind


def converted(content: bytes, limits: Limits = LIMITS) -> Photo:
    return heic.convert(content, limits)


def refusal(content: bytes, limits: Limits = LIMITS) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        heic.convert(content, limits)
    return caught.value


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the decoder was given; it answers with the same picture always."""
    contents: list[bytes] = []

    def decode(content: bytes) -> Image.Image:
        contents.append(content)
        return picture(48, 32)

    monkeypatch.setattr(heic, "_decode", decode)
    return contents


SHOWN = [
    *(ispe(48, 32), CODING, box(b"pixi", b"depths"), box(b"irot", b"\1"), box(b"imir", b"\0")),
    *(box(b"clap", b"cut"), nclx(1, 13)),
]
LEFT = [box(b"colr", b"prof", b"a profile of Jan"), box(b"udes", b"in English\0Jan de Vries")]
ONE = Piece(b"hvc1", b"coded pixels", [(n + 1, n == 3) for n in range(7)])


def test_one_picture_is_put_into_a_new_file_with_what_changes_its_looks(
    given: list[bytes],
) -> None:
    sent = Piece(b"hvc1", b"coded pixels", [*ONE.properties[:2], (8, False), (9, False)], b"Jan")
    sent = Piece(sent.kind, sent.content, [*sent.properties, *ONE.properties[2:]], sent.label)
    photo = converted(file({5: sent}, [*SHOWN, *LEFT], primary=5))
    assert given == [file({1: ONE}, SHOWN)]
    assert (photo.width_px, photo.height_px, photo.removed) == (48, 32, {"colour_profile"})
    assert "Jan" in photo.texts.pieces
    assert any("Jan de Vries" in text for text in photo.texts.pieces)


GRID = Piece(b"grid", b"\0\0\1\2" + struct.pack(">HH", 120, 70), [(1, False)])
TILES = {at: Piece(b"hvc1", b"tile %d" % at, [(2, False), (3, True)]) for at in range(2, 8)}
IN_TILES = [ispe(120, 70), ispe(40, 40), CODING]


def dimg(source: int, *others: int) -> bytes:
    return box(
        b"dimg", number(source, 2), number(len(others), 2), *(number(one, 2) for one in others)
    )


def grid(
    content: bytes = GRID.content,
    references: Sequence[bytes] = (dimg(1, *TILES),),
    properties: Sequence[bytes] = IN_TILES,
    tiles: dict[int, Piece] | None = None,
    primary: Piece | None = None,
) -> bytes:
    first = primary or Piece(b"grid", content, [(1, False)])
    return file({1: first} | (TILES if tiles is None else tiles), properties, references)


def test_a_grid_is_put_into_a_new_file_with_its_tiles_in_order(given: list[bytes]) -> None:
    more = {
        20: Piece(b"hvc1", b"thumbnail", [(2, False)]),
        21: Piece(b"Exif", b"\0\0\0\2xxII*\0" + b"\x08\0\0\0" + bytes(6)),
        22: Piece(b"mime", b"<x>Jan</x>", label=b"\0application/rdf+xml"),
        23: Piece(b"uri ", b"Jan Jansen"),
    }
    others = dimg(1, *TILES), box(b"thmb", number(20, 2), b"\0\1\0\1")
    photo = converted(grid(references=others, tiles=TILES | more))
    assert given == [grid()]
    assert photo.removed == {"thumbnail", "exif", "xmp", "application"}
    assert {"<x>Jan</x>", "Jan Jansen"} <= set(photo.texts.pieces)


def test_a_grid_may_say_its_size_in_longer_numbers(given: list[bytes]) -> None:
    wide = b"\0\1\1\2" + struct.pack(">II", 120, 70)
    converted(grid(wide))
    assert given == [grid(wide)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"content": b"\0\0\1\1" + GRID.content[4:]}, "structure"),
        ({"content": b"\0\0\2\2" + GRID.content[4:]}, "structure"),
        ({"content": b"\0\0\1\2" + struct.pack(">HH", 120, 71)}, "structure"),
        ({"content": b"\0\0\1\2" + struct.pack(">HH", 119, 70)}, "structure"),
        ({"content": GRID.content[:-1]}, "structure"),
        ({"references": ()}, "structure"),
        ({"references": (dimg(2, *TILES),)}, "structure"),
        ({"references": (dimg(1, *TILES), dimg(1, *TILES))}, "structure"),
        ({"references": (dimg(1, 2, 3, 4, 5, 6),)}, "structure"),
        ({"references": (dimg(1, 2, 3, 4, 5, 6, 9),)}, "coding"),
        ({"references": (dimg(1, 2, 3, 4, 5, 6, 1),)}, "coding"),
        ({"properties": [ispe(120, 70), ispe(39, 40), CODING]}, "structure"),
        ({"properties": [ispe(120, 70), ispe(40, 34), CODING]}, "structure"),
        ({"properties": [ispe(121, 70), ispe(41, 40), CODING]}, "structure"),
        ({"tiles": TILES | {3: Piece(b"hvc1", b"tile", [(1, False)])}}, "structure"),
        ({"tiles": TILES | {3: Piece(b"av01", b"tile", [(2, False)])}}, "coding"),
        ({"tiles": TILES | {3: Piece(b"hvc1", b"tile", [])}}, "structure"),
        ({"tiles": TILES | {3: Piece(b"hvc1", b"", [(2, False)])}}, "structure"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(
    given: list[bytes], changed: dict[str, object], reason: str
) -> None:
    assert refusal(grid(**changed)).reason == reason  # type: ignore[arg-type]
    assert given == []


def test_tiles_fit_exactly_or_hang_over(given: list[bytes]) -> None:
    exact = [ispe(120, 80), ispe(40, 40), CODING]
    converted(grid(b"\0\0\1\2" + struct.pack(">HH", 120, 80), properties=exact))
    assert len(given) == 1


def test_tiles_hold_twice_the_pixels_of_the_limit_at_most(given: list[bytes]) -> None:
    assert converted(grid(), Limits(pixels=120 * 80 // 2 + 4000)).width_px == 48
    small = [ispe(60, 70), ispe(40, 40), CODING]
    half = b"\0\0\1\2" + struct.pack(">HH", 60, 70)
    assert converted(grid(half, properties=small), Limits(pixels=4800)).width_px == 48
    error = refusal(grid(half, properties=small), Limits(pixels=4799))
    assert isinstance(error, TooManyPixelsError)
    assert error.numbers == {"width_px": 120, "height_px": 80, "limit_px": 4799}
    assert len(given) == 2


def test_a_picture_of_too_many_pixels_is_refused_by_its_description(given: list[bytes]) -> None:
    content = file({1: ONE}, [ispe(480, 320), *SHOWN[1:]])
    error = refusal(content, Limits(pixels=480 * 320 - 1))
    assert isinstance(error, TooManyPixelsError)
    assert given == []
    converted(content, Limits(pixels=480 * 320))


@pytest.mark.parametrize(
    "properties",
    [
        [ispe(0, 32), *SHOWN[1:]],
        [ispe(48, 0), *SHOWN[1:]],
        [*SHOWN[1:], CODING],
        [ispe(48, 32), ispe(48, 32), *SHOWN[2:]],
    ],
)
def test_a_picture_has_one_size(given: list[bytes], properties: Sequence[bytes]) -> None:
    assert refusal(file({1: ONE}, properties)).reason == "structure"
    assert given == []


@pytest.mark.parametrize("kind", [b"av01", b"jpeg", b"iden", b"Exif"])
def test_another_kind_of_picture_is_none(given: list[bytes], kind: bytes) -> None:
    content = file({1: Piece(kind, b"x", ONE.properties)}, SHOWN)
    assert isinstance(refusal(content), NotAPhotoError)
    assert isinstance(refusal(file({1: ONE}, SHOWN, primary=2)), NotAPhotoError)
    assert given == []


def test_what_must_be_known_and_is_not_refuses(given: list[bytes]) -> None:
    def with_property(one: bytes, *, essential: bool) -> bytes:
        held = [*ONE.properties, (8, essential)]
        return file({1: Piece(b"hvc1", b"coded pixels", held)}, [*SHOWN, one])

    assert refusal(with_property(LEFT[1], essential=True)).reason == "coding"
    for one, essential in ((LEFT[1], False), (LEFT[0], True), (LEFT[0], False)):
        converted(with_property(one, essential=essential))
    assert given == [file({1: ONE}, SHOWN)] * 3


@pytest.mark.parametrize("primaries", [1, 2, 9, 11, 12, 13])
@pytest.mark.parametrize("curve", [0, 1, 2, 6, 7, 13, 14, 15, 16, 18])
def test_numbers_tell_the_colours(given: list[bytes], primaries: int, curve: int) -> None:
    photo = converted(file({1: ONE}, [*SHOWN[:6], nclx(primaries, curve)]))
    space = {1: "srgb", 2: "srgb", 12: "display_p3"}.get(primaries)
    assert photo.space == (space if curve in {1, 2, 6, 13, 14, 15} else None)
    with Image.open(io.BytesIO(photo.clean)) as kept:
        wide = photo.space == "display_p3"
        assert kept.info.get("icc_profile") == (colour.profile("display_p3") if wide else None)
    assert len(given) == 1


@pytest.mark.parametrize("kind", [b"prof", b"rICC"])
def test_the_first_profile_counts(given: list[bytes], kind: bytes) -> None:
    profiles = [box(b"colr", kind, colour.profile(space)) for space in ("adobe_rgb", "display_p3")]
    held = [*ONE.properties, (8, False), (9, False)]
    photo = converted(file({1: Piece(b"hvc1", b"x", held)}, [*SHOWN, *profiles]))
    assert photo.space == "adobe_rgb"
    assert len(given) == 1
    other = box(b"colr", b"none", colour.profile("adobe_rgb"))
    photo = converted(file({1: Piece(b"hvc1", b"x", held[:8])}, [*SHOWN, other]))
    assert photo.space == "srgb"


@pytest.mark.parametrize("kind", [b"hvc1", b"grid", b"iden", b"iovl", b"jpeg", b"av01", b"tmap"])
def test_other_pictures_are_left_out_and_said(given: list[bytes], kind: bytes) -> None:
    content = file({1: ONE, 2: Piece(kind, b"x")}, SHOWN)
    assert converted(content).removed == {"more_pictures"}
    thumbnail = box(b"thmb", b"\0\2\0\1\0\1")
    content = file({1: ONE, 2: Piece(kind, b"x")}, SHOWN, [thumbnail])
    assert converted(content).removed == {"thumbnail"}
    assert given == [file({1: ONE}, SHOWN)] * 2


@pytest.mark.parametrize(
    ("kind", "removed"),
    [
        (b"moov", {"more_pictures"}),
        (b"uuid", {"application"}),
        (b"mdat", set()),
        (b"free", set()),
        (b"skip", set()),
        (b"ftyp", set()),
    ],
)
def test_other_boxes_are_left_out_and_said(
    given: list[bytes], kind: bytes, removed: set[str]
) -> None:
    photo = converted(file({1: ONE}, SHOWN, behind=box(kind, b"Jan de Vries")))
    assert photo.removed == removed
    assert ("Jan de Vries" in photo.texts.pieces) == bool(removed)
    assert len(given) == 1


@pytest.mark.parametrize("gap", [0, 3])
def test_exif_begins_where_its_first_bytes_say(given: list[bytes], gap: int) -> None:
    tag = b"\x01\x0e\0\2\0\0\0\4Jan!"
    block = b"MM\0*\0\0\0\x08\0\1" + tag + bytes(4)
    exif = Piece(b"Exif", number(gap, 4) + bytes(gap) + block)
    photo = converted(file({1: ONE, 2: exif}, SHOWN))
    assert (photo.removed, photo.texts.pieces) == ({"exif"}, ["Jan!"])
    turned = block.replace(tag, b"\x01\x12\0\3\0\0\0\1\0\6\0\0")
    photo = converted(file({1: ONE, 2: Piece(b"Exif", number(0, 4) + turned)}, SHOWN))
    assert photo.orientation == 1
    assert len(given) == 2


def test_the_jpeg_has_quality_95_and_all_of_the_colour(given: list[bytes]) -> None:
    photo = converted(file({1: ONE}, SHOWN))
    with io.BytesIO() as file_:
        picture(48, 32).save(file_, "JPEG", quality=95, subsampling=0)
        assert photo.clean == file_.getvalue()
    assert len(given) == 1


def branded(*brands: bytes, size: int | None = None, kind: bytes = b"ftyp") -> bytes:
    length = 8 + 4 * len(brands) + 4
    return number(size or length, 4) + kind + brands[0] + bytes(4) + b"".join(brands[1:])


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"heim", b"heis", b"mif1"])
def test_a_heic_is_known_by_one_of_its_brands(brand: bytes) -> None:
    assert heic.is_heic(branded(brand))
    assert heic.is_heic(branded(b"xxxx", brand))
    assert heic.is_heic(branded(b"xxxx", b"yyyy", brand))
    assert not heic.is_heic(branded(b"xxxx", brand, kind=b"moov"))
    assert not heic.is_heic(branded(b"xxxx", brand, size=16))  # it stands behind the box
    last = [b"xxxx"] * (256 // 4 - 4)
    assert heic.is_heic(branded(*last, brand))
    assert not heic.is_heic(branded(*last, b"xxxx", brand))


class Failing:
    """A decoder that fails as its library does."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, _: bytes) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), MemoryError),
        (RuntimeError("Memory allocation error"), MemoryError),
        (RuntimeError("Memory allocation error: Security limit exceeded"), UnreadablePhotoError),
        (RuntimeError("Security limit exceeded"), UnreadablePhotoError),
        (ValueError("anything"), UnreadablePhotoError),
    ],
)
def test_a_decoder_s_errors_are_ours(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception]
) -> None:
    monkeypatch.setattr(pillow_heif, "open_heif", Failing(error))
    with pytest.raises(expected):
        heic._decode(b"")
    assert pillow_heif.options.DECODE_THREADS == 1


@pytest.mark.parametrize(("mode", "kept"), [("RGB", "RGB"), ("RGBA", "RGB"), ("L", "L")])
def test_a_decoded_picture_remembers_nothing(mode: str, kept: str) -> None:
    source = picture(mode=mode)
    with io.BytesIO() as file_:
        pillow_heif.from_pillow(source).save(file_, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
        decoded = heic._decode(file_.getvalue())
    assert (decoded.mode, decoded.info) in [(kept, {}), ("RGB", {})]
