"""A zygote whose workers leave the report to trimesh: what the gateway would be without ours.

The list of checks is that of `bench.peers`; the clean file is trimesh's own, and there is neither
a thumbnail nor any further finding.
"""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import trimesh

from gateway.inspection.inspect import inspect
from gateway.inspection.report import Kind, Limits, Result, ScanReport
from gateway.inspection.workers import worker, zygote

_TWO = 2  # triangles at an edge of a surface


def inspect_by_trimesh(_: Kind, content: bytes, __: Limits) -> Result:
    """Load, check and write one scan."""
    mesh: Any = trimesh.load_mesh(io.BytesIO(content), file_type="stl")
    owners = np.bincount(mesh.edges_unique_inverse)
    report = replace(
        TEMPLATE,
        triangles=len(mesh.faces),
        vertices=len(mesh.vertices),
        boundary_edges=int((owners == 1).sum()),
        non_manifold_edges=int((owners > _TWO).sum()),
        degenerate_triangles=int((~mesh.nondegenerate_faces()).sum()),
        duplicate_triangles=int((~mesh.unique_faces()).sum()),
        winding_consistent=bool(mesh.is_winding_consistent),
        components=int(mesh.body_count),
        area_mm2=float(mesh.area),
    )
    if not (np.isfinite(mesh.vertices).all() and np.isfinite(mesh.bounds).all() and mesh.volume):
        raise ValueError
    return Result(report, mesh.export(file_type="stl"), "model/stl")


def _template() -> ScanReport:
    report = inspect("scan", worker.SAMPLE, Limits()).report
    if not isinstance(report, ScanReport):
        raise TypeError
    return report


TEMPLATE = _template()

if __name__ == "__main__":
    inspect_by_trimesh("scan", worker.SAMPLE, Limits())
    vars(worker)["inspect"] = inspect_by_trimesh
    zygote.serve(worker.work, *map(int, sys.argv[1:]))
