"""Everything that is measured on a mesh, in one piece: the report and the advice both read it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.inspection.findings import Point
from gateway.inspection.report import Box
from gateway.inspection.scans.grouping import sums
from gateway.inspection.scans.mesh import Coordinates, Mesh
from gateway.inspection.scans.openings import Measures, Openings, openings
from gateway.inspection.scans.pose import Pose, pose
from gateway.inspection.scans.surface import Lengths, edge_lengths, measure_sizes, spikes
from gateway.inspection.scans.topology import Places, Topology, fans, flipped, topology


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The components, the one of most area first.

    Attributes:
        triangles: How many each has.
        areas: In mm2.
        first: Of each the number of its first triangle.
    """

    triangles: Places
    areas: Measures
    first: Places


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was found.

    Attributes:
        shape: Its topology.
        box: Around it.
        area: In mm2.
        volume: In mm3, if it is closed and its winding consistent.
        median_edge: That half of the sides exceed, in mm.
        long_edge: That a twentieth of the sides exceeds, in mm.
        pieces: Its components.
        openings: Its borders.
        fans: Vertices with more than one fan.
        flipped: Triangles that show their inside.
        one_sided: How many patches have one side.
        spikes: Vertices that stick out.
        pose: How it lies.
    """

    shape: Topology
    box: Box
    area: float
    volume: float | None
    median_edge: float
    long_edge: float
    pieces: Pieces
    openings: Openings
    fans: Places
    flipped: Places
    one_sided: int
    spikes: Places
    pose: Pose


def examine(mesh: Mesh) -> Measured:
    """Measure an accepted mesh."""
    shape, sizes = topology(mesh.corners), measure_sizes(mesh.corners)
    whole = slice(None) if len(shape.whole) == mesh.triangles else shape.whole
    areas, squares = sizes.areas[whole], sizes.squares[:, whole]
    closed = not (shape.boundary.size or shape.along.any() or shape.crowded.any())
    median, long = edge_lengths(squares)
    area_of_component, pieces = _pieces(shape, areas)
    turned, one_sided = flipped(shape)
    return Measured(
        shape=shape,
        box=_box(mesh.corners),
        area=float(sizes.areas.sum(dtype=np.float64)),
        volume=sizes.volume if closed and shape.whole.size else None,
        median_edge=median,
        long_edge=long,
        pieces=pieces,
        openings=openings(mesh.corners, shape, area_of_component),
        fans=fans(shape),
        flipped=turned,
        one_sided=one_sided,
        spikes=spikes(shape, squares),
        pose=pose(mesh.corners),
    )


def _box(corners: Coordinates) -> Box:
    low = [float(axis.min()) for axis in corners]
    high = [float(axis.max()) for axis in corners]
    return Box(point(low), point(high), point([b - a for a, b in zip(low, high, strict=True)]))


def point(values: list[float] | npt.NDArray[np.floating]) -> Point:
    """Three coordinates as plain numbers."""
    x, y, z = map(float, values)
    return x, y, z


def _pieces(shape: Topology, areas: Lengths) -> tuple[Measures, Pieces]:
    """The area of each component by its number, and the components by their area."""
    count = shape.components
    component = shape.component.take(shape.tails[: len(shape.whole)])
    triangles = np.bincount(component, minlength=count)
    area = sums(component, areas, count)
    first = np.empty(count, dtype=np.intp)
    first[component[::-1]] = shape.whole[::-1]  # written last, and so kept, is the first one
    order = np.argsort(-area, kind="stable")
    return area, Pieces(triangles[order], area[order], first[order])
