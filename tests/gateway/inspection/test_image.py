from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from gateway.cli import sample
from gateway.inspection.errors import (
    InspectionError,
    NotAPhotoError,
    TooManyPixelsError,
    UnreadablePhotoError,
)
from gateway.inspection.photos import colour, image, jpeg, png
from gateway.inspection.report import Limits, PhotoReport
from tests import scans
from tests.scans import CANARY, chunk, corpus, picture, segment

LIMITS = Limits()
# What describes the coding of the pixels; everything else that exiftool names would be identity.
HARMLESS = {
    *("SourceFile", "ExifTool", "File", "System", "Composite"),
    *("IFD0:Orientation", "Adobe:DCTEncodeVersion", "Adobe:ColorTransform"),
    *("Adobe:APP14Flags0", "Adobe:APP14Flags1"),
    *("JFIF:JFIFVersion", "JFIF:ResolutionUnit", "JFIF:XResolution", "JFIF:YResolution"),
    *("PNG:ImageWidth", "PNG:ImageHeight", "PNG:BitDepth", "PNG:ColorType", "PNG:Compression"),
    *("PNG:Filter", "PNG:Interlace", "PNG:Palette", "PNG:Transparency", "PNG:Gamma"),
    "PNG:SRGBRendering",
}
# Our own profiles say nothing but how the colours are meant; one byte off, and they are foreign.
PROFILES = [colour.profile("display_p3"), colour.profile("adobe_rgb")]
OURS = [
    *(segment(0xE2, b"ICC_PROFILE\0\1\1" + profile) for profile in PROFILES),
    *(chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile, 9)) for profile in PROFILES),
]


def clean(content: bytes, limits: Limits = LIMITS) -> tuple[PhotoReport, bytes]:
    result = image.inspect_photo(content, limits)
    assert isinstance(result.report, PhotoReport)
    return result.report, result.clean


def refusal(content: bytes, limits: Limits = LIMITS) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        clean(content, limits)
    return caught.value


def pixels(content: bytes) -> tuple[str, bytes]:
    with Image.open(io.BytesIO(content)) as shown:
        shown.load()
        return shown.mode, shown.tobytes()


def shown(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as stored:
        return np.asarray(ImageOps.exif_transpose(stored).convert("RGB"), dtype=np.int16)


def identifying(content: bytes) -> set[str]:
    """The tags that exiftool finds, without those that say how pixels are coded."""
    exiftool = shutil.which("exiftool")
    if not exiftool:
        pytest.fail("no exiftool: apt-get install libimage-exiftool-perl")
    for ours in OURS:
        content = content.replace(ours, b"")
    command = [exiftool, "-json", "-G1", "-a", "-u", "-ee3", "-"]
    found = subprocess.run(command, input=content, capture_output=True, check=True).stdout
    (tags,) = json.loads(found)
    return {tag for tag in tags if tag not in HARMLESS and tag.split(":")[0] not in HARMLESS}


GENERATED = {
    "jpeg": scans.jpeg(),
    "jpeg progressive": scans.jpeg(progressive=True),
    "jpeg turned": scans.jpeg(orientation=6),
    "jpeg grey": scans.jpeg(picture(mode="L")),
    "jpeg cmyk": scans.jpeg(picture(mode="CMYK")),
    "jpeg with restarts": scans.jpeg(restart_marker_blocks=1),
    "jpeg rgb": scans.jpeg(keep_rgb=True),
    "png": scans.png(),
    "png turned": scans.png(orientation=8),
    "png grey": scans.png(picture(mode="L")),
    "png palette": scans.png(picture(mode="P"), transparency=3),
    "png with alpha": scans.png(picture(mode="RGBA")),
    "png bits": scans.png(picture(mode="1")),
    "png animated": scans.png(save_all=True, append_images=[picture(mode="RGB").rotate(90)]),
    "sample": sample.photo("upper", seed=1),
}
REAL = {str(path.name): path.read_bytes() for path in corpus("photo")}
PHOTOS = [pytest.param(content, id=name) for name, content in (GENERATED | REAL).items()]


@pytest.mark.parametrize("content", PHOTOS)
def test_a_photo_keeps_every_pixel_and_its_side_up(content: bytes) -> None:
    report, kept = clean(content)
    assert pixels(kept) == pixels(content)
    assert np.array_equal(shown(kept), shown(content))
    assert clean(kept)[1] == kept
    assert not set(clean(kept)[0].removed) - {"exif"}
    with Image.open(io.BytesIO(content)) as judge:
        assert (report.width_px, report.height_px) == judge.size
        assert report.orientation == judge.getexif().get(0x0112, 1)


@pytest.mark.parametrize("content", PHOTOS)
def test_no_identifying_tag_is_left_in_a_photo(content: bytes) -> None:
    _, kept = clean(content)
    assert not identifying(kept)
    assert CANARY not in kept


def test_the_judge_sees_what_was_planted() -> None:
    for content in (scans.jpeg(), scans.png()):
        assert any("GPS" in tag for tag in identifying(content))


def test_the_report_names_what_was_removed() -> None:
    content = scans.jpeg()
    pictures = segment(0xE2, b"MPF\0" + CANARY) + segment(0xE0, b"JFXX\0" + CANARY)
    assert clean(content[:2] + pictures + content[2:])[0].removed == (
        *("application", "colour_profile", "comment", "exif", "gps", "iptc", "more_pictures"),
        *("thumbnail", "trailer", "xmp"),
    )
    assert clean(scans.png())[0].removed == (
        *("application", "colour_profile", "exif", "gps", "text", "time", "trailer"),
    )
    assert "animation" in clean(GENERATED["png animated"])[0].removed


UNDONE = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", UNDONE)
def test_the_eight_orientations_of_one_picture_are_shown_the_same(orientation: int) -> None:
    turn = UNDONE[orientation]
    stored = picture() if turn is None else picture().transpose(turn)
    for content in (scans.jpeg(stored, orientation), scans.png(stored, orientation)):
        report, kept = clean(content)
        assert report.orientation == orientation
        assert np.abs(shown(kept) - np.asarray(picture(), dtype=np.int16)).mean() < 4
    assert (
        shown(clean(scans.png(stored, orientation))[1]).tobytes()
        == np.asarray(picture(), dtype=np.int16).tobytes()
    )


def minimal(orientation: bytes) -> bytes:
    """A JPEG with a hand-made Exif block."""
    plain = clean(scans.jpeg())[1]
    return plain[:2] + segment(0xE1, b"Exif\0\0" + orientation) + plain[2:]


@pytest.mark.parametrize(
    ("tiff", "orientation"),
    [
        (b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0", 6),
        (b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0", 6),
        (b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x09\0\0", 1),
        (b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\0\0\0", 1),
        (b"MM\0*\0\0\0\x08\xff\xff\1\x12\0\3\0\0\0\1\0\3\0\0", 3),
        (b"MM\0*\xff\xff\xff\xff\0\1\1\x12\0\3\0\0\0\1\0\6\0\0", 1),
        (b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0", 1),
        (b"", 1),
        (b"JUNK" * 9, 1),
    ],
)
def test_the_orientation_is_read_and_damage_counts_as_upright(
    tiff: bytes, orientation: int
) -> None:
    assert clean(minimal(tiff))[0].orientation == orientation


def test_the_first_of_two_orientations_counts() -> None:
    first, second = (
        b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0" + bytes((value, 0, 0)) for value in (6, 3)
    )
    content = minimal(first)
    twice = content[:2] + segment(0xE1, b"Exif\0\0" + second) + content[2:]
    assert clean(twice)[0].orientation == 3


@pytest.mark.parametrize("name", ["jpeg", "jpeg progressive", "png", "png palette"])
def test_a_photo_cut_short_anywhere_is_refused(name: str) -> None:
    content = GENERATED[name].removesuffix(b"PK\3\4" + CANARY)
    for end in range(len(content)):
        assert refusal(content[:end]).code in {"not_a_photo", "unreadable_photo"}


@settings(max_examples=300)
@given(st.sampled_from(sorted(GENERATED)), st.data())
def test_a_damaged_photo_is_cleaned_or_refused(name: str, data: st.DataObject) -> None:
    content = bytearray(GENERATED[name][:6000])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    try:
        report, kept = clean(bytes(content))
    except InspectionError:
        return
    assert pixels(kept)[1]
    assert report.orientation in range(1, 9)


@given(st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", png.START]), st.binary(max_size=300))
def test_random_bytes_are_refused_and_nothing_else_happens(start: bytes, rest: bytes) -> None:
    assert refusal(start + rest).code in {"not_a_photo", "unreadable_photo"}


def test_what_is_neither_jpeg_nor_png_is_no_photo() -> None:
    for content in (b"", b"GIF89a" + bytes(99), b"RIFF\0\0\0\0WEBP", b"II*\0" + bytes(99)):
        assert isinstance(refusal(content), NotAPhotoError)


def header(width: int, height: int, depth: int = 8, colour: int = 0, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def raw_png(head: bytes, inflated: bytes) -> bytes:
    return png.START + head + chunk(b"IDAT", zlib.compress(inflated)) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    error = refusal(raw_png(header(60_000, 60_000), b""))
    assert isinstance(error, TooManyPixelsError)
    assert error.numbers == {"width_px": 60_000, "height_px": 60_000, "limit_px": 40_000_000}

    small = scans.jpeg()
    frame = small.index(b"\xff\xc0")
    huge = small[: frame + 5] + b"\xff\xff\xff\xff" + small[frame + 9 :]
    assert isinstance(refusal(huge), TooManyPixelsError)


def test_the_limit_itself_is_still_accepted() -> None:
    content = scans.png(picture(40, 30))
    assert clean(content, Limits(pixels=1200))[0].width_px == 40
    assert isinstance(refusal(content, Limits(pixels=1199)), TooManyPixelsError)


def test_pixels_that_inflate_to_more_or_less_than_declared_are_refused() -> None:
    exact = 10 * 11
    assert clean(raw_png(header(10, 10), bytes(exact)))[0].height_px == 10
    for inflated in (b"", bytes(exact - 1), bytes(exact + 1), bytes(50_000_000)):
        assert isinstance(refusal(raw_png(header(10, 10), inflated)), UnreadablePhotoError)


@pytest.mark.parametrize(
    ("head", "inflated"),
    [
        (header(5, 5, interlace=1), 1 * 2 + 1 * 2 + 1 * 3 + 2 * 2 + 1 * 4 + 3 * 3 + 2 * 6),
        (header(1, 1, interlace=1), 2),
        (header(9, 3, depth=1), 3 * 3),
        (header(3, 3, depth=16, colour=6), 3 * 25),
        (header(3, 3, depth=8, colour=2), 3 * 10),
        (header(3, 3, depth=8, colour=4), 3 * 7),
    ],
)
def test_every_layout_of_pixels_has_its_length(head: bytes, inflated: int) -> None:
    assert clean(raw_png(head, bytes(inflated)))[0].format == "png"
    assert isinstance(refusal(raw_png(head, bytes(inflated - 1))), UnreadablePhotoError)


def test_what_hides_behind_the_pixels_in_their_own_stream_is_taken_out() -> None:
    hidden = zlib.compress(bytes(10 * 11)) + CANARY
    content = png.START + header(10, 10) + chunk(b"IDAT", hidden[:9]) + chunk(b"IDAT", hidden[9:])
    report, kept = clean(content + chunk(b"IEND", b""))
    assert CANARY not in kept
    assert report.removed == ("trailer",)


PIXELS = chunk(b"IDAT", zlib.compress(bytes(10 * 11)))
END = chunk(b"IEND", b"")
GAMMA = chunk(b"gAMA", struct.pack(">I", 45455))


@pytest.mark.parametrize(
    "chunks",
    [
        (PIXELS, END),
        (header(10, 10), END),
        (header(10, 10), header(10, 10), PIXELS, END),
        (header(10, 10), chunk(b"IDAT", b""), GAMMA, PIXELS, chunk(b"gAMA", b"1234"), END),
        (header(10, 10), PIXELS, GAMMA, END),
        (header(10, 10), GAMMA, GAMMA, PIXELS, END),
        (header(10, 10), chunk(b"gAMA", CANARY), PIXELS, END),
        (header(10, 10), chunk(b"CgBI", b""), PIXELS, END),
        (header(10, 10), PIXELS[:-1] + b"\0", END),
        (header(0, 10), PIXELS, END),
        (header(10, 10, depth=3), PIXELS, END),
        (header(10, 10, colour=5), PIXELS, END),
        (header(10, 10, interlace=2), PIXELS, END),
        (chunk(b"IHDR", b"short"), PIXELS, END),
        (header(10, 10), struct.pack(">I", 2**31) + PIXELS[4:], END),
        (header(10, 10), chunk(b"IDAT", b"not zlib"), END),
        (header(10, 10), PIXELS, chunk(b"tEXt", b""), PIXELS, END),
    ],
)
def test_a_png_that_breaks_the_rules_is_refused(chunks: tuple[bytes, ...]) -> None:
    assert isinstance(refusal(png.START + b"".join(chunks)), UnreadablePhotoError)


def parts() -> tuple[bytes, bytes, bytes]:
    """A clean JPEG as tables and frame, scan header, entropy-coded data."""
    content = clean(GENERATED["jpeg"])[1]
    scan = content.index(b"\xff\xda")
    return content[2:scan], content[scan : scan + 14], content[scan + 14 : -2]


@pytest.mark.parametrize(
    "rebuild",
    [
        lambda frame, _, __: frame,
        lambda _, scan, coded: scan + coded,
        lambda frame, scan, coded: scan + coded + frame,
        lambda frame, scan, coded: frame + frame + scan + coded,
        lambda frame, scan, coded: frame.replace(b"\xff\xc0", b"\xff\xc3") + scan + coded,
        lambda frame, scan, coded: frame.replace(b"\xff\xc0", b"\xff\xc9") + scan + coded,
        lambda frame, scan, coded: frame + segment(0xDC, b"\0\x20") + scan + coded,
        lambda frame, scan, coded: frame + b"\xff\xd8" + scan + coded,
        lambda frame, scan, coded: frame + b"\xff\xfe\0\1" + scan + coded,
        lambda frame, scan, coded: frame + b"\xff\xfe\0\0" + scan + coded,
        lambda frame, scan, coded: frame + b"\xff\xfe\xff\xff" + scan + coded,
        lambda frame, scan, coded: b"junk" + frame + scan + coded,
        lambda frame, scan, coded: segment(0xC0, b"") + frame + scan + coded,
        lambda frame, scan, coded: segment(0xC0, b"\x08\0\x20\0\x20\x09") + frame + scan + coded,
        lambda _, scan, coded: segment(0xC0, b"\x0c\0\1\0\1\1\1\x11\0") + scan + coded,
    ],
)
def test_a_jpeg_that_breaks_the_rules_is_refused(rebuild: object) -> None:
    frame, scan, coded = parts()
    broken = rebuild(frame, scan, coded)  # type: ignore[operator]
    assert isinstance(refusal(b"\xff\xd8" + broken + b"\xff\xd9"), UnreadablePhotoError)


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("name", [name for name in GENERATED if name.startswith("jpeg")])
def test_a_marker_on_the_border_of_two_blocks_is_seen(
    name: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = clean(GENERATED[name])
    monkeypatch.setattr(jpeg, "_BLOCK_BYTES", block_bytes)
    assert clean(GENERATED[name]) == expected


@pytest.mark.parametrize(
    "between", [segment(0xFE, CANARY), segment(0xE1, b"Exif\0\0" + CANARY), segment(0xDD, b"\0\0")]
)
def test_what_stands_between_two_scans_is_taken_apart_too(between: bytes) -> None:
    content = GENERATED["jpeg progressive"]
    second = content.index(b"\xff\xda", content.index(b"\xff\xda") + 2)
    start = content.rindex(b"\xff\xc4", 0, second)
    _, kept = clean(content[:start] + between + content[start:])
    assert CANARY not in kept
    assert pixels(kept) == pixels(content)


def test_a_jpeg_in_endless_pieces_is_refused() -> None:
    frame, scan, coded = parts()
    for pieces in (segment(0xFE, b"") * 20_000, frame + (scan + coded) * 65):
        error = refusal(b"\xff\xd8" + pieces + frame + scan + coded + b"\xff\xd9")
        assert isinstance(error, UnreadablePhotoError)


def test_a_png_in_endless_pieces_is_refused() -> None:
    empty = chunk(b"IDAT", b"") * 70_000
    assert isinstance(refusal(png.START + header(10, 10) + empty + PIXELS + END), InspectionError)
    assert clean(png.START + header(10, 10) + empty[:12_000] + PIXELS + END)


def test_padding_between_segments_is_no_damage() -> None:
    frame, scan, coded = parts()
    padded = b"\xff\xd8" + b"\xff\xff" + frame + b"\xff" + scan + coded + b"\xff\xff\xff\xd9"
    assert clean(padded)[1] == b"\xff\xd8" + frame + scan + coded + b"\xff\xd9"


def test_no_refusal_quotes_the_file() -> None:
    for content in (CANARY * 9, b"\xff\xd8" + CANARY, png.START + CANARY * 9):
        error = refusal(content)
        assert CANARY.decode() not in f"{error} {error!r} {error.message_nl} {error.numbers}"
