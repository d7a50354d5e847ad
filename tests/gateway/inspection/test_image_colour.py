from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from gateway.inspection.photos import colour, image
from gateway.inspection.report import Limits, PhotoReport
from tests.scans import CANARY, chunk, picture, segment

SPACES: tuple[colour.Space, ...] = ("srgb", "display_p3", "adobe_rgb")
WIDE: tuple[colour.Space, ...] = ("display_p3", "adobe_rgb")


def tagged(profile: bytes, **changes: bytes) -> bytes:
    """A profile with the content of tags replaced."""
    content = bytearray(profile)
    for name, tag in changes.items():
        entry = content.index(name.encode(), 132)
        start, size = struct.unpack_from(">II", content, entry + 4)
        content[start : start + size] = tag.ljust(size, b"\0")[:size]
    return bytes(content)


def as_others_write_it(space: colour.Space) -> bytes:
    """The same space, with everything in the profile that names somebody."""
    profile = bytearray(colour.profile(space))
    profile[4:8], profile[24:36], profile[48:56] = b"appl", bytes(range(12)), b"APPLmine"
    return tagged(bytes(profile), desc=b"mluc" + CANARY)


def jpeg_with(profile: bytes, pieces: int = 1) -> bytes:
    with io.BytesIO() as file:
        picture().save(file, "JPEG", quality=95)
        content = file.getvalue()
    step = -(-len(profile) // pieces)
    parts = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((n + 1, pieces)) + profile[n * step :][:step])
        for n in range(pieces)
    ]
    return content[:2] + b"".join(parts) + content[2:]


def png_with(*chunks: bytes) -> bytes:
    with io.BytesIO() as file:
        picture(mode="P").save(file, "PNG")
        content = file.getvalue()
    return content[:33] + b"".join(chunks) + content[33:]


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", CANARY + b"\0\0" + zlib.compress(profile))


def inspected(content: bytes) -> tuple[PhotoReport, bytes, bytes | None]:
    """The report, the clean photo, and the profile in it."""
    result = image.inspect_photo(content, Limits())
    assert isinstance(result.report, PhotoReport)
    with Image.open(io.BytesIO(result.clean)) as kept:
        return result.report, result.clean, kept.info.get("icc_profile")


def has_finding(report: PhotoReport) -> bool:
    return "colour_profile_removed" in {finding.code for finding in report.findings}


@pytest.mark.parametrize("space", SPACES)
def test_our_profiles_compute_what_the_definitions_say(space: colour.Space) -> None:
    with io.BytesIO(colour.profile(space)) as file:
        judge = ImageCms.ImageCmsProfile(file).profile
    assert judge.xcolor_space == "RGB "
    definition = colour._DEFINITIONS[space]
    adapted = np.linalg.inv(colour._adaptation())
    for (x, y), column in zip(
        definition.primaries,
        (judge.red_colorant, judge.green_colorant, judge.blue_colorant),
        strict=True,
    ):
        assert column
        back = adapted @ np.array(column[0])
        assert np.allclose(back[:2] / back.sum(), (x, y), atol=2e-4)


# Published by their owners: the columns under D50, and 8-bit colours of one space in another.
@pytest.mark.parametrize(
    ("space", "red"),
    [
        ("srgb", (0.4361, 0.2225, 0.0139)),
        ("display_p3", (0.5151, 0.2412, -0.0011)),
        ("adobe_rgb", (0.6097, 0.3111, 0.0195)),
    ],
)
def test_the_red_of_a_space_is_the_published_one(
    space: colour.Space, red: tuple[float, float, float]
) -> None:
    assert np.allclose(colour._colourants(space)[:, 0], red, atol=1e-4)


def test_a_colour_management_system_shows_srgb_through_our_profile_unchanged() -> None:
    ours = ImageCms.ImageCmsProfile(io.BytesIO(colour.profile("srgb")))
    shown = ImageCms.profileToProfile(picture(), ours, ImageCms.createProfile("sRGB"))
    assert isinstance(shown, Image.Image)
    assert np.abs(np.asarray(shown, int) - np.asarray(picture(), int)).max() <= 1


def test_the_common_profile_of_another_maker_is_recognised() -> None:
    common = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert colour.recognise(common) == "srgb"
    report, _, profile = inspected(jpeg_with(common))
    assert profile is None
    assert report.removed == ("colour_profile",)
    assert not has_finding(report)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("pieces", [1, 3])
def test_a_profile_in_a_jpeg_is_replaced_by_ours(space: colour.Space, pieces: int) -> None:
    report, kept, profile = inspected(jpeg_with(as_others_write_it(space), pieces))
    assert profile == (colour.profile(space) if space in WIDE else None)
    assert report.removed == ("colour_profile",)
    assert not has_finding(report)
    assert CANARY not in kept
    again, same, _ = inspected(kept)
    assert same == kept
    assert not again.removed


@pytest.mark.parametrize("space", SPACES)
def test_a_profile_in_a_png_is_replaced_by_ours(space: colour.Space) -> None:
    report, kept, profile = inspected(png_with(iccp(as_others_write_it(space))))
    assert profile == (colour.profile(space) if space in WIDE else None)
    assert report.removed == ("colour_profile",)
    assert not has_finding(report)
    assert CANARY not in kept
    if space in WIDE:  # in front of the palette
        assert kept.index(b"iCCP") < kept.index(b"PLTE")


def test_the_colour_space_of_a_png_in_numbers_is_kept() -> None:
    numbers = (
        chunk(b"gAMA", struct.pack(">I", 45455)),
        chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
        chunk(b"cICP", bytes((12, 13, 0, 1))),
    )
    report, kept, _ = inspected(png_with(*numbers))
    assert all(number in kept for number in numbers)
    assert not report.removed


P3 = colour.profile("display_p3")


@pytest.mark.parametrize(
    "profile",
    [
        CANARY,
        P3[:-1],
        P3[:140],
        P3[:16] + b"CMYK" + P3[20:],
        P3[:20] + b"Lab " + P3[24:],
        P3[:36] + b"none" + P3[40:],
        P3[:128] + b"\xff\xff\xff\xff" + P3[132:],
        P3.replace(b"rXYZ", b"rxyz"),
        P3.replace(b"cprt", b"A2B0"),  # a table, which would count instead
        P3.replace(b"gTRC", b"rTRC"),
        tagged(P3, rXYZ=b"XYZ " + bytes(16)),
        tagged(P3, rTRC=b"para" + bytes(4) + struct.pack(">HHi", 0, 0, 65536)),
        tagged(P3, rTRC=b"para" + bytes(4) + struct.pack(">HH", 9, 0)),
        tagged(P3, rTRC=b"curv" + bytes(8)),
    ],
)
def test_a_profile_that_computes_something_else_is_a_finding(profile: bytes) -> None:
    for content in (jpeg_with(profile), png_with(iccp(profile))):
        report, kept, kept_profile = inspected(content)
        assert kept_profile is None
        assert has_finding(report)
        assert CANARY not in kept


def test_a_profile_that_cannot_be_inflated_is_a_finding() -> None:
    assert has_finding(inspected(png_with(chunk(b"iCCP", b"x\0\0not zlib")))[0])


@pytest.mark.parametrize(
    ("curve", "space"),
    [
        (struct.pack(">IH", 1, 563), "adobe_rgb"),
        (struct.pack(">IH", 1, 256), None),
        (struct.pack(">I3H", 3, 0, round(65535 * 0.5**2.2), 65535), "adobe_rgb"),
        (struct.pack(">I4H", 4, 0, 9000, 19500, 65535), "adobe_rgb"),
        (struct.pack(">I3H", 3, 0, 40000, 65535), None),
        (struct.pack(">I3H", 4, 0, 9000, 65535), None),
    ],
)
def test_curves_in_the_older_form_are_read(curve: bytes, space: colour.Space | None) -> None:
    profile = colour.profile("adobe_rgb")
    old = profile + b"curv" + bytes(4) + curve
    place = struct.pack(">II", len(profile), 8 + len(curve))
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        entry = old.index(name, 132)
        old = old[: entry + 4] + place + old[entry + 12 :]
    assert colour.recognise(old) == space


@given(st.integers(0, len(P3) - 1), st.integers(0, 255))
def test_a_damaged_profile_is_recognised_or_not_and_nothing_else(at: int, value: int) -> None:
    assert colour.recognise(P3[:at] + bytes((value,)) + P3[at + 1 :]) in {"display_p3", None}


@given(st.binary(max_size=400))
def test_random_bytes_are_no_known_profile(content: bytes) -> None:
    assert colour.recognise(content) is None


@pytest.mark.parametrize(("foot", "space"), [(2 * 0.107, None), (0.428, "display_p3")])
def test_the_straight_foot_of_a_curve_counts_where_it_reaches_to_a_half(
    foot: float, space: colour.Space | None
) -> None:
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, foot, 0.9)
    curve = struct.pack(">4s4xHH5i", b"para", 3, 0, *(round(65536 * each) for each in numbers))
    assert colour.recognise(tagged(P3, rTRC=curve)) == space
