"""Any scan in, one mesh out: the only way from uploaded bytes to triangles.

The bytes decide what a file is, never its name. A binary STL has no signature (one real file in
five begins with `solid`), but it is exactly as long as its count says, so that is asked first.
"""

from gateway.inspection.report import Limits
from gateway.inspection.scans import ascii_stl, obj, ply, ply_header, stl
from gateway.inspection.scans.mesh import Mesh, check_coordinates

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIRST_BYTES = 1 << 16  # comments in front of an OBJ may be long
_HEADER_BYTES = 256


def read(content: bytes, limits: Limits) -> Mesh:
    """Read a scan whatever its format.

    Raises:
        NotAScanError: It is none of the formats.
        UnreadableScanError: It is a damaged one.
        TooManyTrianglesError: Found before anything is allocated for them.
        ScanNotFiniteError: A coordinate is no number.
        ScanOutOfRangeError: A coordinate is too large.
    """
    mesh = _read(content, limits)
    check_coordinates(mesh, limits.coordinate_mm)
    return mesh


def _read(content: bytes, limits: Limits) -> Mesh:
    if stl.is_binary(content):
        return stl.read_binary(content, limits)
    if ply_header.START.match(content):
        return ply.read_ply(content, limits)
    text = content.removeprefix(_BYTE_ORDER_MARK)
    # Text has no NUL; a binary header that begins with `solid` has, or its numbers do.
    first = text[:_FIRST_BYTES]
    if first.lstrip()[:5].lower() == b"solid" and b"\0" not in first[:_HEADER_BYTES]:
        return ascii_stl.read_ascii(text, limits)
    if obj.START.match(first):
        return obj.read_obj(text, limits)
    raise stl.damage(content, limits)
