from __future__ import annotations

import struct
import zlib

import pytest

from gateway.inspection.errors import InspectionError, TooManyPixelsError
from gateway.inspection.photos import colour, png
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import Limits
from tests.scans import CANARY, chunk

LIMITS = Limits()
NAME = b"Jan Jansen 123456782"
END = chunk(b"IEND", b"")
# PNG, third edition, tables 11.1 and 8: depths of each colour type and its channels.
DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def header(width: int = 10, height: int = 10, *rest: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">II5B", width, height, *(rest or (8, 0, 0, 0, 0))))


def idat(inflated: int = 10 * 11) -> bytes:
    return chunk(b"IDAT", zlib.compress(bytes(inflated)))


HEAD, PIXELS = header(), idat()


def stripped(*chunks: bytes, limits: Limits = LIMITS) -> Photo:
    return png.strip(png.START + b"".join(chunks), limits)


def refusal(*chunks: bytes) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        stripped(*chunks)
    return caught.value


def kept(*chunks: bytes) -> bytes:
    return png.START + b"".join(chunks)


@pytest.mark.parametrize(
    ("kind", "longest"),
    [(b"PLTE", 768), (b"tRNS", 256), (b"gAMA", 4), (b"cHRM", 32), (b"sRGB", 1), (b"cICP", 4)],
)
def test_what_tells_the_colours_is_kept_once_and_in_front(kind: bytes, longest: int) -> None:
    one = chunk(kind, b"x" * longest)
    photo = stripped(HEAD, one, PIXELS, END)
    assert (photo.clean, photo.removed) == (kept(HEAD, one, PIXELS, END), set())
    assert refusal(HEAD, chunk(kind, b"x" * (longest + 1)), PIXELS, END).reason == "structure"
    assert refusal(HEAD, one, one, PIXELS, END).reason == "structure"
    assert refusal(HEAD, PIXELS, one, END).numbers == {"offset": len(kept(HEAD, PIXELS))}


@pytest.mark.parametrize("colour_type", range(8))
@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4, 5, 8, 9, 16, 17])
def test_a_colour_type_has_its_depths(colour_type: int, depth: int) -> None:
    head = header(3, 2, depth, colour_type, 0, 0, 0)
    if depth in DEPTHS.get(colour_type, ()):
        row = 1 + (3 * depth * CHANNELS[colour_type] + 7) // 8
        assert stripped(head, idat(2 * row), END).clean == kept(head, idat(2 * row), END)
        assert refusal(head, idat(2 * row - 1), END).reason == "pixels"
        assert refusal(head, idat(2 * row + 1), END).reason == "pixels"
    else:
        assert refusal(head, idat(4), END).reason == "structure"


@pytest.mark.parametrize("depth", [1, 8])
def test_the_passes_of_an_interlaced_picture_are_as_long_as_their_pixels(depth: int) -> None:
    """Each pixel is looked up in the pattern that the standard prints."""
    for width in range(1, 18):
        for height in range(1, 18):
            rows: dict[tuple[str, int], int] = {}
            for y in range(height):
                for x in range(width):
                    key = _pass_of(x, y), y
                    rows[key] = rows.get(key, 0) + 1
            expected = sum(1 + (pixels * depth + 7) // 8 for pixels in rows.values())
            head = png._header(struct.pack(">II5B", width, height, depth, 0, 0, 0, 1), 0)
            assert head.inflated_bytes() == expected, (width, height)


def _pass_of(x: int, y: int) -> str:
    """PNG, 8.2, the figure of Adam7."""
    return (
        *("16462646", "77777777", "56565656", "77777777"),
        *("36463646", "77777777", "56565656", "77777777"),
    )[y % 8][x % 8]


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (header(0, 10), "structure"),
        (header(10, 0), "structure"),
        (header(10, 10, 8, 0, 1, 0, 0), "coding"),
        (header(10, 10, 8, 0, 0, 1, 0), "coding"),
        (header(10, 10, 8, 0, 0, 0, 2), "coding"),
        (chunk(b"IHDR", bytes(12)), "structure"),
        (chunk(b"IHDR", HEAD[8:21] + b"\0"), "structure"),
        (GAMMA := chunk(b"gAMA", bytes(4)), "structure"),
        (chunk(b"tEXt", HEAD[8:21]), "structure"),
    ],
)
def test_a_header_that_breaks_the_rules_is_refused(head: bytes, reason: str) -> None:
    error = refusal(head, PIXELS, END)
    assert error.reason == reason
    assert error.numbers == ({"offset": 8} if reason == "structure" else {})


def test_the_size_is_held_against_the_limit_before_anything_else() -> None:
    with pytest.raises(TooManyPixelsError) as caught:
        stripped(HEAD, b"no chunk", limits=Limits(pixels=99))
    assert caught.value.numbers == {"width_px": 10, "height_px": 10, "limit_px": 99}
    assert stripped(HEAD, PIXELS, END, limits=Limits(pixels=100)).width_px == 10


def test_a_chunk_is_where_the_one_before_it_ends() -> None:
    whole = kept(HEAD, PIXELS, END)
    for at in range(8, len(whole)):
        broken = whole[:at] + bytes((whole[at] ^ 0x40,)) + whole[at + 1 :]
        with pytest.raises(InspectionError) as caught:
            png.strip(broken, LIMITS)
        assert caught.value.reason in {"structure", "cut_short"}
    for end in range(8, len(whole)):
        with pytest.raises(InspectionError) as caught:
            png.strip(whole[:end], LIMITS)
        assert (caught.value.reason, caught.value.numbers) == ("cut_short", {"actual_bytes": end})


def test_65_535_chunks_are_the_most() -> None:
    text = chunk(b"tEXt", b"")
    assert stripped(HEAD, text * 65_532, PIXELS, END).clean == kept(HEAD, PIXELS, END)
    assert refusal(HEAD, text * 65_533, PIXELS, END).reason == "structure"


def test_pixels_lie_together() -> None:
    first, rest = chunk(b"IDAT", PIXELS[8:12]), chunk(b"IDAT", PIXELS[12:-4])
    assert stripped(HEAD, first, rest, END).clean == kept(HEAD, PIXELS, END)
    empty = chunk(b"IDAT", b"")
    assert stripped(HEAD, empty, GAMMA, PIXELS, END).clean == kept(HEAD, GAMMA, PIXELS, END)
    assert refusal(HEAD, first, chunk(b"tEXt", b""), rest, END).reason == "structure"
    assert refusal(HEAD, END).reason == "pixels"


@pytest.mark.parametrize(
    ("kind", "removed"),
    [
        (b"tEXt", "text"),
        (b"zTXt", "text"),
        (b"iTXt", "text"),
        (b"tIME", "time"),
        (b"acTL", "animation"),
        (b"fcTL", "animation"),
        (b"fdAT", "animation"),
        (b"caBX", "provenance"),
        (b"bKGD", "application"),
        (b"zzZz", "application"),
    ],
)
def test_what_may_be_left_out_is_and_its_kind_is_said(kind: bytes, removed: str) -> None:
    for order in ((HEAD, chunk(kind, NAME), PIXELS, END), (HEAD, PIXELS, chunk(kind, NAME), END)):
        photo = stripped(*order)
        assert (photo.clean, photo.removed) == (kept(HEAD, PIXELS, END), {removed})
        assert any(NAME.decode() in text for text in photo.texts.pieces)


def test_what_must_be_known_and_is_not_refuses() -> None:
    for kind in (b"CgBI", b"ZZZZ", b"IHDR", b"\x1fAAA"):
        assert refusal(HEAD, chunk(kind, b""), PIXELS, END).reason == "coding"


def test_whatever_follows_the_pixels_or_the_end_is_taken_out_and_searched() -> None:
    stream = PIXELS[8:-4]
    for behind in (
        (chunk(b"IDAT", stream + NAME), END),
        (chunk(b"IDAT", stream), chunk(b"IDAT", NAME), END),
        (PIXELS, END, NAME),
    ):
        photo = stripped(HEAD, *behind)
        assert (photo.clean, photo.removed) == (kept(HEAD, PIXELS, END), {"trailer"})
        assert photo.texts.pieces == [NAME.decode()]


@pytest.mark.parametrize("size", [(256, 255), (256, 256), (1024, 1024), (1025, 1024), (700, 3000)])
def test_pixels_are_inflated_in_pieces_to_their_exact_length(size: tuple[int, int]) -> None:
    width, height = size
    head, length = header(width, height), height * (1 + width)
    for content in (bytes(length), bytes(at * at % 251 for at in range(length))):
        stream = zlib.compress(content, 1)
        pixels = chunk(b"IDAT", stream)
        assert stripped(head, pixels, END).clean == kept(head, pixels, END)
        assert stripped(head, chunk(b"IDAT", stream + CANARY * 9999), END).clean == kept(
            head, pixels, END
        )
        for wrong in (content[:-1], content + b"\0"):
            assert refusal(head, chunk(b"IDAT", zlib.compress(wrong, 1)), END).reason == "pixels"
        assert refusal(head, chunk(b"IDAT", stream[:-1]), END).reason == "pixels"


PALETTE = chunk(b"PLTE", bytes(3))


def test_a_profile_stands_in_front_of_the_palette_and_the_orientation_behind_it() -> None:
    profile = zlib.compress(colour.profile("display_p3"), 9)
    ours = chunk(b"iCCP", b"icc\0\0" + profile)
    turned = bytes.fromhex("4d4d002a 00000008 0001 0112 0003 00000001 0006 0000 00000000")
    sent = chunk(b"iCCP", b"Photos of Jan\0\0" + profile)
    photo = stripped(HEAD, PALETTE, sent, chunk(b"eXIf", turned), PIXELS, END)
    assert photo.clean == kept(HEAD, ours, PALETTE, chunk(b"eXIf", turned), PIXELS, END)
    assert photo.texts.pieces == ["Photos of Jan"]
    assert (photo.space, photo.orientation) == ("display_p3", 6)


def test_a_second_profile_makes_the_first_one_unknown() -> None:
    sent = chunk(b"iCCP", b"x\0\0" + zlib.compress(colour.profile("display_p3"), 9))
    for profiles in ((sent, sent), (chunk(b"iCCP", b""),), (chunk(b"iCCP", b"x\0\0no zlib"),)):
        photo = stripped(HEAD, *profiles, PIXELS, END)
        assert (photo.clean, photo.space) == (kept(HEAD, PIXELS, END), None)
        assert photo.removed == {"colour_profile"}


@pytest.mark.parametrize(
    ("kind", "payload", "text"),
    [
        (b"tEXt", b"Author\0J\xe9r\xf4me", "Author Jérôme"),
        (b"zTXt", b"Author\0\0" + zlib.compress(b"J\xe9r\xf4me"), "Author Jérôme"),
        (b"iTXt", "Title\0\0\0nl\0Titel\0Jérôme".encode(), "Title nl Titel Jérôme"),
        (b"iTXt", b"T\0\1\0nl\0Titel\0" + zlib.compress(b"Jan"), "T nl Titel Jan"),
        (b"iTXt", b"T\0\2\0nl\0Titel\0Jan", "T nl Titel Jan"),
        (b"zTXt", b"Author\0\0no zlib", "Author"),
    ],
)
def test_a_text_is_read_in_its_own_coding(kind: bytes, payload: bytes, text: str) -> None:
    assert stripped(HEAD, chunk(kind, payload), PIXELS, END).texts.pieces == [text]
