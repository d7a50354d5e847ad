"""The formats in which a scan comes, and the two forms in which it is kept.

A kept scan is binary STL, or binary little-endian PLY if it has colours. There each triangle has
three vertices of its own, so that both forms follow from the number of triangles: length and first
bytes are what the gateway checks of a file that a worker hands back. `canonical` writes them.
"""

from typing import Final, Literal

ScanFormat = Literal["stl_binary", "stl_ascii", "ply_binary", "ply_ascii", "obj"]
Dropped = Literal[
    "attributes",  # numbers beside the geometry: STL attribute bytes, further PLY properties
    "comments",
    "elements",  # things that are no surface: edges, lines, points, curves
    "groups",
    "header",  # the eighty bytes in front of a binary STL
    "materials",
    "names",
    "normals",  # of vertices
    "textures",  # coordinates on a picture, and the names of pictures
    "transparency",
]
MediaType = Literal["model/stl", "application/ply"]

STL: Final = "model/stl"  # RFC 8081
PLY: Final = "application/ply"  # in use; IANA has registered none
STL_HEADER_BYTES, STL_TRIANGLE_BYTES = 84, 50
PLY_TRIANGLE_BYTES = 3 * (3 * 4 + 3) + 1 + 3 * 4  # corners with colours, then the face


def stl_header(triangles: int) -> bytes:
    """Eighty zeros and the count."""
    return bytes(STL_HEADER_BYTES - 4) + triangles.to_bytes(4, "little")


def ply_header(triangles: int) -> bytes:
    """The header of a PLY with three coloured vertices for each triangle."""
    return (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {3 * triangles}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {triangles}\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode()


def sizes(triangles: int) -> dict[int, MediaType]:
    """How long a clean scan of so many triangles can be, and what it is then."""
    return {
        STL_HEADER_BYTES + STL_TRIANGLE_BYTES * triangles: STL,
        len(ply_header(triangles)) + PLY_TRIANGLE_BYTES * triangles: PLY,
    }


def media_type(clean: bytes, triangles: int) -> MediaType | None:
    """Which of the two forms it is; None if it is neither."""
    form = sizes(triangles).get(len(clean))
    header = ply_header(triangles) if form == PLY else stl_header(triangles)
    return form if clean.startswith(header) else None
