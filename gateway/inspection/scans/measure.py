"""The report on a scan: counts, sizes, fingerprint, advice."""

from itertools import islice

from gateway.inspection.report import LISTED, Opening, Piece, ScanReport
from gateway.inspection.scans.advice import advice
from gateway.inspection.scans.examine import Measured, examine, point
from gateway.inspection.scans.mesh import Coordinates, Mesh
from gateway.inspection.scans.surface import fingerprint


def measure(mesh: Mesh) -> ScanReport:
    """Measure an accepted mesh, and give advice about it."""
    measured = examine(mesh)
    shape, area = measured.shape, measured.area
    return ScanReport(
        format=mesh.format,
        triangles=mesh.triangles,
        vertices=len(shape.corner_of),
        exact_vertices=shape.exact_vertices,
        box_mm=measured.box,
        area_mm2=area,
        volume_mm3=measured.volume,
        median_edge_mm=measured.median_edge,
        long_edge_mm=measured.long_edge,
        triangles_per_mm2=mesh.triangles / area if area else 0.0,
        boundary_edges=len(shape.boundary),
        boundary_loops=len(measured.openings.lengths),
        openings=_openings(measured),
        non_manifold_edges=len(shape.non_manifold_edges),
        non_manifold_vertices=len(measured.fans),
        inconsistent_edges=len(shape.inconsistent_edges),
        winding_consistent=not len(shape.inconsistent_edges),
        flipped_triangles=len(measured.flipped),
        degenerate_triangles=mesh.triangles - len(shape.whole),
        duplicate_triangles=len(shape.duplicates),
        wrong_normals=mesh.wrong_normals,
        spikes=len(measured.spikes),
        components=shape.components,
        pieces=_pieces(mesh.corners, measured),
        same_scan=fingerprint(mesh.corners, shape),
        dropped=mesh.dropped,
        findings=advice(mesh, measured),
    )


def _openings(measured: Measured) -> tuple[Opening, ...]:
    found = measured.openings
    return tuple(
        Opening(
            kind="base" if found.base[at] else "crack" if found.crack[at] else "hole",
            edges=int(found.edges[at]),
            length_mm=float(found.lengths[at]),
            area_mm2=float(found.areas[at]),
            place=point(found.places[:, at]),
        )
        for at in range(min(LISTED, len(found.lengths)))
    )


def _pieces(corners: Coordinates, measured: Measured) -> tuple[Piece, ...]:
    found = measured.pieces
    each = zip(found.triangles, found.areas, found.first, strict=True)
    return tuple(
        Piece(int(triangles), float(area), point(corners[:, 0, first]))
        for triangles, area, first in islice(each, LISTED)
    )
