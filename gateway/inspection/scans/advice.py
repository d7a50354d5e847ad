"""What follows from the measures for the dentist: findings, each with its place.

The bounds below decide what is worth a sentence; `docs/definitions.md` gives their reasons.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gateway.inspection.findings import PLACES, Finding, FindingCode, Region
from gateway.inspection.scans.examine import Measured, point
from gateway.inspection.scans.mesh import Coordinates, Mesh
from gateway.inspection.scans.openings import Measures
from gateway.inspection.scans.topology import Places

HOLES = 8  # said one by one, the largest first
FLOATING_SHARE = 0.05  # of the area of the largest piece
COARSE_MM = 0.5
JAW_MM = 35.0, 110.0
PLAUSIBLE_MM = 5.0, 250.0  # from one tooth to both jaws on their bases
INCH_MM, METRE_MM = 25.4, 1000.0


def advice(mesh: Mesh, measured: Measured) -> tuple[Finding, ...]:
    """The findings that there are, what matters most to the treatment first."""
    parts = _borders, _pieces, _tips, _sides, _size, _joints, _trifles
    found = _Found(mesh, measured)
    return tuple(finding for part in parts for finding in part(found) if finding.number)


@dataclass(frozen=True, slots=True)
class _Found:
    """Makes findings, each with where it is."""

    mesh: Mesh
    measured: Measured

    def finding(
        self, code: FindingCode, number: float, places: Measures | Coordinates, whole: int
    ) -> Finding:
        """A finding with its first places, and their region if all `whole` of them share it.

        Args:
            code: What was found.
            number: How much or how many.
            places: Shape (3, places).
            whole: How many places there are in all.
        """
        points = tuple(point(place) for place in places[:, :PLACES].T)
        regions = {self.measured.pose.region(place) for place in points}
        return Finding(code, number, points, _only(regions) if len(points) == whole else None)

    def vertices(self, code: FindingCode, vertices: Places) -> Finding:
        """As many as there are of such vertices."""
        corner = self.measured.shape.corner_of.take(vertices)
        return self.finding(code, len(vertices), self._points(corner), len(vertices))

    def edges(self, code: FindingCode, sides: Places) -> Finding:
        """As many as there are of such edges; a place is the middle of one."""
        shape, some = self.measured.shape, sides[:PLACES]
        ends = shape.corner_of.take((shape.tails.take(some), shape.heads(some)))
        return self.finding(code, len(sides), self._points(ends).mean(axis=1), len(sides))

    def triangles(self, code: FindingCode, triangles: Places) -> Finding:
        """As many as there are of such triangles; a place is the first corner of one."""
        return self.finding(code, len(triangles), self._points(triangles), len(triangles))

    def _points(self, corners: Places) -> Coordinates:
        return self.mesh.corners.reshape(3, -1)[:, corners]


def _only(regions: set[Region | None]) -> Region | None:
    return regions.pop() if len(regions) == 1 else None


def _borders(found: _Found) -> Iterator[Finding]:
    openings = found.measured.openings
    holes = np.flatnonzero(~openings.base & ~openings.crack)
    holes = holes[np.argsort(-openings.areas[holes], kind="stable")]
    for hole in holes[:HOLES]:
        place = openings.places[:, hole : hole + 1]
        yield found.finding("hole", float(openings.areas[hole]), place, 1)
    rest = holes[HOLES:]
    yield found.finding("more_holes", len(rest), openings.places[:, rest], len(rest))
    cracks = np.flatnonzero(openings.crack)
    # There and back again is twice the crack.
    length = float(openings.lengths[cracks].sum() / 2)
    yield found.finding("crack", length, openings.places[:, cracks], len(cracks))


def _pieces(found: _Found) -> Iterator[Finding]:
    pieces = found.measured.pieces
    if len(pieces.areas) < 2:  # noqa: PLR2004 - a piece and another one
        return
    small = pieces.areas < FLOATING_SHARE * pieces.areas[0]
    if np.count_nonzero(~small) > 1:
        yield found.triangles("several_pieces", pieces.first[~small])
    yield found.triangles("floating_pieces", pieces.first[small])


def _tips(found: _Found) -> Iterator[Finding]:
    yield found.vertices("spikes", found.measured.spikes)


def _sides(found: _Found) -> Iterator[Finding]:
    measured = found.measured
    yield found.triangles("flipped_triangles", measured.flipped)
    yield Finding("one_sided", measured.one_sided)
    if measured.volume and measured.volume < 0:
        yield Finding("inside_out", -measured.volume)


def _size(found: _Found) -> Iterator[Finding]:
    longest = max(found.measured.box.size)
    if JAW_MM[0] <= longest * INCH_MM <= JAW_MM[1]:
        yield Finding("perhaps_inches", longest)
    elif JAW_MM[0] <= longest * METRE_MM <= JAW_MM[1]:
        yield Finding("perhaps_metres", longest)
    elif not PLAUSIBLE_MM[0] <= longest <= PLAUSIBLE_MM[1]:
        yield Finding("implausible_size", longest)
    elif JAW_MM[0] <= longest <= JAW_MM[1] and found.measured.median_edge > COARSE_MM:
        yield Finding("coarse", found.measured.median_edge)


def _joints(found: _Found) -> Iterator[Finding]:
    yield found.edges("non_manifold_edges", found.measured.shape.non_manifold_edges)
    yield found.vertices("non_manifold_vertices", found.measured.fans)


def _trifles(found: _Found) -> Iterator[Finding]:
    shape = found.measured.shape
    degenerate = np.ones(found.mesh.triangles, dtype=np.bool_)
    degenerate[shape.whole] = False
    yield found.triangles("degenerate_triangles", np.flatnonzero(degenerate))
    yield found.triangles("duplicate_triangles", shape.duplicates)
    yield Finding("wrong_normals", found.mesh.wrong_normals)
