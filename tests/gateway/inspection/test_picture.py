from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.inspection.report import THUMBNAIL_BYTES, Limits
from gateway.inspection.scans import picture as drawing
from gateway.inspection.scans.mesh import Mesh
from gateway.inspection.scans.picture import picture
from gateway.inspection.scans.pose import pose
from gateway.inspection.scans.read import read
from tests.scans import Triangles, arch, binary_stl, corpus, cube

Pixels = npt.NDArray[np.float64]


def mesh(triangles: Triangles, colours: npt.NDArray[np.uint8] | None = None) -> Mesh:
    return Mesh("stl_binary", np.ascontiguousarray(triangles.transpose(2, 1, 0)), colours)


def seen(of: Mesh) -> Pixels:
    """The pixels of its picture, shape (height, width, 3)."""
    content = picture(of)
    assert len(content) <= THUMBNAIL_BYTES
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG"
        assert not image.getexif()
        assert "comment" not in image.info
        assert max(image.size) <= 320
        return np.asarray(image.convert("RGB")).astype(np.float64)


def turned(triangles: Triangles, seed: int) -> Triangles:
    """The same body lying elsewhere, as another scanner would write it; never mirrored."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved: Triangles = (triangles @ turn.T + random.normal(scale=30, size=3)).astype(np.float32)
    return moved


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_an_arch_is_seen_from_its_teeth_front_up_however_it_lies(upper: bool, seed: int) -> None:
    body = arch(20_000, seed=4, upper=upper)
    upright, lying = seen(mesh(body)), seen(mesh(turned(body, seed)))
    assert upright.shape[1] == 320
    rows = min(len(upright), len(lying))
    assert abs(len(upright) - len(lying)) <= 2
    assert np.abs(upright[:rows, :318] - lying[:rows, :318]).mean() < 6
    paper = np.asarray((upright > 240).all(axis=2))
    height, width = paper.shape
    assert not paper[: height // 5, width // 2].all(), "the front teeth are up"
    assert paper[height // 2 :, width // 2 - 5 : width // 2 + 5].all(), (
        "the tongue's place is empty"
    )
    assert not paper[-height // 5 :, : width // 5].all()
    assert not paper[-height // 5 :, -width // 5 :].all()


def test_the_teeth_are_seen_and_not_the_inside_of_the_base() -> None:
    body = arch(20_000, seed=4)
    towards = pose(mesh(body).corners).axes[2]
    assert towards @ (0, 0, -1) > 0.99  # the upper jaw faces down
    closed = np.concatenate((body, floor(body)))
    assert pose(mesh(closed).corners).axes[2] @ (0, 0, -1) > 0.99, "nor a flat base"


def floor(body: Triangles) -> Triangles:
    """What closes an arch: its own outline, flat, facing away from the teeth."""
    flat = body[:, ::-1].copy()
    flat[:, :, 2] = 0
    return flat


def test_no_pixel_of_a_large_triangle_stays_empty() -> None:
    face = np.array(
        [[[0, 0, 0], [60, 0, 0], [0, 60, 0]], [[60, 0, 0], [60, 60, 0], [0, 60, 0]]], np.float32
    )
    pixels = seen(mesh(face))
    height, width, _ = pixels.shape
    middle = pixels[height // 3 : -height // 3, width // 3 : -width // 3]
    assert middle.max() < 240
    assert np.ptp(middle, axis=(0, 1)).max() < 12


def test_what_is_nearer_hides_what_is_behind() -> None:
    behind = np.array([[[-30, -30, 0], [30, -30, 0], [0, 40, 0]]], np.float32)
    front = behind * np.float32(0.5) + np.array([0, 0, 3], np.float32)
    colours = np.zeros((3, 3, 2), dtype=np.uint8)
    colours[0, :, 0], colours[2, :, 1] = 250, 250  # red behind, blue in front
    for order in ((0, 1), (1, 0)):
        both = np.concatenate((behind, front))[list(order)]
        pixels = seen(mesh(both, np.ascontiguousarray(colours[:, :, list(order)])))
        red, _, blue = pixels[len(pixels) // 2, pixels.shape[1] // 2]
        assert blue > red + 50


@pytest.mark.parametrize(
    "triangles",
    [
        np.zeros((1, 3, 3), np.float32),
        np.full((3, 3, 3), 7.5, np.float32),
        np.array([[[0, 0, 0], [1, 0, 0], [2, 0, 0]]], np.float32),
        np.array([[[0, 0, 0], [1e5, 0, 0], [0, 1e-5, 0]]], np.float32),
        np.array([[[1e-30, 0, 0], [0, 1e-30, 0], [0, 0, 1e-30]]], np.float32),
        cube(),
        cube(1e-44),
    ],
)
def test_what_has_no_extent_or_too_much_is_drawn_without_complaint(triangles: Triangles) -> None:
    assert seen(mesh(triangles)).size


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
@settings(max_examples=25)
def test_any_heap_of_triangles_can_be_drawn(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    heap = random.normal(size=(count, 3, 3)) * 10.0 ** random.integers(-6, 5, size=(count, 1, 1))
    assert seen(mesh(heap.astype(np.float32))).size


def test_a_file_of_huge_triangles_costs_no_more_points_than_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = []
    points = drawing._points

    def counted(view: Triangles, steps: int) -> object:
        drawn.append(view.shape[2] * steps * (steps + 1) // 2)
        return points(view, steps)

    monkeypatch.setattr(drawing, "_points", counted)
    heap = np.random.default_rng(5).uniform(0, 60, size=(100_000, 3, 3)).astype(np.float32)
    picture(mesh(heap))
    assert sum(drawn) <= 1.1 * drawing._POINTS


BODIES = {"generated": binary_stl(arch(5_000, seed=9, upper=False))} | {
    path.stem: path.read_bytes() for path in corpus("stl/dental") if path.suffix == ".stl"
}


@pytest.mark.parametrize("name", BODIES)
def test_an_arch_has_a_front_and_two_sides(name: str) -> None:
    found = pose(read(BODIES[name], Limits()).corners)
    assert found.arch
    right, front, _ = found.axes
    places = {
        "front": found.origin + front * found.depth[1],
        "left": found.origin - right * found.half_width,
        "right": found.origin + right * found.half_width,
        "middle": found.origin,
    }
    for region, (x, y, z) in places.items():
        assert found.region((x, y, z)) == region


def test_a_cube_has_no_front() -> None:
    found = pose(mesh(cube(50)).corners)
    assert not found.arch
    assert found.region((0, 0, 0)) is None
