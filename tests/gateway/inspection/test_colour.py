from __future__ import annotations

import hashlib
import math
import struct

import pytest

from gateway.inspection.photos import colour

SPACES: tuple[colour.Space, ...] = ("srgb", "display_p3", "adobe_rgb")
# They stand in every photo of a phone that is kept: a version that wrote others would tell, by them
# alone, when a photo was sent.
DIGESTS = {
    "srgb": "c735cfb25fdb9c768c7957dfe17ae6a382728a0352e8041cf6565d7f48830370",
    "display_p3": "c4f8c2a665e8b10bf650f0c304c31175215ada930fbc3e74c55aa4c8c5b20e04",
    "adobe_rgb": "0d1d38210c1648fc3200f3427ea3eb0cc8e1634f54578469bd8d5430d36c7263",
}


@pytest.mark.parametrize("space", SPACES)
def test_our_profiles_never_change_by_a_bit(space: colour.Space) -> None:
    assert hashlib.sha256(colour.profile(space)).hexdigest() == DIGESTS[space]


def curv(*values: int, count: int | None = None) -> bytes:
    counted = len(values) if count is None else count
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", counted, *values)


def para(function: int, *values: float) -> bytes:
    fixed = (round(65536 * value) for value in values)
    return b"para" + bytes(4) + struct.pack(f">HH{len(values)}i", function, 0, *fixed)


@pytest.mark.parametrize(
    ("tag", "middle"),
    [
        (curv(), 0.5),
        (curv(256), 0.5),
        (curv(512), 0.25),
        (curv(0, 65535), 0.5),
        (curv(0, 13107, 65535), 0.2),
        (curv(0, 13107, 26214, 65535), 0.3),
        (curv(0, 0, 13107, 26214, 65535), 0.2),
        (para(0, 2.0), 0.25),
        (para(3, 2.0, 1.0, 0.5, 9.0, 0.25), 1.0),
        (para(3, 2.0, 1.0, 0.5, 9.0, 0.5), 1.0),
        (para(3, 2.0, 1.0, 0.0, 0.25, 0.75), 0.125),
        (para(3, 2.0, -1.0, 0.25, 0.25, 0.25), 0.125),  # no power of what is below 0
        (para(3, 2.0, -1.0, 0.5, 0.25, 0.25), 0.0),
        (para(1, 2.0, 1.0, 0.0), math.inf),
        (para(1, 2.0), math.inf),
        (para(256, 2.0), math.inf),
        (curv(256, count=0x0100_0001), math.inf),
        (para(3, 2.0), math.inf),
        (para(0, 2.0, 1.0), math.inf),
        (para(0), math.inf),
        (para(0, 2.0) + b"\0", math.inf),
        (curv(256, count=2), math.inf),
        (curv(256, 256, count=1), math.inf),
        (curv(256) + b"\0", math.inf),
        (b"curv\0\0\0\1" + curv(256)[8:], math.inf),
        (b"para\0\0\0\1" + para(0, 2.0)[8:], math.inf),
        (b"", math.inf),
    ],
)
def test_the_middle_of_a_curve_is_computed_from_its_numbers(tag: bytes, middle: float) -> None:
    assert colour._middle(tag) == pytest.approx(middle, abs=1e-6)


def test_a_place_of_a_colour_has_three_numbers() -> None:
    tag = b"XYZ " + bytes(4) + struct.pack(">3i", 65536, -32768, 1)
    assert colour._xyz(tag) == (1.0, -0.5, 1 / 65536)
    for wrong in (tag[:-1], tag + b"\0", b"xyz " + tag[4:], tag[:7] + b"\1" + tag[8:], b""):
        assert colour._xyz(wrong) == (math.inf,) * 3


def profile(*tags: tuple[bytes, bytes], head: bytes = b"RGB XYZ ") -> bytes:
    start = 132 + 12 * len(tags)
    table, body = b"", b""
    for name, content in tags:
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    described = (bytes(16) + head).ljust(36, b"\0") + b"acsp"
    return described.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def test_tags_are_where_the_table_says() -> None:
    tags = {b"aaaa": b"first", b"bbbb": b"", b"cccc": b"third"}
    whole = profile(*tags.items())
    assert colour._tags(whole) == tags
    assert colour._tags(whole[:-1]) == {}
    assert colour._tags(profile(*tags.items(), head=b"RGB Lab ")) == {}
    assert colour._tags(profile(*tags.items(), (b"aaaa", b"again"))) == {}
    assert colour._tags(profile(*tags.items(), (b"A2B0", b""))) == {}
    assert colour._tags(whole.replace(b"acsp", b"acsq")) == {}
    at = whole.index(b"bbbb") + 8
    huge = whole[:at] + b"\1\0\0\0" + whole[at + 4 :]
    assert colour._tags(huge) == {}


def test_a_table_has_64_tags_and_no_half_ones() -> None:
    tags = [(b"%04d" % number, b"") for number in range(65)]
    assert len(colour._tags(profile(*tags[:64]))) == 64
    assert colour._tags(profile(*tags)) == {}
    one = profile((b"aaaa", b""))
    assert colour._tags(one) == {b"aaaa": b""}
    assert colour._tags(one[:-1]) == {}


def nudged(space: colour.Space, tag: bytes, by: float) -> bytes:
    """Our profile with the first number of a tag a little off."""
    content = bytearray(colour.profile(space))
    start = struct.unpack_from(">I", content, content.index(tag, 132) + 4)[0]
    start += 12 if tag == b"rTRC" else 8
    (number,) = struct.unpack_from(">i", content, start)
    struct.pack_into(">i", content, start, number + round(65536 * by))
    return bytes(content)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("tag", [b"rXYZ", b"gXYZ", b"bXYZ"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_space_is_known_within_three_thousandths(
    space: colour.Space, tag: bytes, sign: int
) -> None:
    assert colour.recognise(nudged(space, tag, sign * 0.0029)) == space
    assert colour.recognise(nudged(space, tag, sign * 0.0031)) is None


@pytest.mark.parametrize("space", SPACES)
def test_a_curve_is_known_within_two_hundredths_at_its_middle(space: colour.Space) -> None:
    # The power of both curves is near 2.2 to 2.4: 0.05 more of it moves the middle by 0.007.
    assert colour.recognise(nudged(space, b"rTRC", 0.05)) == space
    assert colour.recognise(nudged(space, b"rTRC", 0.3)) is None
