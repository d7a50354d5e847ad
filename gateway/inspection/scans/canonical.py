"""The one file that is kept of a scan.

It holds the coordinates bit for bit, the colours where there are any, and nothing else of what
came in: the header is ours, attributes are zero, normals follow from the corners, and nothing
stands behind the last triangle. Reading it and writing it again changes nothing.
"""

import numpy as np

from gateway.inspection.forms import (
    PLY,
    STL,
    STL_HEADER_BYTES,
    STL_TRIANGLE_BYTES,
    MediaType,
    ply_header,
    stl_header,
)
from gateway.inspection.scans.mesh import BLOCK, Colours, Mesh, cross_products

STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_PLY_VERTEX = np.dtype([("place", "<f4", 3), ("colour", "u1", 3)])
_PLY_FACE = np.dtype([("count", "u1"), ("vertices", "<i4", 3)])


def canonical(mesh: Mesh) -> bytes:
    """The clean file: PLY if the mesh has colours, else STL."""
    return _stl(mesh) if mesh.colours is None else _ply(mesh, mesh.colours)


def media_type(mesh: Mesh) -> MediaType:
    """What `canonical` makes of it."""
    return STL if mesh.colours is None else PLY


def _stl(mesh: Mesh) -> bytes:
    content = bytearray(STL_HEADER_BYTES + STL_TRIANGLE_BYTES * mesh.triangles)
    content[:STL_HEADER_BYTES] = stl_header(mesh.triangles)
    records = np.frombuffer(content, STL_TRIANGLE, offset=STL_HEADER_BYTES)
    for start, normals in zip(
        range(0, mesh.triangles, BLOCK), cross_products(mesh.corners), strict=True
    ):
        block = records[start : start + BLOCK]
        block["corners"] = mesh.corners[:, :, start : start + BLOCK].transpose(2, 1, 0)
        lengths = np.sqrt((normals * normals).sum(axis=0))
        # A triangle without area has no normal: zero, as the format's users expect.
        np.divide(normals, lengths, out=normals, where=lengths > 0)
        block["normal"] = np.where(lengths > 0, normals, np.float32(0)).T
    return bytes(content)


def _ply(mesh: Mesh, colours: Colours) -> bytes:
    vertices = np.empty(3 * mesh.triangles, dtype=_PLY_VERTEX)
    vertices["place"] = mesh.corners.transpose(2, 1, 0).reshape(-1, 3)
    vertices["colour"] = colours.transpose(2, 1, 0).reshape(-1, 3)
    faces = np.empty(mesh.triangles, dtype=_PLY_FACE)
    faces["count"] = 3
    faces["vertices"] = np.arange(3 * mesh.triangles, dtype=np.int32).reshape(-1, 3)
    return ply_header(mesh.triangles) + vertices.tobytes() + faces.tobytes()
