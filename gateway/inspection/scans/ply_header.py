"""The header of a PLY: what stands in the file, and in which form.

    ply
    format binary_little_endian 1.0      or binary_big_endian, or ascii
    comment TEXT                         also obj_info TEXT; anywhere behind the first line
    element vertex 1000
    property float x
    element face 2000
    property list uchar int vertex_indices
    end_header

Lines end with LF or CRLF. At most 64 KiB, 16 elements and 64 properties.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from gateway.inspection.errors import UnreadableScanError
from gateway.inspection.scans.leftout import LeftOut

START = re.compile(rb"ply[ \t]*\r?\n")
_END = re.compile(rb"^end_header[ \t]*\r?\n", re.MULTILINE)
_COUNT = re.compile(rb"\d{1,10}")
_HEADER_BYTES = 1 << 16
_ELEMENTS, _PROPERTIES = 16, 64
_FORMATS: dict[bytes, Literal["", "<", ">"]] = {
    b"ascii": "",
    b"binary_little_endian": "<",
    b"binary_big_endian": ">",
}
_TYPES = {
    **dict.fromkeys((b"char", b"int8"), "i1"),
    **dict.fromkeys((b"uchar", b"uint8"), "u1"),
    **dict.fromkeys((b"short", b"int16"), "i2"),
    **dict.fromkeys((b"ushort", b"uint16"), "u2"),
    **dict.fromkeys((b"int", b"int32"), "i4"),
    **dict.fromkeys((b"uint", b"uint32"), "u4"),
    **dict.fromkeys((b"float", b"float32"), "f4"),
    **dict.fromkeys((b"double", b"float64"), "f8"),
}
_TEXTURE = b"TextureFile"


@dataclass(frozen=True, slots=True)
class Property:
    """One value of each row, or one list of values.

    Attributes:
        name: Of one row's value.
        kind: Its type, as numpy writes it without the byte order.
        count_kind: The type of the number in front of a list; empty if it is none.
    """

    name: bytes
    kind: str
    count_kind: str = ""


@dataclass(slots=True)
class Element:
    """A table of so many rows."""

    name: bytes
    rows: int
    properties: list[Property] = field(default_factory=list)

    @property
    def has_lists(self) -> bool:
        """Whether rows may be of different lengths."""
        return any(one.count_kind for one in self.properties)

    def find(self, *names: bytes) -> Property | None:
        """The first property of one of these names."""
        return next((one for one in self.properties if one.name in names), None)


@dataclass(slots=True)
class Header:
    """What a header says.

    Attributes:
        order: The byte order, as numpy writes it; empty for text.
        elements: In the order of the file.
        start: Where the body begins.
    """

    start: int
    order: Literal["", "<", ">"] | None = None
    elements: list[Element] = field(default_factory=list)


def read_header(content: bytes, left_out: LeftOut) -> Header:
    """Read the header of a file that begins with `START`.

    Raises:
        UnreadableScanError: With the line, from 1, or that it does not end.
    """
    head = content[:_HEADER_BYTES]
    end = _END.search(head)
    if not end:
        raise UnreadableScanError("no_header_end")
    header, lines = Header(end.end()), head[: end.start()].split(b"\n")[1:-1]
    for number, line in enumerate(lines, 2):
        if not _take(header, line, left_out):
            raise UnreadableScanError("syntax", line=number)
    if header.order is None or not all(element.properties for element in header.elements):
        raise UnreadableScanError("syntax", line=len(lines) + 2)
    return header


def _take(header: Header, line: bytes, left_out: LeftOut) -> bool:
    """Read one line; False if it is not what stands in a header."""
    match line.split():
        case [b"comment" | b"obj_info" as word, *words]:
            kind: Literal["textures", "comments"] = (
                "textures" if words[:1] == [_TEXTURE] else "comments"
            )
            left_out.take(kind, line.strip().removeprefix(word))
            return True
        case [b"format", form, b"1.0"] if form in _FORMATS and header.order is None:
            header.order = _FORMATS[form]
            return True
        case [b"element", name, count] if _COUNT.fullmatch(count):
            header.elements.append(Element(name, int(count)))
            return len({one.name for one in header.elements}) == len(header.elements) <= _ELEMENTS
        case [b"property", b"list", count, kind_of, name] if kind_of in _TYPES:
            counts = _TYPES.get(count, "f")
            return "f" not in counts and _add(header, Property(name, _TYPES[kind_of], counts))
        case [b"property", kind_of, name] if kind_of in _TYPES:
            return _add(header, Property(name, _TYPES[kind_of]))
    return False


def _add(header: Header, one: Property) -> bool:
    if not header.elements:
        return False
    element = header.elements[-1]
    element.properties.append(one)
    names = {other.name for other in element.properties}
    total = sum(len(other.properties) for other in header.elements)
    return len(names) == len(element.properties) and total <= _PROPERTIES
