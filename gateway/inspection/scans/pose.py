"""How an arch lies: where its teeth point, and where its front is.

Scanners do not agree on axes, so the file's own say nothing; only the shape does. The direction of
least extent is the one in which the teeth point; of its two ends the one that the surface faces,
since an open base faces away. An arch is its own mirror image about one of the two other principal
directions, and narrower at the front than at the back. Nothing here tells an upper from a lower
jaw, so left and right are those of the picture, not of the patient.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.inspection.findings import Point, Region
from gateway.inspection.scans.mesh import Coordinates

SAMPLE = 20_000  # triangles at the most, evenly from the file
_CELLS = 24
_MIRRORED = 0.5  # of the area has its like across the middle line: of arches 0.7 to 0.95
_NARROWER = 0.7  # the front end of an arch is at most so wide as its back end
_END = 0.2  # of the length
_FRONT, _MIDDLE = 0.75, 0.35
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where things are in the picture.

    Attributes:
        origin: Middle of the surface, in mm.
        axes: Rows: to the right, to the front (up in the picture), towards the viewer.
        half_width: Furthest from the middle line, in mm.
        depth: Smallest and largest distance towards the front, in mm.
        arch: Whether the shape is clear enough to speak of a front.
    """

    origin: Matrix
    axes: Matrix
    half_width: float
    depth: tuple[float, float]
    arch: bool

    def region(self, place: Point) -> Region | None:
        """Where a place lies, in words; None if that cannot be told."""
        if not self.arch:
            return None
        right, front, _ = self.axes @ (np.array(place) - self.origin)
        back, tip = self.depth
        if front > back + _FRONT * (tip - back):
            return "front"
        if abs(right) < _MIDDLE * self.half_width:
            return "middle"
        return "left" if right < 0 else "right"


def pose(corners: Coordinates) -> Pose:
    """Find it from a sample of the triangles.

    Args:
        corners: Shape (3 axes, 3 corners, triangles).
    """
    step = -(-corners.shape[2] // SAMPLE)
    sample = corners[:, :, ::step].astype(np.float64)
    first, second, third = sample.transpose(1, 0, 2)
    normals = np.cross(second - first, third - first, axis=0)
    weights = np.sqrt((normals**2).sum(axis=0))
    total = float(weights.sum())
    if not total:
        return Pose(first[:, 0], np.eye(3), 0.0, (0.0, 0.0), arch=False)
    points, weights = sample.reshape(3, -1), np.tile(weights / (3 * total), 3)
    origin = points @ weights
    points -= origin[:, None]
    up, *across = np.linalg.eigh((points * weights) @ points.T)[1].T
    if _faces(normals, up, total) < 0:
        up = -up
    plans = [_plan(np.cross(front, up), front, points, weights) for front in across]
    mirrored, narrower, front = max(plans, key=lambda plan: plan[0])
    axes = np.stack((np.cross(front, up), front, up))
    right, ahead = axes[:2] @ points
    return Pose(
        origin=origin,
        axes=axes,
        half_width=float(np.abs(right).max()),
        depth=(float(ahead.min()), float(ahead.max())),
        arch=mirrored >= _MIRRORED and narrower <= _NARROWER,
    )


def _faces(normals: Matrix, up: Matrix, total: float) -> float:
    """Positive if the surface faces up rather than down.

    A closed body faces everywhere alike; then the flat side is the base.
    """
    facing = up @ normals
    if abs(facing.sum()) > 0.01 * total:
        return float(facing.sum())
    flat = np.abs(facing) > 0.98 * np.sqrt((normals**2).sum(axis=0))
    return -float(facing[flat].sum())


def _plan(
    right: Matrix, front: Matrix, points: Matrix, weights: Matrix
) -> tuple[float, float, Matrix]:
    """How symmetric the shape is about a direction; how much narrower one end is; that end."""
    aside, ahead = right @ points, front @ points
    span = float(np.abs(aside).max()) or 1.0
    back, tip = float(ahead.min()), float(ahead.max())
    counts, _, _ = np.histogram2d(
        aside, ahead, bins=_CELLS, range=((-span, span), (back, max(tip, back + 1e-9))),
        weights=weights,
    )  # fmt: skip
    mirrored = float(np.minimum(counts, counts[::-1]).sum() / counts.sum())
    length = tip - back
    wide_tip, wide_back = (
        _width(aside[end], weights[end])
        for end in (ahead > tip - _END * length, ahead < back + _END * length)
    )
    narrow, wide = sorted((wide_tip, wide_back))
    return mirrored, narrow / wide if wide else 1.0, front if wide_tip <= wide_back else -front


def _width(aside: Matrix, weights: Matrix) -> float:
    total = float(weights.sum())
    return float(np.sqrt((aside**2 @ weights) / total)) if total else 0.0
