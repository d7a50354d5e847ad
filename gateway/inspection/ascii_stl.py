"""ASCII STL, in linear time, without believing anything.

The grammar, line by line (blank lines anywhere, blanks around and between words, keywords in any
case, LF or CRLF, names of any bytes, which are dropped)::

    solid NAME
      facet normal X Y Z      three words: the normal is computed anew, so they may be anything
        outer loop
          vertex X Y Z        decimal numbers: 1, -1.5, +.5, 2e-3
          vertex X Y Z
          vertex X Y Z
        endloop
      endfacet
    endsolid NAME             several solids may follow each other; they become one scan

A vertex of a closed surface is written about six times in the very same letters, so each different
line is turned into numbers once. A block that is not well-formed is read again, slowly, by regular
expressions that say the same, to name the line.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, cycle, islice

import numpy as np
import numpy.typing as npt

from gateway.inspection.errors import TooManyTrianglesError, UnreadableScanError
from gateway.inspection.report import Limits

_BLOCK_BYTES = 4 << 20
_LONGEST_LINE = 256  # of those that hold numbers
_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_NUMBER_LETTERS = b"0123456789+-.e "
_VERTEX = re.compile(rb"vertex" + (rb"\s+" + _NUMBER) * 3)
_FACET = (
    re.compile(rb"facet\s+normal(?:\s+\S+){3}"),
    re.compile(rb"outer\s+loop"),
    _VERTEX,
    _VERTEX,
    _VERTEX,
    re.compile(rb"endloop"),
    re.compile(rb"endfacet"),
)
_LINES = len(_FACET)
_BLANK = re.compile(rb"\s*")
_SOLID = re.compile(rb"solid(?!\S)[^\n]*\n?")
_END = re.compile(rb"endsolid(?!\S)[^\n]*\n?")


def read_ascii(text: bytes, limits: Limits) -> npt.NDArray[np.float32]:
    """The corners of all solids, shape (3 axes, 3 corners, triangles).

    Raises:
        UnreadableScanError: With the line, from 1.
        TooManyTrianglesError: Counted before they are read.
    """
    text = text.lower()  # names are dropped, and `E` is an `e`
    triangles = text.count(b"endfacet")
    if triangles > limits.triangles:
        raise TooManyTrianglesError(triangles=triangles, limit=limits.triangles)
    facets = _Facets()
    for start, end in _bodies(text):
        for block_start, block_end in _blocks(text, start, end):
            if not facets.take(text[block_start:block_end]):
                raise _syntax_error(text, block_start, block_end)
    if not facets.vertices:
        raise UnreadableScanError("empty")
    return facets.corners()


@dataclass(slots=True)
class _Facets:
    """What is read so far: each different vertex line once, and who uses which."""

    number_of: defaultdict[bytes, int] = field(
        default_factory=lambda: defaultdict(count().__next__)
    )
    places: list[npt.NDArray[np.float32]] = field(default_factory=list)
    vertices: list[npt.NDArray[np.int32]] = field(default_factory=list)

    def take(self, block: bytes) -> bool:
        """Read whole facets; False if they are not well-formed."""
        lines = [line for line in map(bytes.strip, block.split(b"\n")) if line]
        if not lines:
            return True
        if len(lines) % _LINES or not _frames_are_right(lines):
            return False
        known, facets = len(self.number_of), len(lines) // _LINES
        numbers = np.empty((3, facets), dtype=np.int32)
        for corner, row in enumerate(numbers):
            row[:] = np.fromiter(
                map(self.number_of.__getitem__, lines[2 + corner :: _LINES]), np.int32, facets
            )
        self.vertices.append(numbers)
        new = len(self.number_of) - known
        if new:
            places = _places(list(islice(reversed(self.number_of), new))[::-1])
            if places is None:
                return False
            self.places.append(places)
        return True

    def corners(self) -> npt.NDArray[np.float32]:
        """Everything taken, shape (3 axes, 3 corners, triangles)."""
        places = np.concatenate(self.places, axis=1)
        return places[:, np.concatenate(self.vertices, axis=1)]


def _frames_are_right(lines: list[bytes]) -> bool:
    """Whether everything but the vertices stands where the grammar has it."""
    facets = [line.split() for line in lines[0::_LINES]]
    loops, loop_ends, ends = (set(lines[at::_LINES]) for at in (1, 5, 6))
    return (
        {(len(words), *words[:2]) for words in facets} == {(5, b"facet", b"normal")}
        and all(line.split() == [b"outer", b"loop"] for line in loops)
        and loop_ends == {b"endloop"}
        and ends == {b"endfacet"}
    )


def _places(lines: list[bytes]) -> npt.NDArray[np.float32] | None:
    """The numbers of vertex lines, shape (3 axes, lines), or None if one is not well-formed."""
    words = [line.split() for line in lines]
    if max(map(len, lines)) > _LONGEST_LINE or set(map(len, words)) != {4}:
        return None
    keywords, *axes = zip(*words, strict=True)
    if set(keywords) != {b"vertex"}:
        return None
    # float() also reads `nan`, `inf` and `1_000`: letters outside of a number's are refused first.
    if any(b" ".join(axis).translate(None, _NUMBER_LETTERS) for axis in axes):
        return None
    try:
        places = np.array([[float(word) for word in axis] for axis in axes])
    except ValueError:
        return None
    with np.errstate(over="ignore"):  # too large becomes infinite, which is refused later
        return places.astype(np.float32)


def _bodies(text: bytes) -> Iterator[tuple[int, int]]:
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
        position = _end_of(_END, text, end)
        if position == end:
            raise UnreadableScanError("syntax", line=_line(text, end))


def _blocks(text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a body behind facets, so that no more than a block of it is ever in pieces."""
    while start < end:
        stop = end
        if end - start > _BLOCK_BYTES:
            facet_end = text.rfind(b"endfacet", start, start + _BLOCK_BYTES)
            cut = facet_end if facet_end >= 0 else start + _BLOCK_BYTES  # blank, or malformed
            line_end = text.find(b"\n", cut, end)
            stop = end if line_end < 0 else line_end + 1
        yield start, stop
        start = stop


def _syntax_error(text: bytes, start: int, end: int) -> UnreadableScanError:
    """Name the first line that is not what the grammar has there."""
    expected = cycle(_FACET)
    position = start
    for line in text[start:end].split(b"\n"):
        word = line.strip()
        if word and (len(word) > _LONGEST_LINE or not next(expected).fullmatch(word)):
            break
        position += len(line) + 1
    return UnreadableScanError("syntax", line=_line(text, min(position, end)))


def _end_of(pattern: re.Pattern[bytes], text: bytes, position: int) -> int:
    """Where a match that begins at a position ends; the position itself if there is none."""
    match = pattern.match(text, position)
    return match.end() if match else position


def _line(text: bytes, position: int) -> int:
    return text.count(b"\n", 0, position) + 1
