"""Binary STL: 80 bytes of header, the number of triangles, and 50 bytes for each."""

import numpy as np

from gateway.inspection.errors import (
    InspectionError,
    NotAScanError,
    TooManyTrianglesError,
    UnreadableScanError,
)
from gateway.inspection.forms import STL_HEADER_BYTES, STL_TRIANGLE_BYTES, Dropped
from gateway.inspection.report import Limits
from gateway.inspection.scans.canonical import STL_TRIANGLE
from gateway.inspection.scans.mesh import BLOCK, Mesh, count_wrong_normals

_COUNT_AT = STL_HEADER_BYTES - 4


def is_binary(content: bytes) -> bool:
    """Whether a file is exactly as long as a binary STL of its count; nothing else decides."""
    return len(content) >= STL_HEADER_BYTES and len(content) == _expected_bytes(content)


def read_binary(content: bytes, limits: Limits) -> Mesh:
    """Read a file that `is_binary`.

    Raises:
        UnreadableScanError: It has no triangles.
        TooManyTrianglesError: Found before anything is allocated for them.
    """
    triangles = _count(content)
    if not triangles:
        raise UnreadableScanError("empty")
    if triangles > limits.triangles:
        raise TooManyTrianglesError(triangles=triangles, limit=limits.triangles)
    records = np.frombuffer(content, STL_TRIANGLE, triangles, STL_HEADER_BYTES)
    corners = np.empty((3, 3, triangles), dtype=np.float32)
    for start in range(0, triangles, BLOCK):
        block = records["corners"][start : start + BLOCK]
        corners[:, :, start : start + BLOCK] = block.transpose(2, 1, 0)
    dropped: list[Dropped] = []
    if records["attribute"].any():
        dropped.append("attributes")
    header = content[:_COUNT_AT].strip(b"\0 ")
    if header:
        dropped.append("header")
    return Mesh(
        "stl_binary",
        corners,
        texts=(header.decode("latin-1"),) if header else (),
        dropped=tuple(dropped),
        wrong_normals=count_wrong_normals(corners, records["normal"].T),
    )


def damage(content: bytes, limits: Limits) -> InspectionError:
    """Why a file is not a binary STL, though nothing else either."""
    triangles, expected = _count(content), _expected_bytes(content)
    # A count within the limit is the count of a damaged scan; text and photos have huge ones.
    if len(content) < STL_HEADER_BYTES or triangles > limits.triangles:
        return NotAScanError()
    return UnreadableScanError(
        "cut_short" if len(content) < expected else "surplus",
        triangles=triangles,
        expected_bytes=expected,
        actual_bytes=len(content),
    )


def _count(content: bytes) -> int:
    return int.from_bytes(content[_COUNT_AT:STL_HEADER_BYTES], "little")


def _expected_bytes(content: bytes) -> int:
    return STL_HEADER_BYTES + STL_TRIANGLE_BYTES * _count(content)
