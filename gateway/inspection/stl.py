"""STL, read strictly and written canonically.

Binary: 80 bytes of header, the number of triangles, and 50 bytes for each. Only the length decides
(one real file in five begins its header with `solid`): a file is binary if it is exactly as long
as its count says. ASCII is read by `ascii_stl`.

The canonical form keeps the coordinates bit for bit and nothing else of the file: the header is
zero, attributes are zero, normals follow from the corners, nothing stands behind the last triangle.
"""

import struct

import numpy as np

from gateway.inspection.ascii_stl import read_ascii
from gateway.inspection.errors import NotAScanError, TooManyTrianglesError, UnreadableScanError
from gateway.inspection.mesh import BLOCK, Mesh, check_coordinates, cross_products
from gateway.inspection.report import Limits

HEADER_BYTES = 84
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(content: bytes, limits: Limits) -> Mesh:
    """Read a scan whatever its format.

    Raises:
        NotAScanError: It is no STL at all.
        UnreadableScanError: It is a damaged one.
        TooManyTrianglesError: Found before anything is allocated for them.
        ScanNotFiniteError: A coordinate is no number.
        ScanOutOfRangeError: A coordinate is too large.
    """
    mesh = _read_binary(content, limits) if _is_binary(content) else _read_text(content, limits)
    check_coordinates(mesh, limits.coordinate_mm)
    return mesh


def canonical(mesh: Mesh) -> bytes:
    """The one binary STL of this geometry; reading it and writing it again changes nothing."""
    content = bytearray(HEADER_BYTES + TRIANGLE.itemsize * mesh.triangles)
    struct.pack_into("<I", content, HEADER_BYTES - 4, mesh.triangles)
    records = np.frombuffer(content, TRIANGLE, offset=HEADER_BYTES)
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


def _count(content: bytes) -> int:
    return int.from_bytes(content[HEADER_BYTES - 4 : HEADER_BYTES], "little")


def _is_binary(content: bytes) -> bool:
    return len(content) >= HEADER_BYTES and (
        len(content) == HEADER_BYTES + TRIANGLE.itemsize * _count(content)
    )


def _read_binary(content: bytes, limits: Limits) -> Mesh:
    triangles = _count(content)
    if not triangles:
        raise UnreadableScanError("empty")
    if triangles > limits.triangles:
        raise TooManyTrianglesError(triangles=triangles, limit=limits.triangles)
    records = np.frombuffer(content, TRIANGLE, triangles, HEADER_BYTES)
    corners = np.empty((3, 3, triangles), dtype=np.float32)
    for start in range(0, triangles, BLOCK):
        block = records["corners"][start : start + BLOCK]
        corners[:, :, start : start + BLOCK] = block.transpose(2, 1, 0)
    return Mesh("stl_binary", corners)


def _read_text(content: bytes, limits: Limits) -> Mesh:
    text = content.removeprefix(_BYTE_ORDER_MARK)
    # Text has no NUL; a binary header that begins with `solid` has, or its numbers do.
    if text[:256].lstrip()[:5].lower() == b"solid" and b"\0" not in text[:256]:
        return Mesh("stl_ascii", read_ascii(text, limits))
    triangles, expected = _count(content), HEADER_BYTES + TRIANGLE.itemsize * _count(content)
    # A count within the limit is the count of a damaged scan; text and photos have huge ones.
    if len(content) < HEADER_BYTES or triangles > limits.triangles:
        raise NotAScanError
    raise UnreadableScanError(
        "cut_short" if len(content) < expected else "surplus",
        triangles=triangles,
        expected_bytes=expected,
        actual_bytes=len(content),
    )
