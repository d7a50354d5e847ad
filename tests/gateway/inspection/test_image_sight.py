from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from gateway.cli import sample
from gateway.inspection.photos import image, sight
from gateway.inspection.report import THUMBNAIL_BYTES, Limits, Result
from tests import scans
from tests.gateway.inspection.test_image import UNDONE, identifying
from tests.scans import CANARY, corpus, picture


def inspected(content: bytes) -> Result:
    return image.inspect_photo(content, Limits())


def saved(pixels: np.ndarray | Image.Image, coding: str = "JPEG") -> bytes:
    source = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels.astype(np.uint8))
    with io.BytesIO() as file:
        source.save(file, coding, quality=95)
        return file.getvalue()


def findings(content: bytes) -> dict[str, int | float]:
    return {finding.code: finding.number for finding in inspected(content).report.findings}


def texture(width: int = 1200, height: int = 800, low: int = 40, high: int = 200) -> np.ndarray:
    """Edges everywhere, at every scale down to the pixel."""
    random = np.random.default_rng(7)
    blocks = random.integers(low, high, (-(-height // 8), -(-width // 8)))
    return np.kron(blocks, np.ones((8, 8)))[:height, :width]


def opened(content: bytes) -> Image.Image:
    shown = Image.open(io.BytesIO(content))
    shown.load()
    return shown


SHARP = {"texture": saved(texture()), "front": sample.photo("front", seed=1)} | {
    path.name: path.read_bytes() for path in corpus("photo/orientation")
}


@pytest.mark.parametrize("name", SHARP)
def test_a_photo_is_blurred_only_once_it_is_blurred(name: str) -> None:
    assert not {"blurred", "too_dark", "too_bright"} & set(findings(SHARP[name]))
    source = opened(SHARP[name]).convert("RGB")
    unsharp = source.filter(ImageFilter.GaussianBlur(max(source.size) / 120))
    found = findings(saved(unsharp))
    assert found["blurred"] < 25


def test_one_sharp_part_is_enough() -> None:
    smooth = np.full((800, 1200), 120.0)
    assert "blurred" in findings(saved(smooth))
    smooth[500:700, 100:300] = texture(200, 200)
    assert "blurred" not in findings(saved(smooth))


def test_sharpness_is_measured_at_one_scale_whatever_the_size() -> None:
    source = Image.fromarray(texture().astype(np.uint8)).filter(ImageFilter.GaussianBlur(6))
    sizes = [source.resize((width, width * 2 // 3)) for width in (960, 1200, 2400, 4800)]
    found = [findings(saved(size))["blurred"] for size in sizes]
    assert found == pytest.approx([found[0]] * 4, rel=0.15)


def test_the_laplacian_is_that_of_the_definition() -> None:
    grey = np.random.default_rng(3).integers(0, 256, (40, 60)).astype(np.uint8)
    level = grey.astype(int)
    slow = np.array(
        [
            [
                level[y - 1, x] + level[y + 1, x] + level[y, x - 1] + level[y, x + 1] - 4 * centre
                for x, centre in enumerate(row[1:-1], 1)
            ]
            for y, row in enumerate(level[1:-1], 1)
        ]
    )
    rows = np.array_split(slow, 4)
    expected = max(tile.var() for row in rows for tile in np.array_split(row, 4, axis=1))
    assert sight._sharpness(grey) == pytest.approx(expected)


@pytest.mark.parametrize(("level", "dark"), [(30, True), (50, True), (80, False), (150, False)])
def test_a_dark_photo_is_a_finding(level: int, *, dark: bool) -> None:
    found = findings(saved(texture(low=0, high=level)))
    assert ("too_dark" in found) == dark
    if dark:
        assert found["too_dark"] == pytest.approx(100 * level / 255, abs=5)


@pytest.mark.parametrize(("share", "bright"), [(0.3, False), (0.45, False), (0.6, True)])
def test_a_photo_that_is_mostly_white_is_a_finding(share: float, *, bright: bool) -> None:
    pixels = texture()
    pixels[: int(share * 800)] = 255
    found = findings(saved(pixels))
    assert ("too_bright" in found) == bright
    if bright:
        assert found["too_bright"] == pytest.approx(100 * share, abs=2)


def test_a_small_photo_is_a_finding_with_its_shorter_side() -> None:
    assert findings(saved(texture(900, 599)))["too_small"] == 599
    assert findings(saved(texture(599, 900)))["too_small"] == 599
    assert "too_small" not in findings(saved(texture(900, 600)))


@pytest.mark.parametrize("orientation", UNDONE)
@pytest.mark.parametrize("size", [(48, 32), (1000, 640)])
def test_the_thumbnail_is_upright(orientation: int, size: tuple[int, int]) -> None:
    upright = picture(*size)
    turn = UNDONE[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    for content in (scans.jpeg(stored, orientation), scans.png(stored, orientation)):
        thumbnail = opened(inspected(content).thumbnail)
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == (min(320, size[0]), min(205, size[1]))
        difference = np.asarray(thumbnail, int) - np.asarray(upright.resize(thumbnail.size), int)
        assert np.abs(difference).mean() < 8


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_a_thumbnail_of_a_jpeg_carries_nothing(mode: str) -> None:
    thumbnail = inspected(scans.jpeg(picture(mode=mode))).thumbnail
    assert not identifying(thumbnail)
    assert CANARY not in thumbnail


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_has_a_thumbnail(mode: str) -> None:
    if mode == "I;16":
        source = Image.fromarray(np.linspace(0, 65535, 48 * 32).reshape(32, 48).astype(np.uint16))
    else:
        source = picture(mode=mode)
    result = inspected(scans.png(source))
    thumbnail = opened(result.thumbnail)
    assert thumbnail.size == (48, 32)
    assert not identifying(result.thumbnail)
    grey = np.asarray(thumbnail.convert("L"), int)
    assert grey.max() - grey.min() > 100


def test_what_is_transparent_is_white_in_the_thumbnail() -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert np.asarray(opened(inspected(saved(clear, "PNG")).thumbnail)).min() > 250


@pytest.mark.parametrize("size", [(320, 320), (4000, 30), (30, 4000), (1, 1), (1, 700)])
def test_a_thumbnail_is_bounded_whatever_the_photo(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3))
    for coding in ("JPEG", "PNG"):
        content = inspected(saved(noise, coding)).thumbnail
        assert 0 < len(content) <= THUMBNAIL_BYTES
        assert max(opened(content).size) <= 320


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["JPEG", "PNG"]))
def test_every_size_has_a_thumbnail(width: int, height: int, coding: str) -> None:
    result = inspected(saved(picture(width, height), coding))
    assert opened(result.thumbnail).size == (width, height)
