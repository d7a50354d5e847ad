"""The body of a PLY: where each value of each row stands, and reading many of them at once.

A place is a byte in a binary body, and a word in a text one; a value takes as many places as its
width. Nothing here trusts a count: what would reach behind the end is refused before it is laid
out.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from gateway.inspection.errors import UnreadableScanError
from gateway.inspection.report import Limits
from gateway.inspection.scans.decimals import (
    NO_INTEGER,
    Flags,
    Integers,
    Words,
    read_decimals,
    split,
)
from gateway.inspection.scans.decimals import read_integers as read_words
from gateway.inspection.scans.ply_header import Element, Header, Property

Places = npt.NDArray[np.int64]
Values = npt.NDArray[Any]
_DIGITS = 8
_CELLS = 4  # values and lists that a table with lists may have for each triangle of the limit


class Body(Protocol):
    """Values by their places."""

    @property
    def start(self) -> int:
        """The first place."""

    @property
    def end(self) -> int:
        """The first place behind the body."""

    def width(self, kind: str) -> int:
        """How many places a value takes."""

    def read(self, at: Places, kind: str) -> Values:
        """The values that stand there.

        Raises:
            UnreadableScanError: In a text, with the line of the first word that is no such value.
        """

    def count(self, at: int, kind: str) -> int:
        """The length of one list; less than 0 if it is none."""

    def read_counts(self, at: Places, kind: str) -> Values:
        """The lengths of many lists, some of which may be none: nothing is refused."""

    def error(self, reason: Literal["missing", "trailer"], at: int) -> UnreadableScanError:
        """The body ends too early, or here already."""


@dataclass(frozen=True, slots=True)
class BinaryBody:
    """Values as they are in memory, in the order of the header."""

    content: bytes = field(repr=False)
    start: int
    order: str

    @property
    def end(self) -> int:
        """The length of the file."""
        return len(self.content)

    def width(self, kind: str) -> int:
        """Bytes of a value."""
        return int(kind[1])

    def read(self, at: Places, kind: str) -> Values:
        """The values that begin at these bytes."""
        stop = len(self.content) - self.width(kind) + 1
        everywhere = np.ndarray((stop,), self.order + kind, self.content, strides=(1,))
        values: Values = everywhere[at]
        return values

    def count(self, at: int, kind: str) -> int:
        """The integer that begins at this byte."""
        value = self.content[at : at + self.width(kind)]
        order: Literal["little", "big"] = "little" if self.order == "<" else "big"
        return int.from_bytes(value, order, signed=kind.startswith("i"))

    def read_counts(self, at: Places, kind: str) -> Values:
        """The same as other values."""
        return self.read(at, kind)

    def error(self, reason: Literal["missing", "trailer"], at: int) -> UnreadableScanError:
        """With the bytes that there are, or are too many."""
        if reason == "missing":
            return UnreadableScanError(reason, actual_bytes=self.end)
        return UnreadableScanError(reason, surplus_bytes=self.end - at)


@dataclass(frozen=True, slots=True)
class TextBody:
    """Values as decimal numbers; where lines end makes no difference."""

    words: Words
    first_line: int
    file_bytes: int

    @property
    def start(self) -> int:
        """The first word."""
        return 0

    @property
    def end(self) -> int:
        """The number of words."""
        return len(self.words)

    def width(self, kind: str) -> int:  # noqa: ARG002 - the contract of `Body`
        """A value is a word."""
        return 1

    def read(self, at: Places, kind: str) -> Values:
        """The numbers that these words are, within the range of their type."""
        words = self.words[at]
        if "f" in kind:
            values: Values = read_decimals(words)
            wrong: Flags = np.isnan(values)
        else:
            values = read_words(words)
            largest = np.iinfo(kind)
            wrong = (values == NO_INTEGER) | (values < largest.min) | (values > largest.max)
        if wrong.any():
            before = words.letters[: words.starts[np.argmax(wrong)]]
            line = int(np.count_nonzero(before == ord("\n")))
            raise UnreadableScanError("syntax", line=self.first_line + line)
        return values

    def count(self, at: int, kind: str) -> int:  # noqa: ARG002 - the contract of `Body`
        """The word as an integer."""
        word = self.words.letters[self.words.starts[at] : self.words.ends[at]].tobytes()
        return int(word) if len(word) <= _DIGITS and word.isdigit() else NO_INTEGER

    def read_counts(self, at: Places, kind: str) -> Values:  # noqa: ARG002 - the contract of `Body`
        """What is no number is less than 0."""
        return read_words(self.words[at])

    def error(self, reason: Literal["missing", "trailer"], at: int) -> UnreadableScanError:
        """With the bytes that there are, or are too many."""
        if reason == "missing":
            return UnreadableScanError(reason, actual_bytes=self.file_bytes)
        surplus = int(self.words.ends[-1]) - int(self.words.starts[at])
        return UnreadableScanError(reason, surplus_bytes=surplus)


def body_of(content: bytes, header: Header) -> Body:
    """What follows the header."""
    if header.order:
        return BinaryBody(content, header.start, header.order)
    first_line = content.count(b"\n", 0, header.start) + 1
    return TextBody(split(content[header.start :]), first_line, len(content))


@dataclass(frozen=True, slots=True)
class Column:
    """A property of every row.

    Attributes:
        body: Where it stands.
        kind: The type of its values.
        at: Where each row's value begins, or the values of its list.
        counts: How many values each list has; None if it is no list.
    """

    body: Body
    kind: str
    at: Places
    counts: Integers | None = None

    @property
    def lengths(self) -> Integers:
        """How many values each row has."""
        return np.ones(len(self.at), dtype=np.int32) if self.counts is None else self.counts

    def read(self) -> Values:
        """The values of all rows; those of lists one behind the other."""
        if self.counts is None:
            return self.body.read(self.at, self.kind)
        width, counts = self.body.width(self.kind), self.counts.astype(np.int64)
        before = np.cumsum(counts) - counts
        first = np.repeat(self.at - width * before, counts)
        return self.body.read(first + width * np.arange(len(first)), self.kind)


@dataclass(frozen=True, slots=True)
class Table:
    """An element whose rows are where they are known to be, all of them in front of the end.

    Attributes:
        body: Where it stands.
        start: Its first place.
        end: The place behind its last row.
        offsets: Where each property stands in a row, if all rows are alike.
        size: How many places such a row takes.
        counts: The length of each list, if all rows are alike.
        walked: The columns of its lists, if they are not.
    """

    body: Body
    element: Element
    start: int
    end: int
    size: int = 0
    offsets: dict[bytes, int] = field(default_factory=dict)
    counts: dict[bytes, int] = field(default_factory=dict)
    walked: dict[bytes, Column] = field(default_factory=dict)

    def column(self, one: Property) -> Column:
        """Where a property stands."""
        if self.walked:
            return self.walked[one.name]
        rows = self.element.rows
        at = np.arange(rows, dtype=np.int64) * self.size + (self.start + self.offsets[one.name])
        counts = None
        if one.count_kind:
            counts = np.full(rows, self.counts[one.name], dtype=np.int32)
        return Column(self.body, one.kind, at, counts)


def lay_out(body: Body, element: Element, start: int, limits: Limits) -> Table:
    """Find the rows of an element.

    Raises:
        UnreadableScanError: They do not end before the body does.
    """
    alike = _alike(body, element, start)
    if not element.has_lists:
        if alike is None:
            raise body.error("missing", start)
        return alike
    if element.rows * len(element.properties) > _CELLS * limits.triangles:
        raise UnreadableScanError("layout")
    if alike and all(
        (body.read_counts(column.at - body.width(one.count_kind), one.count_kind) == count).all()
        for one in element.properties
        if one.count_kind
        for column, count in [(alike.column(one), alike.counts[one.name])]
    ):
        return alike
    return _walk(body, element, start)


def _alike(body: Body, element: Element, start: int) -> Table | None:
    """The table as it is if every row is as long as the first; None if it would not fit."""
    offsets, counts, at = {}, {}, start
    for one in element.properties:
        if one.count_kind:
            counts[one.name], at = _count(body, one, at) if element.rows else (0, at)
        offsets[one.name] = at - start
        at += counts.get(one.name, 1) * body.width(one.kind)
    end = start + (at - start) * element.rows
    return (
        Table(body, element, start, end, at - start, offsets, counts) if end <= body.end else None
    )


def _walk(body: Body, element: Element, start: int) -> Table:
    """Find rows of different lengths, one value after the other."""
    places: dict[bytes, list[int]] = {one.name: [] for one in element.properties}
    counts: dict[bytes, list[int]] = {one.name: [] for one in element.properties if one.count_kind}
    at = start
    for _ in range(element.rows):
        for one in element.properties:
            count = 1
            if one.count_kind:
                count, at = _count(body, one, at)
                counts[one.name].append(count)
            places[one.name].append(at)
            at += count * body.width(one.kind)
            if at > body.end:
                raise body.error("missing", at)
    columns = {
        one.name: Column(
            body,
            one.kind,
            np.array(places[one.name], dtype=np.int64),
            np.array(counts[one.name], dtype=np.int32) if one.count_kind else None,
        )
        for one in element.properties
    }
    return Table(body, element, start, at, walked=columns)


def _count(body: Body, one: Property, at: int) -> tuple[int, int]:
    """The length of the list at a place, and where its values begin."""
    begin = at + body.width(one.count_kind)
    if begin > body.end:
        raise body.error("missing", at)
    count = body.count(at, one.count_kind)
    if count < 0:
        raise UnreadableScanError("layout")
    return count, begin
