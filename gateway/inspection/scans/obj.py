"""Wavefront OBJ: its vertices, with colours if they have any, and its faces.

Line by line, blanks around and between words, LF or CRLF, at most 4096 bytes in a line::

    v X Y Z                  or X Y Z W, or X Y Z R G B (0 to 1, or to 255), as scanners write it
    f A B C ...              each A one of 4, 4/2, 4//7, 4/2/7; counted from 1, or back from -1
    vt, vn, vp, l, p         skipped
    o, g, s, usemtl, mtllib  skipped
    # TEXT                   skipped

Every other line is refused, free-form surfaces and lines continued by a backslash among them. No
other file is ever read: what `mtllib` names stays where it is.
"""

import re

import numpy as np
import numpy.typing as npt

from gateway.inspection.errors import TooManyTrianglesError, UnreadableScanError
from gateway.inspection.forms import Dropped
from gateway.inspection.report import TEXTS, Limits
from gateway.inspection.scans.decimals import (
    NO_INTEGER,
    Flags,
    Positions,
    Words,
    read_decimals,
    read_integers,
    split,
)
from gateway.inspection.scans.leftout import LeftOut
from gateway.inspection.scans.mesh import Colours, Mesh
from gateway.inspection.scans.polygons import Fans

START = re.compile(
    rb"(?:[ \t\r]*(?:#[^\n]*)?\n)*[ \t]*(?:v|vt|vn|vp|f|l|p|o|g|s|usemtl|mtllib)(?=\s)"
)
_SKIPPED: dict[bytes, Dropped] = {
    b"#": "comments",
    b"vt": "textures",
    b"vn": "normals",
    **dict.fromkeys((b"vp", b"l", b"p"), "elements"),
    **dict.fromkeys((b"g", b"s"), "groups"),
    b"o": "names",
    **dict.fromkeys((b"usemtl", b"mtllib"), "materials"),
}
_LONGEST_LINE = 4096
_COORDINATES, _WEIGHT, _COLOURS = 4, 5, 7  # words of a line with a vertex: `v` and the numbers
_FULL = 255


class _Lines:
    """The lines of a text that are not blank: where the words of each begin, and what it is."""

    def __init__(self, words: Words) -> None:
        ends = np.flatnonzero(words.breaks())
        self.words = words
        self.first = np.concatenate(([0], ends[:-1] + 1))
        self.counts = ends + 1 - self.first
        self.heads = words[self.first]
        self.bytes = words.ends[ends] - self.heads.starts

    def number(self, line: int) -> int:
        """The number of a line in the file, from 1."""
        before = self.heads.letters[: self.heads.starts[line]]
        return int(np.count_nonzero(before == ord("\n"))) + 1

    def text(self, line: int) -> bytes:
        """A line without its first word."""
        start, end = self.heads.ends[line], self.heads.starts[line] + self.bytes[line]
        return self.heads.letters[start:end].tobytes()

    def refuse(self, wrong: Flags, lines: Positions) -> None:
        """Refuse the first line for which something is wrong.

        Raises:
            UnreadableScanError: With its number.
        """
        if wrong.any():
            raise UnreadableScanError("syntax", line=self.number(int(lines[np.argmax(wrong)])))


def read_obj(text: bytes, limits: Limits) -> Mesh:
    """Read a text that begins as an OBJ.

    Raises:
        UnreadableScanError: With the line, or the face, from 1.
        TooManyTrianglesError: Found before anything is allocated for them.
    """
    lines, left_out = _Lines(split(text)), LeftOut()
    is_vertex, is_face = lines.heads.are(b"v"), lines.heads.are(b"f")
    _leave_out(lines, is_vertex | is_face, left_out)
    points, faces = np.flatnonzero(is_vertex), np.flatnonzero(is_face)
    if len(faces) > limits.triangles:
        raise TooManyTrianglesError(triangles=len(faces), limit=limits.triangles)
    if len(points) > 3 * limits.triangles:  # that many corners at most
        raise TooManyTrianglesError("vertices", vertices=len(points), limit=3 * limits.triangles)

    fans = Fans.of((lines.counts[faces] - 1).astype(np.int32), limits)
    numbers = _numbers(lines, faces, np.cumsum(is_vertex, dtype=np.int64)[faces])
    vertices = fans.vertices(numbers, len(points))
    corners = _rows(lines, points, 1)[:, vertices]
    fans.check(corners)
    colours = _colours(lines, points, left_out)
    return Mesh(
        "obj",
        corners,
        colours=None if colours is None else colours[:, vertices],
        texts=tuple(left_out.texts),
        dropped=left_out.dropped,
    )


def _leave_out(lines: _Lines, read: Flags, left_out: LeftOut) -> None:
    """Note the lines that are skipped, and refuse those that are of no kind."""
    known = read.copy()
    for word, kind in _SKIPPED.items():
        found = lines.heads.are(word)
        if word == b"#":
            found = lines.heads.letters[lines.heads.starts] == ord("#")
        if found.any():
            left_out.kinds.add(kind)
            known |= found
            if kind not in {"textures", "normals", "elements"}:
                for line in np.flatnonzero(found)[:TEXTS].tolist():
                    left_out.take(kind, lines.text(line))
    lines.refuse(~known | (lines.bytes > _LONGEST_LINE), np.arange(len(known)))


def _rows(lines: _Lines, points: Positions, at: int) -> npt.NDArray[np.float32]:
    """Three numbers of each of these lines, from a word on, shape (3, lines)."""
    counts = lines.counts[points]
    wrong = (counts != _COORDINATES) & (counts != _WEIGHT) & (counts != _COLOURS)
    lines.refuse(wrong, points)
    places = lines.first[points] + np.arange(at, at + 3)[:, np.newaxis]
    rows = read_decimals(lines.words[places.reshape(-1)]).reshape(3, -1)
    lines.refuse(np.isnan(rows.sum(axis=0)), points)
    return rows


def _colours(lines: _Lines, points: Positions, left_out: LeftOut) -> Colours | None:
    """The colours of the vertices, shape (3, vertices), if every vertex has one."""
    counts = lines.counts[points]
    if (counts == _COLOURS).all():
        values = _rows(lines, points, _COORDINATES)
        scale = 1 if values.max() > 1 else _FULL
        return np.rint(values * scale).clip(0, _FULL).astype(np.uint8)
    if (counts != _COORDINATES).any():
        left_out.take("attributes")
    return None


def _numbers(
    lines: _Lines, faces: Positions, before: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The vertex of each corner of these lines, from 0; `before` is how many stand above each."""
    counts = lines.counts[faces] - 1
    line_of = np.repeat(np.arange(len(faces)), counts)
    place = np.arange(len(line_of)) - np.repeat(np.cumsum(counts) - counts, counts)
    corners = lines.words[lines.first[faces][line_of] + 1 + place]
    cut = corners.cut(ord("/"))
    numbers = read_integers(cut).astype(np.int64)
    lines.refuse(numbers == NO_INTEGER, faces[line_of])
    more = np.flatnonzero(cut.ends < corners.ends)
    if len(more):
        wrong = ~_are_references(Words(cut.letters, cut.ends[more] + 1, corners.ends[more]))
        lines.refuse(wrong, faces[line_of[more]])
    return np.where(numbers < 0, before[line_of] + numbers, numbers - 1)


def _are_references(rest: Words) -> Flags:
    """Whether what follows the first slash of a corner is `2`, `2/7` or `/7`."""
    texture = rest.cut(ord("/"))
    both = texture.ends < rest.ends
    normal = Words(rest.letters, np.where(both, texture.ends + 1, rest.starts), rest.ends)
    right: Flags = read_integers(normal) != NO_INTEGER
    right &= (both & (texture.ends == texture.starts)) | (read_integers(texture) != NO_INTEGER)
    return right
