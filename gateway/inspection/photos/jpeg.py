"""JPEG (ITU-T T.81), taken apart into segments and put together without what identifies.

What decodes the pixels is kept byte for byte: tables, frame and scan headers, entropy-coded data.
A table that no scan uses, because none names its slot or another takes its place before, goes.
Of the application segments four are built anew, because they change how the pixels look: JFIF and
Adobe (which colour transform), Exif (which side is up) and the colour profile. The rest goes, and
everything behind the end of the image.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from gateway.inspection.errors import UnreadablePhotoError
from gateway.inspection.photos.exif import UPRIGHT, orientation_alone
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import Limits, Removed

START = b"\xff\xd8"
_END = b"\xff\xd9"
_EOI, _SOS, _DHT, _DQT, _DRI = 0xD9, 0xDA, 0xC4, 0xDB, 0xDD
_SHOWN = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive, Huffman: what browsers show
_FRAMES = set(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC}
_APP0, _APP1, _APP2, _APP11, _APP13, _APP14 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE
_COMMENT = 0xFE
_FOREIGN = range(_APP0, _COMMENT + 1)  # application segments, JPG0 to JPG13, comments
_MOST_SEGMENTS = 1 << 14  # a long XMP has hundreds
_MOST_SCANS = 64  # of a progressive photo about ten; a decoder goes over all pixels for each
_MOST_TABLES = 1 << 10  # of a progressive photo some dozens
_FRAME_BYTES = 6  # in front of three for each component
_FIRST_TABLE = _FRAME_BYTES + 2  # the third byte of a component: its quantisation table
_SAMPLE_BITS = 8
_COMPONENTS = {1, 3, 4}
_QUANTISERS = 64
_MOST_CODES = 256
_CODES_FROM = 17  # of a Huffman table: its slot, and how many codes there are of 1 to 16 bits
_AC = 0x10
_SLOTS = {_DQT: {*range(4)}, _DHT: {*range(4), *range(_AC, _AC + 4)}}
_JFIF = b"JFIF\0"
_JFIF_ALONE = _JFIF + b"\1\1\0\0\1\0\1\0\0"  # version 1.01, square pixels, no thumbnail
_ADOBE = b"Adobe"
_ADOBE_BYTES = 12
_EXIF = b"Exif\0"
_ICC = b"ICC_PROFILE\0"
_ICC_HEADER = len(_ICC) + 2  # which part of how many
_IPTC = b"Photoshop 3.0\0"
_MOST_RECORDS = 500
_XMP = b"http://ns.adobe.com/"
_KINDS: tuple[tuple[int, bytes, Removed], ...] = (
    (_APP0, b"JFXX\0", "thumbnail"),
    (_APP1, _XMP, "xmp"),
    (_APP2, b"MPF\0", "more_pictures"),
    (_APP11, b"JP", "provenance"),  # JUMBF (ISO 19566-5), in which C2PA signs who made it
    (_APP13, _IPTC, "iptc"),
    (_COMMENT, b"", "comment"),
)
# In entropy-coded data FF is followed by 00 or a restart marker; in front of other markers FF may
# be repeated, which is padding.
_FILL = 0xFF
_BLOCK_BYTES = 1 << 18
_PADDING = re.compile(rb"\xff+")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_Slot = tuple[int, int]  # the marker and the number, in a Huffman table with its class in front
_Tables = dict[_Slot, bytes]  # what is kept of one segment, in its order


def strip(content: bytes, limits: Limits) -> Photo:
    """Read a JPEG to its end and keep what makes the picture.

    Raises:
        UnreadablePhotoError: It is damaged, cut short, or coded as browsers do not show.
        TooManyPixelsError: The frame header says so.
    """
    jpeg = _Jpeg(Photo("jpeg"), limits)
    position = len(START)
    for _ in range(_MOST_SEGMENTS):
        marker, position = _marker(content, position)
        if marker == _EOI:
            break
        payload = _payload(content, position)
        jpeg.take(marker, payload, position)
        position += 2 + len(payload)
        if marker == _SOS:
            end = _end_of_scan(content, position)
            padded = content[end - 1] == _FILL
            coded = memoryview(content)[position:end]
            jpeg.kept.append(bytes(coded).rstrip(b"\xff") if padded else coded)
            position = end
    else:
        raise UnreadablePhotoError("structure", offset=position)
    if position < len(content):
        jpeg.photo.removed.add("trailer")
        jpeg.photo.texts.add_readable(content[position:])
    return jpeg.finish(position)


def _end_of_scan(content: bytes, position: int) -> int:
    """Where the entropy-coded data that begins at a position is followed by a marker.

    Nearly every FF in it has a 00 behind it, and there is one in a hundred bytes. So it is not
    searched for them: blocks in which each of them has it are passed over as a whole.
    """
    codes = np.frombuffer(content, np.uint8)
    for start in range(position, len(content), _BLOCK_BYTES):
        block = codes[start : start + _BLOCK_BYTES + 1]  # a marker may lie across the border
        markers = (block[:-1] == _FILL) & (block[1:] != 0)
        if markers.any():
            first = start + int(markers.argmax())
            end = _AFTER_SCAN.search(content, first, start + len(block))
            if end:
                return end.start()
    raise UnreadablePhotoError("cut_short", actual_bytes=len(content))


def _marker(content: bytes, position: int) -> tuple[int, int]:
    """The marker at a position, and where it ends."""
    padding = _PADDING.match(content, position)
    end = padding.end() if padding else position
    if end >= len(content):
        raise UnreadablePhotoError("cut_short", actual_bytes=len(content))
    if end == position:
        raise UnreadablePhotoError("structure", offset=position)
    return content[end], end + 1


def _payload(content: bytes, position: int) -> bytes:
    length = int.from_bytes(content[position : position + 2], "big")
    if position + max(2, length) > len(content):
        raise UnreadablePhotoError("cut_short", actual_bytes=len(content))
    if length < 2:  # noqa: PLR2004 - the length counts its own two bytes
        raise UnreadablePhotoError("structure", offset=position)
    return content[position + 2 : position + length]


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def _tables(marker: int, payload: bytes, position: int) -> Iterator[tuple[_Slot, bytes]]:
    """The tables of a segment, each with its slot (T.81 B.2.4.1 and B.2.4.2)."""
    rest = memoryview(payload)  # of which a slice is no copy
    while rest:
        first = rest[0]
        if marker == _DQT:  # in front of the slot, whether an element has one byte or two
            number, wide = first & 0xF, first >> 4
            sound, length = wide <= 1, 1 + _QUANTISERS * (1 + wide)
        else:
            codes = sum(rest[1:_CODES_FROM])
            number, sound, length = first, codes <= _MOST_CODES, _CODES_FROM + codes
        if not sound or number not in _SLOTS[marker] or length > len(rest):
            raise UnreadablePhotoError("structure", offset=position)
        yield (marker, number), bytes(rest[:length])
        rest = rest[length:]


def _written(part: bytes | memoryview | _Tables) -> bytes | memoryview:
    if not isinstance(part, dict):
        return part
    return _segment(next(iter(part))[0], b"".join(part.values())) if part else b""


@dataclass(slots=True)
class _Jpeg:
    photo: Photo
    limits: Limits
    jfif: bytes = b""
    adobe: bytes = b""
    kept: list[bytes | memoryview | _Tables] = field(default_factory=list)
    unused: dict[_Slot, _Tables] = field(default_factory=dict)
    quantised_by: set[_Slot] = field(default_factory=set)
    scans: int = 0
    tables: int = 0

    def take(self, marker: int, payload: bytes, position: int) -> None:
        """Keep a segment, keep what matters of it, or leave it out."""
        if marker in _FOREIGN:
            self._leave_out(marker, payload)
            return
        if marker in _SLOTS:
            self._take_tables(marker, payload, position)
            return
        if marker in _FRAMES:
            self._measure(marker, payload, position)
        elif marker == _SOS and self.scans < _MOST_SCANS:
            self.scans += 1
            self._use_tables(payload)
        elif marker != _DRI:
            raise UnreadablePhotoError("structure", offset=position)
        if marker == _SOS and not self.photo.width_px:
            raise UnreadablePhotoError("structure", offset=position)
        self.kept.append(_segment(marker, payload))

    def finish(self, position: int) -> Photo:
        """Put the clean file together."""
        if not self.scans:
            raise UnreadablePhotoError("structure", offset=position)
        for slot in tuple(self.unused):
            self._drop_unused(slot)
        exif = b""
        if self.photo.orientation != UPRIGHT:
            exif = _segment(_APP1, _EXIF + b"\0" + orientation_alone(self.photo.orientation))
        profile = self.photo.replace_profile()
        icc = _segment(_APP2, _ICC + b"\1\1" + profile) if profile else b""
        kept = map(_written, self.kept)
        self.photo.clean = b"".join((START, self.jfif, exif, icc, self.adobe, *kept, _END))
        return self.photo

    def _take_tables(self, marker: int, payload: bytes, position: int) -> None:
        segment: _Tables = {}
        self.kept.append(segment)
        for slot, table in _tables(marker, payload, position):
            self.tables += 1
            if self.tables > _MOST_TABLES:
                raise UnreadablePhotoError("structure", offset=position)
            self._drop_unused(slot)
            segment[slot] = table
            self.unused[slot] = segment

    def _use_tables(self, scan: bytes) -> None:
        # T.81 B.2.3: between the number of components and the last three bytes, the name of each
        # component, and its tables for DC and AC, half a byte each.
        selectors = scan[2:-3:2]
        dc = {(_DHT, selector >> 4) for selector in selectors}
        ac = {(_DHT, _AC | selector & 0xF) for selector in selectors}
        for slot in self.quantised_by | dc | ac:
            self.unused.pop(slot, None)

    def _drop_unused(self, slot: _Slot) -> None:
        segment = self.unused.pop(slot, None)
        if segment:
            self._drop("application", segment.pop(slot))

    def _measure(self, marker: int, payload: bytes, position: int) -> None:
        if marker not in _SHOWN:
            raise UnreadablePhotoError("coding")
        if self.photo.width_px or len(payload) < _FRAME_BYTES:
            raise UnreadablePhotoError("structure", offset=position)
        # T.81 B.2.2: sample bits, lines, samples per line, components with three bytes each.
        bits, *size, components = payload[:_FRAME_BYTES]
        height, width = (int.from_bytes(size[at : at + 2], "big") for at in (0, 2))
        if not width or len(payload) != _FRAME_BYTES + 3 * components:
            raise UnreadablePhotoError("structure", offset=position)
        if bits != _SAMPLE_BITS or components not in _COMPONENTS or not height:
            raise UnreadablePhotoError("coding")
        self.photo.measure(width, height, self.limits)
        self.quantised_by = {(_DQT, number) for number in payload[_FIRST_TABLE::3]}

    def _leave_out(self, marker: int, payload: bytes) -> None:
        if marker == _APP0 and payload.startswith(_JFIF):
            self.jfif = _segment(_APP0, _JFIF_ALONE)
            if len(payload) > len(_JFIF_ALONE):
                self.photo.removed.add("thumbnail")
        elif marker == _APP14 and payload.startswith(_ADOBE) and len(payload) >= _ADOBE_BYTES:
            transform = payload[_ADOBE_BYTES - 1 : _ADOBE_BYTES]
            self.adobe = _segment(_APP14, _ADOBE + b"\0\x64\0\0\0\0" + transform)
        elif marker == _APP1 and payload.startswith(_EXIF):
            self.photo.drop_exif(payload[len(_EXIF) + 1 :])
        elif marker == _APP2 and payload.startswith(_ICC):
            self.photo.drop_profile(payload[_ICC_HEADER:])
        else:
            kinds = (
                kind for at, start, kind in _KINDS if at == marker and payload.startswith(start)
            )
            self._drop(next(kinds, "application"), payload)

    def _drop(self, kind: Removed, payload: bytes) -> None:
        self.photo.removed.add(kind)
        texts = self.photo.texts
        if kind == "comment":
            texts.add(payload)
        elif kind == "xmp":
            texts.add(payload.partition(b"\0")[2])
        elif kind == "iptc":
            # IIM 4.1, 1.6: each record is 1C, two numbers, a length in two bytes, and its text.
            for record in payload.split(b"\x1c", _MOST_RECORDS)[1:]:
                texts.add(record[4:])
        else:
            texts.add_readable(payload)
