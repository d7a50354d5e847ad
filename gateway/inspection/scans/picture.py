"""The thumbnail of a scan: shaded, seen from the side to which its teeth point, front up.

Every triangle is turned into points so close that no pixel between them stays empty, each pixel
keeps its nearest point, and only what is seen is shaded. It is drawn twice as large as shown.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from gateway.inspection.scans.grouping import BLOCK, blocks
from gateway.inspection.scans.mesh import Coordinates, Mesh
from gateway.inspection.scans.pose import pose

SIZE_PX = 320
_DRAWN_PX = 2 * SIZE_PX
_MARGIN_PX = 12
_POINTS = 3_000_000  # at the most: a file that needs more is drawn with gaps
_LIGHT = np.array((-0.40, -0.45, 0.80), dtype=np.float32)
_SHADOW = 0.25
_SMALLEST_MM = 1e-6  # what is smaller is drawn as small as it is
_STONE, _PAPER = (232, 220, 198), (250, 250, 250)
_DEPTH = 1 << 10  # steps to a pixel
_TRIANGLE_BITS, _TRIANGLE = np.uint64(32), np.uint64(0xFFFF_FFFF)

Numbers = npt.NDArray[np.intp]
Pixels = npt.NDArray[np.uint64]
Colours = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Camera:
    """Turns coordinates into pixels: to the right, downwards, towards the viewer."""

    axes: Coordinates
    shift: Coordinates

    def view(self, corners: Coordinates) -> Coordinates:
        """Corners of triangles in pixels, none below the margin; shape as before."""
        pixels: Coordinates = self.axes @ corners.reshape(3, -1)
        pixels += self.shift
        return pixels.reshape(corners.shape)


def picture(mesh: Mesh) -> bytes:
    """Draw a mesh as a JPEG of at most 320 x 320 pixels, a few kB, without metadata."""
    camera, width, height = _camera(mesh.corners)
    canvas = np.zeros(height * width, dtype=np.uint64)
    points = _POINTS * BLOCK // max(BLOCK, mesh.triangles)
    for block in blocks(mesh.triangles):
        view = camera.view(mesh.corners[:, :, block])
        for chosen, steps in _classes(view, points):
            place, near = _points(view.take(chosen, axis=2), steps)
            near |= (chosen + block.start).astype(np.uint64)[:, None]
            # Far from the origin a small thing is less than its coordinates can tell.
            across, down = place[0].clip(0, width - 1), place[1].clip(0, height - 1)
            np.maximum.at(canvas, (down * width + across).ravel(), near.ravel())
    drawn = np.flatnonzero(canvas)
    triangles = (canvas[drawn] & _TRIANGLE).astype(np.intp)
    image = np.full((height * width, 3), _PAPER, dtype=np.uint8)
    image[drawn] = _shade(mesh, camera.view(mesh.corners.take(triangles, axis=2)), triangles)
    with io.BytesIO() as content:
        small = Image.fromarray(image.reshape(height, width, 3)).reduce(2)
        small.save(content, "JPEG", quality=85)
        return content.getvalue()


def _camera(corners: Coordinates) -> tuple[_Camera, int, int]:
    """Where to look from, and the width and height of what is seen."""
    axes = (pose(corners).axes * ((1,), (-1,), (1,))).astype(np.float32)
    low, high = np.full(3, np.inf, np.float32), np.full(3, -np.inf, np.float32)
    for block in blocks(corners.shape[2]):
        seen = axes @ corners[:, :, block].reshape(3, -1)
        np.minimum(low, seen.min(axis=1), out=low)
        np.maximum(high, seen.max(axis=1), out=high)
    widest = max(float((high - low)[:2].max()), _SMALLEST_MM)
    scale = np.float32((_DRAWN_PX - 2 * _MARGIN_PX - 1) / widest)
    shift = (_MARGIN_PX - low * scale)[:, None]
    width, height = (int(edge * scale) + 2 * _MARGIN_PX + 1 for edge in (high - low)[:2])
    return _Camera(axes * scale, shift), width, height


def _classes(view: Coordinates, points: int) -> Iterator[tuple[Numbers, int]]:
    """Triangles of about one size, and into how many steps their sides are cut: a power of two."""
    across = (view[:2].max(axis=1) - view[:2].min(axis=1)).max(axis=0)
    steps = np.ones(len(across), dtype=np.float32)
    large = np.flatnonzero(across > 1)
    steps[large] = np.exp2(np.ceil(np.log2(across.take(large))))
    surplus = float((steps * (steps + 1)).sum(dtype=np.float64)) / 2 / points
    if surplus > 1:
        steps = np.exp2(np.floor(np.log2(np.maximum(steps / surplus**0.5, 1))))
    size = 1
    while size <= steps.max():
        yield np.flatnonzero(steps == size), size
        size *= 2


def _points(view: Coordinates, steps: int) -> tuple[Numbers, Pixels]:
    """Points on triangles, a row for each: their pixel, and in upper bits how near they are."""
    one, other = np.mgrid[:steps, :steps].reshape(2, -1)
    inside = one + other < steps
    shares = (np.stack((one[inside], other[inside])) + 1 / 3).astype(np.float32) / np.float32(steps)
    first, second, third = view.transpose(1, 0, 2)[..., None]
    points = first + (second - first) * shares[0] + (third - first) * shares[1]
    depth = (points[2] * _DEPTH).astype(np.int64).view(np.uint64)
    return points[:2].astype(np.intp), depth << _TRIANGLE_BITS


def _shade(mesh: Mesh, view: Coordinates, triangles: Numbers) -> Colours:
    """The colour of each of these triangles, lit from the upper left."""
    first, second, third = view.transpose(1, 0, 2)
    normals = np.cross(second - first, third - first, axis=0)
    normals /= np.maximum(np.sqrt((normals**2).sum(axis=0)), np.float32(1e-20))
    normals *= np.where(normals[2] < 0, np.float32(-1), np.float32(1))
    light = _SHADOW + (1 - _SHADOW) * np.clip(_LIGHT @ normals, 0, 1)
    own = _STONE if mesh.colours is None else mesh.colours.take(triangles, axis=2).mean(axis=1)
    shaded: Colours = np.clip(np.array(own).reshape(3, -1) * light, 0, 255).astype(np.uint8).T
    return shaded
