"""What other programs make of a scan: each measures as much of the list as it can.

The list: vertices merged, boundary and non-manifold edges, degenerate and duplicate triangles,
winding, components, box, area, volume, whether all numbers are finite. MeshLib splits what is not
manifold when it reads, VTK has no check of winding and duplicates: they are timed without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from gateway.inspection.inspect import inspect
from gateway.inspection.report import Limits
from gateway.inspection.scans.measure import measure
from gateway.inspection.scans.read import read
from gateway.inspection.scans.surface import measure_sizes
from gateway.inspection.scans.topology import topology

_TWO = 2  # triangles at an edge of a surface
_LIMITS = Limits(triangles=10_000_000)


@dataclass(frozen=True, slots=True)
class Answer:
    """What programs can be compared by; None where one does not count it."""

    vertices: int | None
    boundary_edges: int | None
    components: int
    area_mm2: float


def ours(path: Path) -> Answer:
    """The list, and nothing beyond it."""
    mesh = read(path.read_bytes(), _LIMITS)
    shape, sizes = topology(mesh.corners), measure_sizes(mesh.corners)
    _ = [(axis.min(), axis.max()) for axis in mesh.corners]
    _ = shape.non_manifold_edges, shape.inconsistent_edges
    area = float(sizes.areas.sum(dtype=np.float64))
    return Answer(len(shape.corner_of), len(shape.boundary), shape.components, area)


def ours_in_full(path: Path) -> Answer:
    """The whole report with all further checks and its advice."""
    report = measure(read(path.read_bytes(), _LIMITS))
    return Answer(report.vertices, report.boundary_edges, report.components, report.area_mm2)


def ours_with_all(path: Path) -> Answer:
    """What the worker does: the whole report, the clean file, the thumbnail."""
    report = inspect("scan", path.read_bytes(), _LIMITS).report
    if report.kind != "scan":
        raise ValueError(path)
    return Answer(report.vertices, report.boundary_edges, report.components, report.area_mm2)


def with_trimesh(path: Path) -> Answer:
    """All of the list."""
    trimesh = import_module("trimesh")  # each in a process of its own, and only if it is there

    mesh = trimesh.load_mesh(path)
    owners = np.bincount(mesh.edges_unique_inverse)
    _ = (owners > _TWO).sum(), mesh.nondegenerate_faces().sum(), mesh.unique_faces().sum()
    _ = mesh.is_winding_consistent, mesh.bounds, mesh.volume, np.isfinite(mesh.vertices).all()
    components = int(mesh.body_count)
    return Answer(len(mesh.vertices), int((owners == 1).sum()), components, float(mesh.area))


def with_vtk(path: Path) -> Answer:
    """All but winding and duplicates."""
    vtk = import_module("vtk")

    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(path))
    reader.Update()
    surface = reader.GetOutput()
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.NonManifoldEdgesOff()
    edges.Update()
    boundary = edges.GetOutput().GetNumberOfCells()
    edges.BoundaryEdgesOff()
    edges.NonManifoldEdgesOn()
    edges.Update()
    pieces = vtk.vtkConnectivityFilter()
    pieces.SetInputData(surface)
    pieces.SetExtractionModeToAllRegions()
    pieces.Update()
    mass = vtk.vtkMassProperties()
    mass.SetInputData(surface)
    mass.Update()
    _ = surface.GetBounds(), mass.GetVolume()
    count = pieces.GetNumberOfExtractedRegions()
    return Answer(surface.GetNumberOfPoints(), boundary, count, mass.GetSurfaceArea())


def with_meshlib(path: Path) -> Answer:
    """All but winding, duplicates and non-manifold edges, which it mends while reading."""
    mrmeshpy = import_module("meshlib.mrmeshpy")

    mesh = mrmeshpy.loadMesh(str(path))
    part = mrmeshpy.MeshPart(mesh)
    boundary = mesh.topology.findHoleRepresentiveEdges()
    around = sum(
        1 for edge in boundary for _ in mrmeshpy.trackRightBoundaryLoop(mesh.topology, edge)
    )
    _ = mrmeshpy.findDegenerateFaces(part).count(), mesh.volume(), mesh.computeBoundingBox()
    components = mrmeshpy.MeshComponents.getAllComponents(
        part, mrmeshpy.MeshComponents.FaceIncidence.PerVertex
    )
    count = mesh.topology.numValidVerts()
    return Answer(count, around, len(components), mesh.area())


def with_open3d(path: Path) -> Answer:
    """All of the list but the volume of an open surface."""
    open3d = import_module("open3d")

    mesh = open3d.io.read_triangle_mesh(str(path))
    mesh.remove_duplicated_vertices()
    _ = np.isfinite(np.asarray(mesh.vertices)).all(), mesh.get_axis_aligned_bounding_box()
    triangles = len(mesh.triangles)
    crowded = len(mesh.get_non_manifold_edges(allow_boundary_edges=True))
    boundary = len(mesh.get_non_manifold_edges(allow_boundary_edges=False)) - crowded
    _ = mesh.is_orientable()
    _, sizes, _ = mesh.cluster_connected_triangles()
    vertices, area = len(mesh.vertices), mesh.get_surface_area()
    mesh.remove_degenerate_triangles()
    mesh.remove_duplicated_triangles()
    _ = triangles - len(mesh.triangles)
    return Answer(vertices, boundary, len(sizes), area)


def with_pymeshlab(path: Path) -> Answer:
    """All of the list."""
    pymeshlab = import_module("pymeshlab")

    meshes = pymeshlab.MeshSet()
    meshes.load_new_mesh(str(path))
    shape = meshes.get_topological_measures()
    size = meshes.get_geometric_measures()
    meshes.meshing_remove_duplicate_faces()
    meshes.meshing_remove_null_faces()
    return Answer(
        shape["vertices_number"],
        shape["boundary_edges"],
        shape["connected_components_number"],
        size["surface_area"],
    )


OURS = "ours"
PROGRAMS: dict[str, Callable[[Path], Answer]] = {
    OURS: ours,
    "ours, all checks": ours_in_full,
    "ours, all and files": ours_with_all,
    "trimesh": with_trimesh,
    "MeshLib": with_meshlib,
    "VTK": with_vtk,
    "PyMeshLab": with_pymeshlab,
    "Open3D": with_open3d,
}
"""The peers, and what of ours they are compared with: the first row alone does what they do."""
