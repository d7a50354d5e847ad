"""Scans in the formats that programs write, for the tests of the readers."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from gateway.inspection.scans.mesh import Mesh
from tests.scans import Triangles

Rgb = npt.NDArray[np.uint8]  # (triangles, 3 corners, 3)
_LETTERS = {"f4": "float", "f8": "double", "u1": "uchar", "i4": "int", "u4": "uint", "i2": "short"}


def corners(mesh: Mesh) -> Triangles:
    """The corners as the tests hold them: (triangles, 3 corners, 3 axes)."""
    return np.ascontiguousarray(mesh.corners.transpose(2, 1, 0))


def colours(mesh: Mesh) -> Rgb:
    """The colours, likewise; nothing if there are none."""
    found = np.empty((3, 3, 0), np.uint8) if mesh.colours is None else mesh.colours
    return np.ascontiguousarray(found.transpose(2, 1, 0))


def ply(
    triangles: Triangles,
    order: str = "<",
    *,
    kind: str = "f4",
    index: str = "i4",
    vertex_colours: Rgb | None = None,
    face_colours: Rgb | None = None,
    newline: bytes = b"\n",
    extra: Iterable[bytes] = (),
) -> bytes:
    """A PLY with three vertices of their own for each triangle; `order` is empty for text."""
    form = {"<": "binary_little_endian", ">": "binary_big_endian", "": "ascii"}[order]
    vertex = [(axis, kind) for axis in "xyz"]
    vertex += [(name, "u1") for name in ("red", "green", "blue") if vertex_colours is not None]
    face = [(name, "u1") for name in ("red", "green", "blue") if face_colours is not None]
    header = [b"ply", f"format {form} 1.0".encode(), *extra]
    header.append(b"element vertex %d" % (3 * len(triangles)))
    header += [f"property {_LETTERS[of]} {name}".encode() for name, of in vertex]
    header.append(b"element face %d" % len(triangles))
    header.append(f"property list uchar {_LETTERS[index]} vertex_indices".encode())
    header += [f"property {_LETTERS[of]} {name}".encode() for name, of in face]
    body = io.BytesIO()
    for at, place in enumerate(triangles.reshape(-1, 3).tolist()):
        shade = [] if vertex_colours is None else vertex_colours.reshape(-1, 3)[at].tolist()
        row(body, order, [*place, *shade], [of for _, of in vertex], newline)
    for at in range(len(triangles)):
        shade = [] if face_colours is None else face_colours[at, 0].tolist()
        kinds = ["u1", index, index, index, *(of for _, of in face)]
        row(body, order, [3, 3 * at, 3 * at + 1, 3 * at + 2, *shade], kinds, newline)
    return newline.join((*header, b"end_header", b"")) + body.getvalue()


def row(
    body: io.BytesIO, order: str, values: Sequence[float], kinds: Sequence[str], newline: bytes
) -> None:
    """One row of a PLY."""
    if not order:
        body.write(b" ".join(repr(value).encode() for value in values) + newline)
        return
    letters = {"f4": "f", "f8": "d", "u1": "B", "i4": "i", "u4": "I", "i2": "h"}
    body.write(struct.pack(order + "".join(letters[kind] for kind in kinds), *values))


def obj(
    triangles: Triangles, vertex_colours: Rgb | None = None, *, newline: bytes = b"\n"
) -> bytes:
    """An OBJ, counted from the front in even faces and from the back in odd ones."""
    lines = [b"# a scan"]
    for at, place in enumerate(triangles.reshape(-1, 3).tolist()):
        numbers = place
        if vertex_colours is not None:
            numbers = place + (vertex_colours.reshape(-1, 3)[at] / 255).tolist()
        lines.append(b"v " + b" ".join(repr(number).encode() for number in numbers))
    for at in range(len(triangles)):
        back = 3 * len(triangles) + 1 if at % 2 else 0
        lines.append(b"f " + b" ".join(b"%d" % (3 * at + 1 + i - back) for i in range(3)))
    return newline.join((*lines, b""))
