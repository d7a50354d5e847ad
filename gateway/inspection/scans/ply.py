"""PLY: binary in either byte order or text, with the colours of its vertices or faces.

The header announces tables (elements) of rows; a row has values and lists of values. Everything is
found by its place, and every place is checked against the length of the file before anything is
allocated. Rows without lists, or with lists as long as those of the first row, are laid out by
multiplication; others are walked through one by one.

Read are the x, y and z of each vertex (float or double), the list of vertices of each face, and
red, green and blue (uchar, or 0 to 1) of the vertices, else of the faces. Everything else is
skipped by its declared size, and nothing may follow.
"""

import numpy as np
import numpy.typing as npt

from gateway.inspection.errors import TooManyTrianglesError, UnreadableScanError
from gateway.inspection.forms import Dropped
from gateway.inspection.report import Limits
from gateway.inspection.scans.leftout import LeftOut
from gateway.inspection.scans.mesh import Colours, Coordinates, Mesh
from gateway.inspection.scans.ply_body import Table, body_of, lay_out
from gateway.inspection.scans.ply_header import Element, Header, Property, read_header
from gateway.inspection.scans.polygons import Fans

_AXES = b"x", b"y", b"z"
_LISTS = b"vertex_indices", b"vertex_index"
_RGB = b"red", b"green", b"blue"
_COLOUR_KINDS = {"u1", "f4", "f8"}
_KINDS: dict[bytes, Dropped] = {
    **dict.fromkeys((b"nx", b"ny", b"nz"), "normals"),
    **dict.fromkeys((b"s", b"t", b"u", b"v", b"texture_u", b"texture_v"), "textures"),
    **dict.fromkeys((b"texcoord", b"texnumber"), "textures"),
    b"alpha": "transparency",
}


def read_ply(content: bytes, limits: Limits) -> Mesh:
    """Read a file that begins as a PLY.

    Raises:
        UnreadableScanError: It is damaged, or laid out as no scan is.
        TooManyTrianglesError: Found before anything is allocated for them.
    """
    left_out = LeftOut()
    header = read_header(content, left_out)
    points, faces = _tables(content, header, limits)
    corner_list = faces.column(_corner_list(faces.element))
    fans = Fans.of(corner_list.lengths, limits)
    places = _places(points)
    numbers = corner_list.read().astype(np.int64)
    vertices = fans.vertices(numbers, points.element.rows)
    corners = places[:, vertices]
    fans.check(corners)
    _leave_out(header, left_out)
    return Mesh(
        "ply_binary" if header.order else "ply_ascii",
        corners,
        colours=_colours(points, faces, vertices, fans),
        texts=tuple(left_out.texts),
        dropped=left_out.dropped,
    )


def _tables(content: bytes, header: Header, limits: Limits) -> tuple[Table, Table]:
    """The vertices and the faces, when every element has been found to be there."""
    names = [element.name for element in header.elements]
    if b"vertex" not in names or b"face" not in names:
        raise UnreadableScanError("empty")
    points, faces = (header.elements[names.index(name)] for name in (b"vertex", b"face"))
    if faces.rows > limits.triangles:
        raise TooManyTrianglesError(triangles=faces.rows, limit=limits.triangles)
    if points.rows > 3 * limits.triangles:  # that many corners at most
        raise TooManyTrianglesError("vertices", vertices=points.rows, limit=3 * limits.triangles)
    if not points.rows or not faces.rows:
        raise UnreadableScanError("empty")
    body = body_of(content, header)
    tables, at = [], body.start
    for element in header.elements:
        tables.append(lay_out(body, element, at, limits))
        at = tables[-1].end
    if at < body.end:
        raise body.error("trailer", at)
    return tables[names.index(b"vertex")], tables[names.index(b"face")]


def _corner_list(faces: Element) -> Property:
    found = faces.find(*_LISTS)
    if found is None or not found.count_kind or "f" in found.kind:
        raise UnreadableScanError("layout")
    return found


def _places(points: Table) -> Coordinates:
    """Where the vertices are, shape (3 axes, vertices)."""
    axes = [points.element.find(axis) for axis in _AXES]
    places = np.empty((3, points.element.rows), dtype=np.float32)
    for place, axis in zip(places, axes, strict=True):
        if axis is None or axis.count_kind or "f" not in axis.kind:
            raise UnreadableScanError("layout")
        with np.errstate(over="ignore"):  # too large becomes infinite, which is refused later
            place[:] = points.column(axis).read()
    return places


def _colours(
    points: Table, faces: Table, vertices: npt.NDArray[np.int64], fans: Fans
) -> Colours | None:
    """The colours of the corners, shape (3, 3 corners, triangles)."""
    if _has_colours(points.element):
        return _read_colours(points)[:, vertices]
    if _has_colours(faces.element):
        of_triangle = _read_colours(faces)[:, fans.faces]
        return np.repeat(of_triangle[:, np.newaxis], 3, axis=1)
    return None


def _has_colours(element: Element) -> bool:
    found = [element.find(name) for name in _RGB]
    return all(one and not one.count_kind and one.kind in _COLOUR_KINDS for one in found)


def _read_colours(table: Table) -> Colours:
    """Red, green and blue of each row, shape (3, rows)."""
    colours = np.empty((3, table.element.rows), dtype=np.uint8)
    for colour, name in zip(colours, _RGB, strict=True):
        one = table.element.find(name)
        if one is not None:
            values = table.column(one).read()
            if one.kind != "u1":
                values = np.rint(255 * np.nan_to_num(values).clip(0, 1))
            colour[:] = values
    return colours


def _leave_out(header: Header, left_out: LeftOut) -> None:
    """Note what is not read: other elements, other properties, and names of their own."""
    read = {b"vertex": {*_AXES}, b"face": {*_LISTS}}
    coloured = [one for one in header.elements if one.name in read and _has_colours(one)]
    for element in header.elements:
        if element.name not in read:
            left_out.take("elements", element.name)
            continue
        known = read[element.name] | ({*_RGB} if element in coloured[:1] else set())
        for one in element.properties:
            if one.name not in known:
                kind = _KINDS.get(one.name, "attributes")
                left_out.take(kind, one.name if kind == "attributes" else b"")
