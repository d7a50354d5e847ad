"""A triangle mesh, and what is measured on it.

Distances are in mm, as intra-oral scanners write them. The mesh is never changed: coordinates stay
bit for bit what they were in the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gateway.inspection.errors import ScanNotFiniteError, ScanOutOfRangeError
from gateway.inspection.report import Box, Finding, FindingCode, Point, ScanReport
from gateway.inspection.topology import Topology, topology

Coordinates = npt.NDArray[np.float32]

BLOCK = 32_768  # triangles at a time: the temporaries of one block stay in the cache


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles as they came.

    Attributes:
        format: What the file was.
        corners: Shape (3 axes, 3 corners, triangles): each axis of each corner lies in one piece,
            which is what makes the arithmetic fast.
    """

    format: Literal["stl_binary", "stl_ascii"]
    corners: Coordinates

    @property
    def triangles(self) -> int:
        """How many there are."""
        return int(self.corners.shape[2])


def check_coordinates(mesh: Mesh, limit_mm: float) -> None:
    """Refuse coordinates that are not finite or too far out.

    Raises:
        ScanNotFiniteError: With the number of the first such triangle, from 1.
        ScanOutOfRangeError: Likewise.
    """
    corners = mesh.corners
    # NaN and infinity both survive min and max, so two passes are enough for a good mesh.
    low, high = float(corners.min()), float(corners.max())
    if -limit_mm <= low and high <= limit_mm:
        return
    finite = np.isfinite(corners).all(axis=(0, 1))
    if not finite.all():
        raise ScanNotFiniteError(triangle=int(np.argmin(finite)) + 1)
    outside = (np.abs(corners) > limit_mm).any(axis=(0, 1))
    raise ScanOutOfRangeError(triangle=int(np.argmax(outside)) + 1, limit_mm=limit_mm)


def cross_products(corners: Coordinates) -> Iterator[Coordinates]:
    """Per block of triangles the normal vectors, twice the area long, shape (3, block)."""
    for start in range(0, corners.shape[2], BLOCK):
        first, second, third = corners[:, :, start : start + BLOCK].transpose(1, 0, 2)
        ax, ay, az = second - first
        bx, by, bz = third - first
        yield np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx))


def report(mesh: Mesh) -> ScanReport:
    """Measure an accepted mesh, and give advice about it."""
    shape = topology(mesh.corners)
    return ScanReport(
        format=mesh.format,
        triangles=mesh.triangles,
        vertices=shape.vertices,
        box_mm=_box(mesh.corners),
        area_mm2=_area(mesh.corners),
        boundary_edges=shape.boundary_edges,
        boundary_loops=shape.boundary_loops,
        non_manifold_edges=shape.non_manifold_edges,
        inconsistent_edges=shape.inconsistent_edges,
        winding_consistent=shape.inconsistent_edges == 0,
        degenerate_triangles=shape.degenerate_triangles,
        duplicate_triangles=shape.duplicate_triangles,
        components=shape.components,
        findings=_findings(shape),
    )


def _box(corners: Coordinates) -> Box:
    low = [float(axis.min()) for axis in corners]
    high = [float(axis.max()) for axis in corners]
    size = [above - below for below, above in zip(low, high, strict=True)]
    return Box(_point(low), _point(high), _point(size))


def _point(values: list[float]) -> Point:
    x, y, z = values
    return x, y, z


def _area(corners: Coordinates) -> float:
    return (
        sum(
            float(np.sqrt(np.einsum("ij,ij->j", block, block)).sum(dtype=np.float64))
            for block in cross_products(corners)
        )
        / 2
    )


def _findings(shape: Topology) -> tuple[Finding, ...]:
    # The base of an arch is open and that is normal (P7): its one loop is no finding.
    candidates: tuple[tuple[FindingCode, int], ...] = (
        ("holes", max(0, shape.boundary_loops - 1)),
        ("several_pieces", shape.components if shape.components > 1 else 0),
        ("non_manifold_edges", shape.non_manifold_edges),
        ("inconsistent_winding", shape.inconsistent_edges),
        ("degenerate_triangles", shape.degenerate_triangles),
        ("duplicate_triangles", shape.duplicate_triangles),
    )
    return tuple(Finding(code, number) for code, number in candidates if number)
