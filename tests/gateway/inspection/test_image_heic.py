from __future__ import annotations

import io
import struct

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.inspection.errors import (
    InspectionError,
    NotAPhotoError,
    TooManyPixelsError,
    UnreadablePhotoError,
)
from gateway.inspection.photos import bmff, colour, heic, image
from gateway.inspection.report import Limits, PhotoReport, Result
from gateway.inspection.workers.pool import WorkerPool
from tests.gateway.inspection.test_image import UNDONE, identifying, shown
from tests.scans import CANARY, exif, picture

LIMITS = Limits()
XMP = b"<x:xmpmeta>" + CANARY + b"</x:xmpmeta>"
UPRIGHT_TAG = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x01"


def phone(source: Image.Image | None = None, orientation: int = 1, **options: object) -> bytes:
    """A HEIC as a phone writes it, with everything in it that identifies somebody."""
    with io.BytesIO() as file:
        taken = pillow_heif.from_pillow(source or picture())
        block = exif(orientation).tobytes()
        taken.save(file, quality=90, chroma=444, exif=block, xmp=XMP, **options)
        return file.getvalue()


def plain(**options: object) -> bytes:
    with io.BytesIO() as file:
        pillow_heif.from_pillow(picture(32, 32)).save(file, quality=50, **options)
        return file.getvalue()


def inspected(content: bytes, limits: Limits = LIMITS) -> tuple[PhotoReport, Result]:
    result = image.inspect_photo(content, limits)
    assert isinstance(result.report, PhotoReport)
    return result.report, result


def refusal(content: bytes, limits: Limits = LIMITS) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        image.inspect_photo(content, limits)
    return caught.value


def distance(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).mean())


def test_a_heic_is_kept_as_jpeg_and_the_report_says_so() -> None:
    report, result = inspected(phone())
    assert (report.format, result.media_type) == ("heic", "image/jpeg")
    assert (report.width_px, report.height_px, report.orientation) == (48, 32, 1)
    assert {finding.code: finding.number for finding in report.findings}["re_encoded"] == 95
    assert report.removed == ("exif", "gps", "xmp")
    with Image.open(io.BytesIO(result.clean)) as kept:
        assert kept.format == "JPEG"
        assert kept.size == (48, 32)
    assert distance(shown(result.clean), np.asarray(picture(), np.int16)) < 6


@pytest.mark.parametrize("orientation", UNDONE)
def test_the_eight_orientations_of_a_heic_are_shown_upright(orientation: int) -> None:
    turn = UNDONE[orientation]
    stored = picture(64, 48) if turn is None else picture(64, 48).transpose(turn)
    content = phone(stored, orientation)
    assert (b"irot" in content or b"imir" in content) == (orientation != 1)
    report, result = inspected(content)
    assert report.orientation == 1
    assert distance(shown(result.clean), np.asarray(picture(64, 48), np.int16)) < 6


def test_an_orientation_in_the_exif_of_a_heic_does_not_turn_it_again() -> None:
    content = phone()
    assert UPRIGHT_TAG in content
    turned = content.replace(UPRIGHT_TAG, UPRIGHT_TAG[:-1] + b"\6")
    assert inspected(turned)[1] == inspected(content)[1]


def test_a_heic_of_tiles_is_put_together() -> None:
    source = picture(150, 100)
    content = phone(source, tile_size=64, thumbnails=[64])
    assert b"grid" in content
    report, result = inspected(content)
    assert "thumbnail" in report.removed
    assert distance(shown(result.clean), np.asarray(source, np.int16)) < 6


def test_other_pictures_and_their_transparency_stay_behind() -> None:
    both = pillow_heif.from_pillow(picture())
    both.add_from_pillow(picture().rotate(180))
    with io.BytesIO() as file:
        both.save(file, quality=90)
        report, result = inspected(file.getvalue())
    assert report.removed == ("more_pictures",)
    assert distance(shown(result.clean), np.asarray(picture(), np.int16)) < 6
    report, result = inspected(phone(picture(mode="RGBA")))
    assert "more_pictures" in report.removed


@pytest.mark.parametrize("content", [phone(), phone(picture(150, 100), 6, tile_size=64)])
def test_nothing_that_identifies_is_left_of_a_heic(content: bytes) -> None:
    assert any("GPS" in tag for tag in identifying(content))
    result = inspected(content)[1]
    assert not identifying(result.clean)
    assert not identifying(result.thumbnail)
    assert CANARY not in result.clean + result.thumbnail
    assert any(CANARY.decode() in text for text in result.texts)


def test_the_decoder_sees_nothing_but_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    decode = heic._decode

    def watched(content: bytes) -> Image.Image:
        seen.append(content)
        return decode(content)

    monkeypatch.setattr(heic, "_decode", watched)
    inspected(phone(picture(150, 100), 6, tile_size=64, thumbnails=[64]) + boxed(b"uuid", CANARY))
    (content,) = seen
    assert CANARY not in content
    assert not any(word in content for word in (b"Exif", b"mime", b"xmp", b"thmb", b"uuid"))
    assert len(bmff.read_heif(content).items) == 1 + 6


@pytest.mark.parametrize(
    ("sent", "kept", "known"),
    [
        (colour.profile("display_p3") + bytes(4), colour.profile("display_p3"), True),
        (colour.profile("adobe_rgb"), colour.profile("adobe_rgb"), True),
        (colour.profile("srgb"), None, True),
        (CANARY * 20, None, False),
    ],
)
def test_the_colours_of_a_phone_stay_what_they_are(
    sent: bytes, kept: bytes | None, *, known: bool
) -> None:
    source = picture()
    source.info["icc_profile"] = sent
    report, result = inspected(phone(source))
    with Image.open(io.BytesIO(result.clean)) as shown_later:
        assert shown_later.info.get("icc_profile") == kept
    found = {finding.code for finding in report.findings}
    assert ("colour_profile_removed" in found) != known


@pytest.mark.parametrize(
    ("primaries", "curve", "space", "known"),
    [(12, 13, "display_p3", True), (1, 1, None, True), (9, 16, None, False), (12, 18, None, False)],
)
def test_colours_that_are_named_by_numbers_count_too(
    primaries: int, curve: int, space: colour.Space | None, *, known: bool
) -> None:
    content = phone()
    at = content.index(b"nclx") + 4
    content = content[:at] + struct.pack(">HH", primaries, curve) + content[at + 4 :]
    report, result = inspected(content)
    with Image.open(io.BytesIO(result.clean)) as kept:
        assert kept.info.get("icc_profile") == (colour.profile(space) if space else None)
    found = {finding.code for finding in report.findings}
    assert ("colour_profile_removed" in found) != known


def boxed(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def patched(kind: bytes, at: int, value: bytes) -> bytes:
    """A small HEIC with bytes of one box overwritten; `at` counts from the box's kind."""
    content = phone(picture(150, 100), tile_size=64)
    place = content.index(kind) + at
    return content[:place] + value + content[place + len(value) :]


BOXES = (b"ftyp", b"meta", b"hdlr", b"pitm", b"iinf", b"infe", b"iprp", b"ipco", b"ipma", b"iloc")
SIZES = (0, 1, 2, 7, 2**31, 2**32 - 1)


@pytest.mark.parametrize("kind", [*BOXES, b"ispe", b"hvcC", b"iref"])
@pytest.mark.parametrize("size", SIZES)
def test_a_box_that_lies_about_its_size_is_refused(kind: bytes, size: int) -> None:
    error = refusal(patched(kind, -4, struct.pack(">I", size)))
    assert isinstance(error, (NotAPhotoError, UnreadablePhotoError))


@pytest.mark.parametrize(
    ("kind", "at", "value"),
    [
        (b"iinf", 8, b"\xff\xff"),  # as many items as a number can say
        (b"iloc", 10, b"\xff\xff"),
        (b"iloc", 8, b"\0\0"),  # places of no width
        (b"iloc", 8, b"\xff\xff"),
        (b"ipma", 8, b"\xff\xff\xff\xff"),
        (b"ipma", 12, b"\0\1\xff"),
        (b"pitm", 8, b"\xff\xff"),
        (b"dimg", 6, b"\xff\xff"),
        (b"dimg", 6, b"\0\1"),
        (b"dimg", 8, b"\0\1"),  # the grid as its own tile
        (b"infe", 8, b"\0\1\0\1"),  # protected
        (b"infe", 4, b"\5"),
        (b"hvcC", 0, b"hvcX"),
        (b"ispe", 0, b"ispX"),
        (b"ispe", 8, b"\0\0\0\0"),
    ],
)
def test_a_heic_that_breaks_the_rules_is_refused(kind: bytes, at: int, value: bytes) -> None:
    error = refusal(patched(kind, at, value))
    assert isinstance(error, (NotAPhotoError, UnreadablePhotoError))


def emptied(content: bytes, kind: bytes) -> bytes:
    """The same file, in which the first item of a kind has no bytes."""
    items = bmff.read_heif(content).items.values()
    ((_, length),) = next(item.extents for item in items if item.kind == kind)
    at = content.index(struct.pack(">I", length), content.index(b"iloc"))
    return content[:at] + bytes(4) + content[at + 4 :]


def test_an_item_without_bytes_beside_the_picture_refuses_nothing() -> None:
    for tile_size in (64, 512):
        content = phone(picture(150, 100), tile_size=tile_size)
        for kind in (b"Exif", b"mime"):
            report, result = inspected(emptied(content, kind))
            assert result.clean == inspected(content)[1].clean
            assert {"exif", "xmp"} <= {*report.removed}


@pytest.mark.parametrize(("tile_size", "kind"), [(512, b"hvc1"), (64, b"hvc1"), (64, b"grid")])
def test_a_picture_without_bytes_is_refused(tile_size: int, kind: bytes) -> None:
    content = phone(picture(150, 100), tile_size=tile_size)
    assert refusal(emptied(content, kind)).reason == "structure"


def test_boxes_in_boxes_without_end_are_refused() -> None:
    nested = b""
    for _ in range(2000):
        nested = boxed(b"meta", bytes(4) + nested)
    assert isinstance(refusal(plain()[:28] + nested), UnreadablePhotoError)
    many = boxed(b"free", b"") * 20_000
    assert isinstance(refusal(plain() + many), UnreadablePhotoError)
    assert isinstance(refusal(plain()[:28] + boxed(b"meta", bytes(1 << 23))), UnreadablePhotoError)


def test_a_heic_bomb_is_refused_by_what_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heic, "_decode", lambda _: pytest.fail("it was decoded"))
    single = plain()
    at = single.index(b"ispe") + 8
    huge = single[:at] + struct.pack(">II", 60_000, 60_000) + single[at + 8 :]
    error = refusal(huge)
    assert isinstance(error, TooManyPixelsError)
    assert error.numbers == {"width_px": 60_000, "height_px": 60_000, "limit_px": 40_000_000}
    assert isinstance(refusal(plain(), Limits(pixels=32 * 32 - 1)), TooManyPixelsError)
    tiles = phone(picture(65, 65), tile_size=64)
    assert isinstance(refusal(tiles, Limits(pixels=128 * 128 // 2 - 1)), TooManyPixelsError)


@pytest.mark.parametrize("size", [32, 2048])
def test_a_picture_that_is_larger_than_it_says_is_refused(size: int) -> None:
    with io.BytesIO() as file:
        pillow_heif.from_pillow(picture(size, size)).save(file, quality=50)
        content = file.getvalue()
    at = content.index(b"ispe") + 8
    smaller = content[:at] + struct.pack(">II", 4, 4) + content[at + 8 :]
    assert isinstance(refusal(smaller), UnreadablePhotoError)


def test_a_decoder_without_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: bytes) -> None:
        raise RuntimeError("Memory allocation error: cannot allocate 9 bytes")

    monkeypatch.setattr(pillow_heif, "open_heif", failing)
    with pytest.raises(MemoryError):
        image.inspect_photo(plain(), LIMITS)


def test_what_must_be_known_and_is_not_refuses() -> None:
    content = plain()
    start = content.index(b"pixi")
    unknown = content[:start] + b"newp" + content[start + 4 :]
    assert inspected(unknown)  # it may be left out
    at = content.index(b"ipma") + 8 + 4 + 2  # version and flags, entries, item
    count = content[at]
    essential = bytes(byte | 0x80 for byte in unknown[at + 1 : at + 1 + count])
    strict = unknown[: at + 1] + essential + unknown[at + 1 + count :]
    assert refusal(strict).reason == "coding"


@pytest.mark.parametrize("brand", [b"avif", b"isom", b"qt  ", b"crx "])
def test_other_files_of_boxes_are_no_photo(brand: bytes) -> None:
    error = refusal(boxed(b"ftyp", brand + bytes(4) + brand) + plain()[28:])
    assert isinstance(error, NotAPhotoError)
    for taken in ("JPEG", "PNG", "HEIC"):
        assert taken in error.message_en
        assert taken in error.message_nl


def test_a_picture_in_another_coding_is_no_photo() -> None:
    content = plain().replace(b"hvc1", b"av01")
    assert isinstance(refusal(content), NotAPhotoError)


def test_without_the_library_heic_is_refused_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heic, "pillow_heif", None)
    error = refusal(plain())
    assert (error.code, error.reason) == ("not_a_photo", "no_heic")


@pytest.mark.parametrize("options", [{}, {"tile_size": 16}])
def test_a_heic_cut_short_anywhere_is_refused(options: dict[str, int]) -> None:
    content = plain(**options)
    for end in range(len(content)):
        assert refusal(content[:end]).code in {"not_a_photo", "unreadable_photo"}


SMALL = (plain(), phone(picture(32, 32), 6, tile_size=16))


@settings(max_examples=400)
@given(st.sampled_from(SMALL), st.data())
def test_a_damaged_heic_is_cleaned_or_refused(source: bytes, data: st.DataObject) -> None:
    content = bytearray(source)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    try:
        _, result = inspected(bytes(content))
    except InspectionError:
        return
    assert CANARY not in result.clean


@given(st.binary(max_size=300))
def test_random_boxes_are_refused_and_nothing_else_happens(rest: bytes) -> None:
    code = refusal(SMALL[0][:28] + rest).code
    assert code in {"not_a_photo", "unreadable_photo", "too_many_pixels"}


async def test_a_confined_worker_reads_a_heic() -> None:
    content = phone(picture(150, 100), 6, tile_size=64)
    async with WorkerPool(1, 20.0) as pool:
        answered = await pool.inspect("photo", content, LIMITS)
    assert answered == image.inspect_photo(content, LIMITS)
