from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gateway.inspection.photos import image, tail
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import Limits, PhotoReport, Result
from tests import scans
from tests.gateway.inspection.test_image import pixels
from tests.scans import picture

LIMITS = Limits()
NAME = b"Patient: Jan Jansen 123456782"
LOOKAHEAD = 8  # bytes that a decoder may take before it needs them; FF and its 00 count as one


def noise(width: int = 320, height: int = 240) -> Image.Image:
    """A picture whose coded data are longer than one piece that a decoder is given."""
    grain = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(grain)


def inspected(content: bytes) -> tuple[PhotoReport, Result]:
    result = image.inspect_photo(content, LIMITS)
    assert isinstance(result.report, PhotoReport)
    return result.report, result


def plain(source: Image.Image | None = None, **options: object) -> bytes:
    return inspected(scans.jpeg(source, 1, **options))[1].clean


def with_tail(content: bytes, behind: bytes) -> bytes:
    return content[:-2] + behind + content[-2:]


PHOTOS = {
    "colour": plain(),
    "grey": plain(picture(mode="L")),
    "cmyk": plain(picture(mode="CMYK")),
    "restarts": plain(restart_marker_blocks=1),
    "small": plain(picture(8, 8)),
    "large": plain(noise()),
    "large, with restarts": plain(noise(), restart_marker_rows=1),
}


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    "behind",
    [NAME, NAME * 5000, bytes(40), b"\xff\0" * 20, b"\xff\xd0" + NAME, b"\xff\xd3" * 9],
    ids=["text", "long text", "zeros", "ones", "restart and text", "restarts"],
)
def test_what_stands_behind_the_last_block_is_cut_off(name: str, behind: bytes) -> None:
    content = PHOTOS[name]
    report, result = inspected(with_tail(content, behind))
    kept = len(result.clean) - len(content)
    assert 0 <= kept <= LOOKAHEAD * (2 if behind.startswith(b"\xff\0") else 1)
    assert result.clean == with_tail(content, behind[:kept])
    assert report.removed == ("trailer",)
    assert pixels(result.clean) == pixels(content)
    assert inspected(result.clean)[1].clean == result.clean
    assert (b"123456782" in behind) == any("123456782" in text for text in result.texts)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo_that_ends_with_its_last_block_stays_as_it_is(name: str) -> None:
    report, result = inspected(PHOTOS[name])
    assert (result.clean, report.removed, result.texts) == (PHOTOS[name], (), ())


def test_no_byte_that_the_decoder_needs_is_cut_off_whatever_the_size() -> None:
    for width in range(1, 65, 3):
        content = plain(noise(width, 9))
        report, result = inspected(content)
        assert (result.clean, report.removed) == (content, ())


def test_a_photo_in_several_scans_is_left_alone() -> None:
    content = plain(progressive=True)
    assert inspected(content)[1].clean == content
    assert inspected(with_tail(content, NAME))[1].clean == with_tail(content, NAME)


@pytest.mark.parametrize("slow_from", range(12))
def test_a_source_gives_its_last_bytes_one_by_one(slow_from: int) -> None:
    source = tail.Source(b"0123456789")
    assert source.read(3) == b"012"
    source.seek(0)
    source.slow_from = slow_from
    pieces = list(iter(lambda: source.read(20), b""))
    assert b"".join(pieces) == b"0123456789"
    assert len(pieces) == min(10 - slow_from + (slow_from > 0), 10) if slow_from < 10 else 1
    for size in (-1, None):
        source.seek(0)
        assert source.read(size) == b"0123456789"[: max(1, slow_from)]
    source.seek(0)
    assert (source.read(0), source.read(4)) == (b"", b"0123"[: max(1, slow_from)])


def test_a_decoder_that_was_given_the_end_marker_is_not_asked_again() -> None:
    photo = Photo("jpeg", clean=b"no photo" + tail.END)
    tail.cut_tail(photo, len(photo.clean), 1)
    tail.cut_tail(photo, len(photo.clean) - 1, 1)
    assert photo.clean == b"no photo" + tail.END


def test_the_bytes_that_were_looked_at_are_searched_whole() -> None:
    content = PHOTOS["colour"]
    for start in range(LOOKAHEAD):
        behind = b"1" * start + b" 123456782 for the search"
        texts = inspected(with_tail(content, behind))[1].texts
        assert any(" 123456782 for" in text for text in texts)
