"""HEIC (ISO 23008-12 with HEVC): what phones take photos in, and browsers do not show.

It is decoded and kept as JPEG, which the report says. The decoder (libheif) never sees what was
sent: the picture to be shown, the tiles that it is made of and the properties that change how it
looks are written into a new file, and that one is decoded. Names, Exif, other pictures, depth and
thumbnails are not in it. Turning and mirroring are properties of the picture here; an orientation
in its Exif is a note for others, and does not count (ISO 23008-12, 6.5.10).
"""

import io
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from gateway.inspection.errors import NotAPhotoError, UnreadablePhotoError
from gateway.inspection.photos.bmff import Box, Heif, Item, Reader, read_heif
from gateway.inspection.photos.colour import Space
from gateway.inspection.photos.exif import UPRIGHT
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import Limits

try:
    import pillow_heif
except ImportError:  # the extra `heic` is not installed
    pillow_heif = None  # type: ignore[assignment]

QUALITY: Final = 95  # of the JPEG, with colour at full resolution: no loss to be seen at any zoom
_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
_BRANDS_BYTES = 256
_TILE, _GRID = b"hvc1", b"grid"
_SHOWN = {b"hvcC", b"ispe", b"pixi", b"irot", b"imir", b"clap", b"colr"}
_PROFILES = {b"prof", b"rICC"}
_NUMBERS = b"nclx"
# Colour primaries of ITU-T H.273; 2: not said.
_SPACES: dict[int, Space] = {1: "srgb", 2: "srgb", 12: "display_p3"}
_CURVES = {1, 2, 6, 13, 14, 15}  # as bright as sRGB; not so PQ and HLG
_MORE_PICTURES = {_TILE, _GRID, b"iden", b"iovl", b"jpeg", b"av01", b"tmap"}
_CONTAINERS = {b"ftyp", b"mdat", b"free", b"skip"}


def is_heic(content: bytes) -> bool:
    """Whether the first box says that it is one."""
    size = min(int.from_bytes(content[:4], "big"), _BRANDS_BYTES)
    brands = {content[8:12], *(content[at : at + 4] for at in range(16, size, 4))}
    return content[4:8] == b"ftyp" and bool(brands & _BRANDS)


def convert(content: bytes, limits: Limits) -> Photo:
    """Read a HEIC, and put its picture into a JPEG, upright.

    Raises:
        NotAPhotoError: It holds something else than a photo in HEVC, or HEIC cannot be read here.
        UnreadablePhotoError: It is damaged, cut short, or uses what is not known here.
        TooManyPixelsError: Its description says so.
    """
    if pillow_heif is None:
        raise NotAPhotoError("no_heic")
    heif = read_heif(content)
    photo = Photo("heic")
    picture = _Picture(heif, limits)
    picture.take(photo)
    _leave_out(heif, picture.items, photo)
    photo.orientation = UPRIGHT  # whatever its Exif said
    decoded = _decode(picture.rebuilt())
    photo.measure(*decoded.size, limits)
    with io.BytesIO() as file:
        profile = photo.replace_profile()
        decoded.save(file, "JPEG", quality=QUALITY, subsampling=0, icc_profile=profile or None)
        photo.clean = file.getvalue()
    return photo


def _decode(content: bytes) -> Image.Image:
    pillow_heif.options.DECODE_THREADS = 1  # memory is counted; its library takes one at least
    try:
        decoded = pillow_heif.open_heif(content).to_pillow()
    except MemoryError:
        raise
    except Exception as error:
        # It counts its memory against the size that the file declares: beyond that the file lies.
        if "Memory allocation" in str(error) and "Security limit" not in str(error):
            raise MemoryError from error
        raise UnreadablePhotoError("pixels") from error
    decoded.info.clear()  # what the decoder remembers must not be written
    return decoded if decoded.mode in {"L", "RGB"} else decoded.convert("RGB")


@dataclass(slots=True)
class _Picture:
    """What is to be shown: one item, or a grid and its tiles."""

    heif: Heif
    limits: Limits
    items: dict[int, Item] = field(default_factory=dict)
    tiles: list[int] = field(default_factory=list)

    def take(self, photo: Photo) -> None:
        """Find the items, and hold what they say of their size against the limit."""
        heif = self.heif
        primary = heif.items.get(heif.primary)
        if primary is None or primary.kind not in {_TILE, _GRID}:
            raise NotAPhotoError
        self.items[heif.primary] = primary
        photo.measure(*self._size(primary), self.limits)
        if primary.kind == _GRID:
            self._take_tiles(primary, photo)
        for item in self.items.values():
            self._take_colours(item, photo)

    def _take_tiles(self, grid: Item, photo: Photo) -> None:
        """ISO 23008-12, 6.6.2.3.2: rows and columns of tiles of one size, and the size cut out."""
        reader = Reader(Box(_GRID, self.heif.read_item(grid), 0))
        _, flags = reader.number(1), reader.number(1)
        rows, columns = reader.number(1) + 1, reader.number(1) + 1
        size = tuple(reader.number(4 if flags & 1 else 2) for _ in "wh")
        named = [
            tiles
            for kind, source, tiles in self.heif.references
            if kind == b"dimg" and source == self.heif.primary
        ]
        self.tiles = named[0] if len(named) == 1 else []
        tiles = {number: self.heif.items.get(number) for number in self.tiles}
        for number, tile in tiles.items():
            if tile is None or tile.kind != _TILE:
                raise UnreadablePhotoError("coding")
            self.items[number] = tile
        sizes = {self._size(tile) for tile in tiles.values() if tile}
        if len(self.tiles) != rows * columns or len(sizes) != 1 or size != self._size(grid):
            raise UnreadablePhotoError("structure", offset=0)
        (width, height) = sizes.pop()
        if columns * width < size[0] or rows * height < size[1]:
            raise UnreadablePhotoError("structure", offset=0)
        # Tiles may hang over the rim, or be cut to their size after they are decoded.
        if columns * width * rows * height > 2 * self.limits.pixels:
            photo.measure(columns * width, rows * height, self.limits)

    def _size(self, item: Item) -> tuple[int, int]:
        sizes = [
            (int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big"))
            for kind, body in self._properties(item)
            if kind == b"ispe"
        ]
        if len(sizes) != 1 or not all(sizes[0]):
            raise UnreadablePhotoError("structure", offset=0)
        return sizes[0]

    def _properties(self, item: Item) -> list[tuple[bytes, bytes]]:
        named = (self.heif.properties[number - 1] for number, _ in item.properties)
        return [(box.kind, box.body) for box in named]

    def _take_colours(self, item: Item, photo: Photo) -> None:
        for kind, body in self._properties(item):
            if kind == b"colr" and body[:4] in _PROFILES and not photo.profile:
                photo.drop_profile(body[4:])
            elif kind == b"colr" and body[:4] == _NUMBERS:
                primaries, curve = (int.from_bytes(body[at : at + 2], "big") for at in (4, 6))
                photo.space = _SPACES.get(primaries) if curve in _CURVES else None

    def rebuilt(self) -> bytes:
        """A file with these items alone, numbered anew from 1."""
        heif, numbers = self.heif, {old: new for new, old in enumerate(self.items, 1)}
        contents = [heif.read_item(item) for item in self.items.values()]
        if not all(contents):  # a length of 0 may also be read as all of the file (ISO 14496-12)
            raise UnreadablePhotoError("structure", offset=0)
        kept: dict[int, int] = {}
        associations = [
            _short(numbers[old]) + self._associations(item, kept)
            for old, item in self.items.items()
        ]
        properties = [heif.properties[number - 1] for number in kept]
        kinds = [
            _full(b"infe", 2, 0, _short(numbers[old]), bytes(2), item.kind, b"\0")
            for old, item in self.items.items()
        ]
        tiles = b"".join(_short(numbers[tile]) for tile in self.tiles)
        dimg = _box(b"dimg", _short(numbers[heif.primary]), _short(len(self.tiles)), tiles)
        described = (
            _full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
            _full(b"pitm", 0, 0, _short(numbers[heif.primary])),
            _full(b"iinf", 0, 0, _short(len(kinds)), *kinds),
            _full(b"iref", 0, 0, dimg) if self.tiles else b"",
            _box(
                b"iprp",
                _box(b"ipco", *(_box(box.kind, box.body) for box in properties)),
                _full(b"ipma", 0, 1, len(associations).to_bytes(4, "big"), *associations),
            ),
        )
        brands = _box(b"ftyp", b"heic", bytes(4), b"mif1heic")
        before = len(brands) + len(_full(b"meta", 0, 0, *described, _places(contents, 0))) + 8
        meta = _full(b"meta", 0, 0, *described, _places(contents, before))
        return brands + meta + _box(b"mdat", *contents)

    def _associations(self, item: Item, kept: dict[int, int]) -> bytes:
        """Which of the kept properties an item has; one that must be known and is not, refuses."""
        found = []
        for number, essential in item.properties:
            box = self.heif.properties[number - 1]
            if box.kind in _SHOWN and (box.kind != b"colr" or box.body[:4] == _NUMBERS):
                index = kept.setdefault(number, len(kept) + 1)
                found.append(_short(index | essential << 15))
            elif essential and box.kind != b"colr":
                raise UnreadablePhotoError("coding")
        return bytes((len(found),)) + b"".join(found)


def _leave_out(heif: Heif, kept: dict[int, Item], photo: Photo) -> None:
    thumbnails = {source for kind, source, _ in heif.references if kind == b"thmb"}
    for number, item in heif.items.items():
        photo.texts.add(item.label)
        if item.kind in _MORE_PICTURES and number not in kept:
            photo.removed.add("thumbnail" if number in thumbnails else "more_pictures")
        elif number not in kept:
            _leave_out_item(heif, item, photo)
    for box in heif.properties:
        if box.kind not in _SHOWN:
            photo.texts.add_readable(box.body)
    for box in heif.others:
        if box.kind not in _CONTAINERS:
            photo.removed.add("more_pictures" if box.kind == b"moov" else "application")
            photo.texts.add_readable(box.body)


def _leave_out_item(heif: Heif, item: Item, photo: Photo) -> None:
    content = heif.read_item(item)
    if item.kind == b"Exif":
        # Four bytes in front say how far the block is behind them (ISO 23008-12, A.2.1).
        photo.drop_exif(content[4 + int.from_bytes(content[:4], "big") :])
    else:
        photo.removed.add("xmp" if b"rdf+xml" in item.label else "application")
        photo.texts.add(content)


def _short(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, bytes((version,)), flags.to_bytes(3, "big"), *parts)


def _places(contents: list[bytes], start: int) -> bytes:
    """Where each item lies, one after the other."""
    entries = []
    for number, content in enumerate(contents, 1):
        place = start.to_bytes(4, "big") + len(content).to_bytes(4, "big")
        entries.append(_short(number) + bytes(2) + _short(1) + place)
        start += len(content)
    return _full(b"iloc", 0, 0, b"\x44\0", _short(len(contents)), *entries)
