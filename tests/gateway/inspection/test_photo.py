from __future__ import annotations

import pytest

from gateway.inspection.errors import TooManyPixelsError
from gateway.inspection.photos import colour
from gateway.inspection.photos.exif import orientation_alone
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import Limits
from tests.gateway.inspection.test_exif import block, directory, entry

NAME = b"Jan Jansen 123456782"
P3 = colour.profile("display_p3")


def test_nothing_is_known_of_a_photo_before_it_is_read() -> None:
    photo = Photo("jpeg")
    assert (photo.width_px, photo.height_px, photo.orientation) == (0, 0, 1)
    assert (photo.removed, photo.space, photo.clean, photo.exif_blocks) == (set(), "srgb", b"", 0)


def test_a_size_at_the_limit_is_taken_and_one_above_it_refused() -> None:
    photo = Photo("png")
    photo.measure(30, 40, Limits(pixels=1200))
    assert (photo.width_px, photo.height_px) == (30, 40)
    with pytest.raises(TooManyPixelsError) as caught:
        photo.measure(40, 31, Limits(pixels=1239))
    assert caught.value.numbers == {"width_px": 40, "height_px": 31, "limit_px": 1239}
    assert (photo.width_px, photo.height_px) == (30, 40)


def test_the_first_of_several_orientations_counts() -> None:
    photo = Photo("jpeg")
    for orientation in (6, 3, 1):
        photo.drop_exif(orientation_alone(orientation))
    assert (photo.orientation, photo.removed) == (6, {"exif"})


def test_four_blocks_are_read_and_the_others_searched() -> None:
    photo = Photo("jpeg")
    read = block(">", directory(">", entry(">", 0x010E, 2, 4, b"Jan!")))
    for _ in range(4):
        photo.drop_exif(read)
    assert photo.texts.pieces == ["Jan!"] * 4
    photo.drop_exif(read + NAME)
    assert photo.texts.pieces == [*["Jan!"] * 4, NAME.decode()]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (directory(">", entry(">", 0x8825, 4, 1, 0)), "gps"),
        (directory(">", entry(">", 0x927C, 7, 0, 0)), "maker_notes"),
        (directory(">", after=8), "thumbnail"),
    ],
)
def test_what_was_in_a_block_is_said_by_kind(part: bytes, kind: str) -> None:
    photo = Photo("jpeg")
    photo.drop_exif(block(">", part))
    assert photo.removed == {"exif", kind}


def test_a_profile_has_a_mebibyte_at_most() -> None:
    photo = Photo("jpeg")
    for _ in range(3):
        photo.drop_profile(bytes(1 << 19) + b"x")
    assert len(photo.profile) == 1 << 20


@pytest.mark.parametrize(
    ("sent", "space", "ours", "removed"),
    [
        (P3, "display_p3", P3, set()),
        (P3 + NAME, "display_p3", P3, {"colour_profile"}),
        (colour.profile("adobe_rgb"), "adobe_rgb", colour.profile("adobe_rgb"), set()),
        (colour.profile("srgb"), "srgb", b"", {"colour_profile"}),
        (NAME, None, b"", {"colour_profile"}),
        (b"", "srgb", b"", set()),
    ],
)
def test_a_profile_is_replaced_by_ours(
    sent: bytes, space: str | None, ours: bytes, removed: set[str]
) -> None:
    photo = Photo("jpeg")
    photo.drop_profile(sent)
    assert photo.replace_profile() == ours
    assert (photo.space, photo.removed) == (space, removed)
    assert (NAME.decode() in "".join(photo.texts.pieces)) == (NAME in sent)


def test_a_space_in_numbers_has_a_profile_too() -> None:
    photo = Photo("heic", space="display_p3")
    assert (photo.replace_profile(), photo.removed) == (P3, set())


def test_nothing_of_the_content_is_shown() -> None:
    photo = Photo("jpeg", profile=bytearray(NAME), clean=NAME)
    photo.texts.add(NAME)
    assert "Jan" not in repr(photo)
