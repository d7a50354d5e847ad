"""The one thing of Exif that is kept: the orientation.

Without it a photo is shown turned or mirrored, and mirrored swaps left and right. Everything else
in Exif (CIPA DC-008: times, places, owners, serial numbers, maker notes) goes; what of it is text
is handed to `Texts` on the way.
"""

from dataclasses import dataclass
from typing import Literal

from gateway.inspection.texts import Texts

UPRIGHT = 1
_ORIENTATIONS = range(1, 9)
_ORIENTATION, _MAKER_NOTE, _GPS = 0x0112, 0x927C, 0x8825
_DIRECTORIES = {0x8769, _GPS, 0xA005}  # Exif, GPS and interoperability: offsets of more of them
_MOST_DIRECTORIES, _MOST_ENTRIES = 8, 512
_TEXT_BYTES = 1 << 16  # of one value, at most looked at
_SHORT = 3
_TEXT_KINDS = {2, 129}  # ASCII and UTF-8
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 129: 1}
_CODED_TEXTS = {0x9286, 0x001B, 0x001C}  # user comment, GPS method and area: eight bytes of code
_WINDOWS_TEXTS = {0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F}  # title, comment, author ...: UTF-16
_ENTRY_BYTES = 12
_CODE_BYTES = 8
_BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}


@dataclass(slots=True)
class Exif:
    """What is read of an Exif block.

    Attributes:
        orientation: Of the first directory; the second one belongs to the thumbnail.
        has_gps: Whether there is a directory of places.
        has_maker_note: Whether there are notes of the camera's maker.
        has_thumbnail: Whether a second picture has a directory.
    """

    orientation: int = UPRIGHT
    has_gps: bool = False
    has_maker_note: bool = False
    has_thumbnail: bool = False


def read_exif(tiff: bytes, texts: Texts) -> Exif:
    """Read all directories; whatever is malformed counts as not there.

    Args:
        tiff: From the byte-order mark on, without the `Exif` marker of JPEG.
        texts: Takes what can be read in it.
    """
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        texts.add_readable(tiff)
        return Exif()
    block = _Block(tiff, order, Exif(), texts)
    # Each offset is visited once and there are few, so directories cannot go round in circles.
    waiting, visited = [block.number(4, 4)], set[int]()
    while waiting and len(visited) < _MOST_DIRECTORIES:
        directory = waiting.pop(0)
        if directory and directory not in visited:
            waiting += block.read_directory(directory, first=not visited)
            visited.add(directory)
    return block.exif


@dataclass(slots=True)
class _Block:
    tiff: bytes
    order: Literal["little", "big"]
    exif: Exif
    texts: Texts

    def number(self, start: int, width: int) -> int:
        return int.from_bytes(self.tiff[start : start + width], self.order)

    def read_directory(self, directory: int, *, first: bool) -> list[int]:
        """Take what matters of one directory; the offsets of those that it names."""
        further = []
        count = self.number(directory, 2)
        entries = range(directory + 2, len(self.tiff) - _ENTRY_BYTES + 1, _ENTRY_BYTES)
        for entry in entries[: min(count, _MOST_ENTRIES)]:
            tag, kind, value = (self.number(entry + at, 2) for at in (0, 2, 8))
            if tag in _DIRECTORIES:
                further.append(self.number(entry + 8, 4))
                self.exif.has_gps |= tag == _GPS
            elif tag == _MAKER_NOTE:
                self.exif.has_maker_note = True
            elif tag == _ORIENTATION and kind == _SHORT and value in _ORIENTATIONS and first:
                self.exif.orientation = value
            self._take_text(tag, kind, entry)
        after = self.number(directory + 2 + _ENTRY_BYTES * count, 4)
        self.exif.has_thumbnail |= first and bool(after)
        return [*further, after]

    def _take_text(self, tag: int, kind: int, entry: int) -> None:
        size = _WIDTHS.get(kind, 0) * self.number(entry + 4, 4)
        start = entry + 8 if size <= 4 else self.number(entry + 8, 4)  # noqa: PLR2004 - TIFF 6.0
        value = self.tiff[start : start + min(size, _TEXT_BYTES)]
        if tag in _WINDOWS_TEXTS:
            self.texts.add(value, "utf-16-le")
        elif tag in _CODED_TEXTS and kind not in _TEXT_KINDS:
            wide = value.startswith(b"UNICODE")
            self.texts.add(value[_CODE_BYTES:], f"utf-16-{self.order[0]}e" if wide else "utf-8")
        elif kind in _TEXT_KINDS:
            self.texts.add(value)
        elif tag == _MAKER_NOTE:
            self.texts.add_readable(value)


def orientation_alone(orientation: int) -> bytes:
    """A whole TIFF block with this one tag, as short as it can be."""
    entry = (_ORIENTATION, 2), (_SHORT, 2), (1, 4), (orientation, 2), (0, 2)
    directory = b"".join(value.to_bytes(width, "big") for value, width in entry)
    return b"MM\0*" + (8).to_bytes(4, "big") + (1).to_bytes(2, "big") + directory + bytes(4)
