"""ASCII STL, in linear time, without believing anything.

The grammar, line by line (blank lines anywhere, blanks around and between words, keywords in any
case, LF or CRLF, names of any bytes, which are dropped, at most 256 bytes in any other line)::

    solid NAME
      facet normal X Y Z      three words; what is no number is no normal
        outer loop
          vertex X Y Z        decimal numbers: 1, -1.5, +.5, 2e-3
          vertex X Y Z
          vertex X Y Z
        endloop
      endfacet
    endsolid NAME             several solids may follow each other; they become one scan

So a facet is 21 words, each in a known place. Facets are read some thousands at a time, all words
of one place at once. A block that is not well-formed is read again, slowly, by regular expressions
that say the same, to name the line.
"""

import re
from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gateway.inspection.errors import TooManyTrianglesError, UnreadableScanError
from gateway.inspection.report import Limits
from gateway.inspection.scans.decimals import Words, read_decimals, split
from gateway.inspection.scans.leftout import LeftOut
from gateway.inspection.scans.mesh import Mesh, count_wrong_normals

_BLOCK_BYTES = 1 << 20
_LONGEST_LINE = 256  # of those of a facet
_SHORTEST_FACET = 86  # bytes

_KEYWORDS = {0: b"facet", 1: b"normal", 5: b"outer", 6: b"loop", 19: b"endloop", 20: b"endfacet"}
_KEYWORDS |= dict.fromkeys((7, 11, 15), b"vertex")
_NORMAL = [2, 3, 4]
_CORNERS = [8, 12, 16, 9, 13, 17, 10, 14, 18]  # x of the three corners, y, z
_LINE_STARTS = np.array([0, 5, 7, 11, 15, 19, 20])
_LINE_ENDS = np.array([4, 6, 10, 14, 18, 19, 20])
_WORDS = 21

_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_VERTEX = re.compile(rb"vertex" + (rb"\s+(?!\S{65})" + _NUMBER) * 3)
_FACET = (
    re.compile(rb"facet\s+normal(?:\s+\S+){3}"),
    re.compile(rb"outer\s+loop"),
    _VERTEX,
    _VERTEX,
    _VERTEX,
    re.compile(rb"endloop"),
    re.compile(rb"endfacet"),
)
_BLANK = re.compile(rb"\s*")
_SOLID = re.compile(rb"solid(?!\S)[^\n]*\n?")
_END = re.compile(rb"endsolid(?!\S)[^\n]*\n?")

_Span = tuple[int, int]


class _Facets(NamedTuple):
    corners: npt.NDArray[np.float32]  # (3 axes, 3 corners, facets)
    wrong_normals: int


def read_ascii(text: bytes, limits: Limits) -> Mesh:
    """Read all solids as one scan.

    Raises:
        UnreadableScanError: With the line, from 1.
        TooManyTrianglesError: Counted before they are read.
    """
    # As many triangles as that need more bytes than there are, or are counted.
    if len(text) >= _SHORTEST_FACET * limits.triangles:
        triangles = text.lower().count(b"endfacet")
        if triangles > limits.triangles:
            raise TooManyTrianglesError(triangles=triangles, limit=limits.triangles)
    try:
        return _read(text, text)  # nearly every writer has keywords in small letters
    except UnreadableScanError:
        lower = text.lower()
        if lower == text:
            raise
        return _read(lower, text)


def _read(text: bytes, names: bytes) -> Mesh:
    """Read solids whose keywords are in small letters; `names` is the text as it came."""
    left_out = LeftOut()
    blocks = [_read_block(text, spans) for spans in _blocks(text, _bodies(text, names, left_out))]
    corners = np.concatenate([block.corners for block in blocks], axis=2)
    if not corners.shape[2]:
        raise UnreadableScanError("empty")
    return Mesh(
        "stl_ascii",
        corners,
        texts=tuple(left_out.texts),
        dropped=left_out.dropped,
        wrong_normals=sum(block.wrong_normals for block in blocks),
    )


def _read_block(text: bytes, spans: list[_Span]) -> _Facets:
    """Read whole facets."""
    # Or one solid might end what another one began.
    if all(_ends_a_facet(text[start:end]) for start, end in spans[:-1]):
        with memoryview(text) as view:
            facets = _read_facets(split(*(view[start:end] for start, end in spans)))
        if facets:
            return facets
    raise UnreadableScanError("syntax", line=_wrong_line(text, spans))


def _ends_a_facet(piece: bytes) -> bool:
    last = piece.rstrip()
    return not last or last.endswith(b"endfacet")


def _read_facets(words: Words) -> _Facets | None:
    facets, surplus = divmod(len(words), _WORDS)
    if surplus or not all(words[at::_WORDS].are(word).all() for at, word in _KEYWORDS.items()):
        return None
    if not facets:
        return _Facets(np.empty((3, 3, 0), dtype=np.float32), 0)
    starts, ends = words.starts.reshape(facets, _WORDS), words.ends.reshape(facets, _WORDS)
    breaks = np.zeros(_WORDS, dtype=np.bool_)
    breaks[_LINE_ENDS] = True
    if not (words.breaks()[:-1] == np.tile(breaks, facets)[:-1]).all():
        return None
    if (ends[:, _LINE_ENDS] - starts[:, _LINE_STARTS]).max() > _LONGEST_LINE:
        return None
    numbers = starts.T[_CORNERS + _NORMAL], ends.T[_CORNERS + _NORMAL]
    values = read_decimals(Words(words.letters, *(at.reshape(-1) for at in numbers)))
    corners, normals = values[: 9 * facets].reshape(3, 3, facets), values[9 * facets :]
    if np.isnan(corners).any():
        return None
    return _Facets(corners, count_wrong_normals(corners, normals.reshape(3, facets)))


def _bodies(text: bytes, names: bytes, left_out: LeftOut) -> Iterator[_Span]:
    """Where the facets of each solid begin and end."""
    position = 0
    while (position := _end_of(_BLANK, text, position)) < len(text):
        start = _end_of(_SOLID, text, position)
        if start == position:
            raise UnreadableScanError("syntax", line=_line(text, position))
        end = text.find(b"endsolid", start)
        if end < 0:
            raise UnreadableScanError("no_end", line=_line(text, position))
        yield start, end
        name_at = position + len(b"solid")
        position = _end_of(_END, text, end)
        if position == end:
            raise UnreadableScanError("syntax", line=_line(text, end))
        for name in names[name_at:start].strip(), names[end + len(b"endsolid") : position].strip():
            if name:
                left_out.take("names", name)


def _blocks(text: bytes, bodies: Iterator[_Span]) -> Iterator[list[_Span]]:
    """Cut long bodies behind facets and put short ones together: a block's worth at a time."""
    spans: list[_Span] = []
    taken = 0
    for start, end in bodies:
        if taken + end - start > _BLOCK_BYTES:
            yield spans
            spans, taken = [], 0
        while end - start > _BLOCK_BYTES:
            stop = _cut(text, start, start + _BLOCK_BYTES, end)
            yield [(start, stop)]
            start = stop  # noqa: PLW2901 - what is left of the body
        spans.append((start, end))
        taken += end - start
    yield spans


def _cut(text: bytes, start: int, near: int, end: int) -> int:
    """The end of a line behind the last facet that ends near there."""
    facet_end = text.rfind(b"endfacet", start, near)
    line_end = text.find(b"\n", facet_end if facet_end >= 0 else near, end)
    return end if line_end < 0 else line_end + 1


def _wrong_line(text: bytes, spans: list[_Span]) -> int:
    """The first line that is not what the grammar has there."""
    for start, end in spans:
        expected = cycle(_FACET)
        position, complete = start, 0
        for line in text[start:end].split(b"\n"):
            word = line.strip()
            if word and (len(word) > _LONGEST_LINE or not next(expected).fullmatch(word)):
                return _line(text, min(position, end))
            complete += bool(word)
            position += len(line) + 1
        if complete % len(_FACET):
            return _line(text, end)
    return _line(text, spans[0][0])


def _end_of(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    """Where a match that begins at a position ends; the position itself if there is none."""
    match = pattern.match(text, position)
    return match.end() if match else position


def _line(text: bytes, position: int) -> int:
    return text.count(b"\n", 0, position) + 1
