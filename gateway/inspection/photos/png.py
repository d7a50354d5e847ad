"""PNG (W3C PNG, third edition), chunk by chunk with every checksum, kept without what identifies.

Kept byte for byte: header, palette, transparency, the colour space in numbers, the compressed
pixels. The orientation is built anew. Every other chunk goes, frames of an animation too, and so
does what stands behind the last chunk or behind the pixels in their own compressed stream.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.inspection.errors import UnreadablePhotoError
from gateway.inspection.photos.exif import UPRIGHT, orientation_alone
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import Limits, Removed

START = b"\x89PNG\r\n\x1a\n"
# Kept, with the most bytes that each may have.
_LONGEST = {b"PLTE": 768, b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4}
_KINDS: dict[bytes, Removed] = {
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"tIME": "time",
    b"acTL": "animation",
    b"fcTL": "animation",
    b"fdAT": "animation",
    b"caBX": "provenance",  # C2PA
}
_ANCILLARY = 0x20  # the bit in the first letter of a chunk that may be left out
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = (  # first column and row, step across and down, of each pass
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_MOST_CHUNKS = 1 << 16
_PIECE_BYTES = 1 << 16
_PROFILE_BYTES, _TEXT_BYTES = 1 << 20, 1 << 14  # of one of them, inflated


def strip(content: bytes, limits: Limits) -> Photo:
    """Read a PNG to its end and keep what makes the picture.

    Raises:
        UnreadablePhotoError: It is damaged, cut short, or has what no browser knows.
        TooManyPixelsError: The header says so.
    """
    chunks = _chunks(content)
    kind, payload, position = next(chunks)
    if kind != b"IHDR":
        raise UnreadablePhotoError("structure", offset=position)
    png = _Png(Photo("png"), _header(payload, position), [_chunk(kind, payload)])
    png.photo.measure(png.header.width, png.header.height, limits)
    for kind, payload, position in chunks:
        png.take(kind, payload, position)
    return png.photo


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    def inflated_bytes(self) -> int:
        """How long the pixels are once inflated: each row has a filter byte in front."""
        total = 0
        for left, top, across, down in _ADAM7 if self.interlaced else _WHOLE:
            columns = (self.width - left + across - 1) // across
            rows = (self.height - top + down - 1) // down
            row_bits = columns * self.depth * _CHANNELS[self.colour]
            total += rows * (1 + (row_bits + 7) // 8) if columns else 0
        return total


def _header(payload: bytes, position: int) -> _Header:
    if len(payload) != 13:  # noqa: PLR2004 - PNG 11.2.1
        raise UnreadablePhotoError("structure", offset=position)
    width, height = (int.from_bytes(payload[at : at + 4], "big") for at in (0, 4))
    depth, colour, compression, filtering, interlace = payload[8:]
    if not width or not height or depth not in _DEPTHS.get(colour, ()):
        raise UnreadablePhotoError("structure", offset=position)
    if compression or filtering or interlace > 1:
        raise UnreadablePhotoError("coding")
    return _Header(width, height, depth, colour, interlaced=bool(interlace))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Kind, payload and offset of each chunk; the last is IEND, with what follows it."""
    position, kind = len(START), b""
    for _ in range(_MOST_CHUNKS):
        if kind == b"IEND":
            return
        length = int.from_bytes(content[position : position + 4], "big")
        end = position + 12 + length
        if end > len(content):
            raise UnreadablePhotoError("cut_short", actual_bytes=len(content))
        body = content[position + 4 : end - 4]
        if zlib.crc32(body) != int.from_bytes(content[end - 4 : end], "big"):
            raise UnreadablePhotoError("structure", offset=position)
        kind = body[:4]
        yield kind, body[4:] if kind != b"IEND" else content[end:], position
        position = end
    raise UnreadablePhotoError("structure", offset=position)


def _chunk(kind: bytes, payload: bytes) -> bytes:
    body = kind + payload
    return len(payload).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


@dataclass(slots=True)
class _Png:
    photo: Photo
    header: _Header
    kept: list[bytes]
    seen: set[bytes] = field(default_factory=set)
    pixels: bytearray = field(default_factory=bytearray)
    last: bytes = b"IHDR"

    def take(self, kind: bytes, payload: bytes, position: int) -> None:
        """Keep a chunk, keep what matters of it, or leave it out."""
        # PNG 5.6: pixels lie together; what is kept comes once, in front of them.
        if (kind == b"IDAT" and self.pixels and self.last != kind) or (
            kind in _LONGEST and (kind in self.seen or self.pixels or len(payload) > _LONGEST[kind])
        ):
            raise UnreadablePhotoError("structure", offset=position)
        self.seen.add(kind)
        self.last = kind
        if kind == b"IDAT":
            self.pixels += payload
        elif kind in _LONGEST:
            self.kept.append(_chunk(kind, payload))
        elif kind == b"IEND":
            self._finish(payload)
        elif kind[0] & _ANCILLARY:
            self._leave_out(kind, payload)
        else:
            raise UnreadablePhotoError("coding")

    def _leave_out(self, kind: bytes, payload: bytes) -> None:
        if kind == b"eXIf":
            self.photo.drop_exif(payload)
            return
        if kind == b"iCCP":
            name, _, compressed = payload.partition(b"\0")
            self.photo.texts.add(name, "latin-1")
            # What cannot be inflated is still a profile, an unknown one; a second one breaks the
            # rules (PNG 11.3.2.3), and makes the first one unknown.
            known = b"" if self.photo.profile else _inflate(compressed[1:], _PROFILE_BYTES)
            self.photo.profile.clear()
            self.photo.drop_profile(known or name or kind)
            return
        self.photo.removed.add(_KINDS.get(kind, "application"))
        if kind in {b"tEXt", b"zTXt", b"iTXt"}:
            self.photo.texts.add(*_text(kind, payload))
        else:
            self.photo.texts.add_readable(payload)

    def _finish(self, trailer: bytes) -> None:
        pixels = _pixels_alone(self.pixels, self.header.inflated_bytes())
        if trailer or len(pixels) < len(self.pixels):
            self.photo.removed.add("trailer")
            self.photo.texts.add_readable(bytes(self.pixels[len(pixels) :]) + trailer)
        profile = self.photo.replace_profile()
        if profile:
            # In front of the palette, as PNG 5.6 wants it.
            self.kept.insert(1, _chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile, 9)))
        orientation = self.photo.orientation
        if orientation != UPRIGHT:
            self.kept.append(_chunk(b"eXIf", orientation_alone(orientation)))
        ends = _chunk(b"IDAT", pixels), _chunk(b"IEND", b"")
        self.photo.clean = b"".join((START, *self.kept, *ends))


def _pixels_alone(stream: bytearray, inflated_bytes: int) -> bytes:
    """The compressed pixels without what stands behind them in their chunks.

    Inflated piece by piece and thrown away, never beyond the length that the header gives.
    """
    inflater, left = zlib.decompressobj(), inflated_bytes
    with memoryview(stream) as view:
        for start in range(0, len(stream), _PIECE_BYTES):
            piece: bytes | memoryview = view[start : start + _PIECE_BYTES]
            end = start + len(piece)
            while piece and left >= 0 and not inflater.eof:  # at its end the tail stays as it was
                try:
                    left -= len(inflater.decompress(piece, 16 * _PIECE_BYTES))
                except zlib.error:
                    raise UnreadablePhotoError("pixels") from None
                piece = inflater.unconsumed_tail
            if inflater.eof and not left:
                return bytes(view[: end - len(inflater.unused_data)])
    raise UnreadablePhotoError("pixels")


def _text(kind: bytes, payload: bytes) -> tuple[bytes, str]:
    """A text with its keyword, and what it is coded in (PNG 11.3.3)."""
    keyword, _, rest = payload.partition(b"\0")
    if kind == b"tEXt":
        return keyword + b" " + rest, "latin-1"
    if kind == b"zTXt":
        return keyword + b" " + _inflate(rest[1:], _TEXT_BYTES), "latin-1"
    language, _, text = rest[2:].partition(b"\0")
    translated, _, text = text.partition(b"\0")
    text = _inflate(text, _TEXT_BYTES) if rest[:1] == b"\1" else text
    return b" ".join((keyword, language, translated, text)), "utf-8"


def _inflate(compressed: bytes, most: int) -> bytes:
    """A profile or text as far as it can be read."""
    try:
        return zlib.decompressobj().decompress(compressed, most)
    except zlib.error:
        return b""
