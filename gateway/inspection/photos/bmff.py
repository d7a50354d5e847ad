"""Boxes of the ISO base media file format (ISO 14496-12), and the items of a HEIF (ISO 23008-12).

A walk of our own, before any decoder sees the file: each box lies inside the one around it, counts
are held against limits before anything is built from them, an item is where the file has bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.inspection.errors import UnreadablePhotoError

_MOST_BOXES = 1 << 13  # in one box; the properties of a photo in 200 tiles are fewer than 20
_MOST_ITEMS = 1000  # tiles, thumbnails, metadata; libheif's own limit
_MOST_EXTENTS = 64  # pieces that one item lies in
_MOST_META_BYTES = 1 << 22  # of all that describes the items
_HEADER_BYTES, _LONG_HEADER_BYTES = 8, 16
_IN_FILE, _IN_META = 0, 1  # construction methods of iloc


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its kind, its content, and where that begins in the file."""

    kind: bytes
    body: bytes = field(repr=False)
    start: int


class Reader:
    """Numbers one after the other; reading over the end is damage."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self.position = 0

    def number(self, width: int) -> int:
        """The next bytes as one number, 0 if there are none to be read."""
        return int.from_bytes(self.take(width), "big")

    def take(self, width: int) -> bytes:
        """The next bytes.

        Raises:
            UnreadablePhotoError: There are fewer.
        """
        end = self.position + width
        if end > len(self._box.body):
            raise UnreadablePhotoError("structure", offset=self._box.start + self.position)
        taken = self._box.body[self.position : end]
        self.position = end
        return taken

    def rest(self) -> Box:
        """What was not read yet."""
        body = self._box.body[self.position :]
        return Box(self._box.kind, body, self._box.start + self.position)


@dataclass(slots=True)
class Item:
    """One item of a HEIF: a picture, a tile of one, or something about it.

    Attributes:
        kind: Four letters, such as `hvc1` or `Exif`.
        label: Its name, and of `mime` its type.
        extents: Offset and length of its pieces, in the file or in `idat`.
        in_meta: Whether they count from the beginning of `idat`.
        properties: Numbers of its properties from 1, in order, and whether each is essential.
    """

    kind: bytes
    label: bytes = field(default=b"", repr=False)
    extents: list[tuple[int, int]] = field(default_factory=list)
    in_meta: bool = False
    properties: list[tuple[int, bool]] = field(default_factory=list)


@dataclass(slots=True)
class Heif:
    """The items of a file.

    Attributes:
        content: The file.
        idat: Where items lie that are kept in the box of metadata itself.
        primary: Number of the item to be shown.
        items: By their numbers.
        properties: All that items share, the first one is number 1.
        references: Kind, from which item, to which ones.
        others: Further boxes at the top of the file.
        left_bytes: How much may still be read: items that lie over one another could be longer
            together than any memory.
    """

    content: bytes = field(repr=False)
    idat: bytes = field(default=b"", repr=False)
    primary: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    properties: list[Box] = field(default_factory=list)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    others: list[Box] = field(default_factory=list)
    left_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.left_bytes = 2 * len(self.content)

    def read_item(self, item: Item) -> bytes:
        """The bytes of an item, none if that is what it says.

        Raises:
            UnreadablePhotoError: It lies outside the file, or claims more than there is.
        """
        source = self.idat if item.in_meta else self.content
        self.left_bytes -= sum(length for _, length in item.extents)
        if self.left_bytes < 0:
            raise UnreadablePhotoError("structure", offset=0)
        for offset, length in item.extents:
            if offset + length > len(source):
                raise UnreadablePhotoError("cut_short", actual_bytes=len(self.content))
        return b"".join(source[offset : offset + length] for offset, length in item.extents)


def boxes(parent: Box) -> Iterator[Box]:
    """The boxes that lie in another one, and fill it.

    Raises:
        UnreadablePhotoError: One of them is larger than what it lies in, or there are too many.
    """
    position, body = 0, parent.body
    for _ in range(_MOST_BOXES):
        if position == len(body):
            return
        size = int.from_bytes(body[position : position + 4], "big")
        kind, header = body[position + 4 : position + 8], _HEADER_BYTES
        if size == 1:
            size, header = (
                int.from_bytes(body[position + 8 : position + 16], "big"),
                _LONG_HEADER_BYTES,
            )
        elif size == 0 and kind == b"mdat":  # to the end
            size = len(body) - position
        if not header <= size <= len(body) - position:
            raise UnreadablePhotoError("structure", offset=parent.start + position)
        start = position + header
        yield Box(kind, body[start : position + size], parent.start + start)
        position += size
    raise UnreadablePhotoError("structure", offset=parent.start + position)


def read_heif(content: bytes) -> Heif:
    """The items of a HEIF, not yet their content.

    Raises:
        UnreadablePhotoError: The boxes are not what the standard says.
    """
    heif = Heif(content)
    metas: list[Box] = []
    for box in boxes(Box(b"", content, 0)):
        (metas if box.kind == b"meta" else heif.others).append(box)
    if len(metas) != 1 or len(metas[0].body) > _MOST_META_BYTES:
        raise UnreadablePhotoError("structure", offset=metas[-1].start if metas else 0)
    _version(reader := Reader(metas[0]))
    parts = {box.kind: box for box in boxes(reader.rest())}
    heif.idat = parts[b"idat"].body if b"idat" in parts else b""
    try:
        heif.primary = _primary(parts[b"pitm"])
        _read_kinds(heif, parts[b"iinf"])
        _read_places(heif, parts[b"iloc"])
        _read_properties(heif, parts[b"iprp"])
    except KeyError:
        raise UnreadablePhotoError("structure", offset=metas[0].start) from None
    if b"iref" in parts:
        _read_references(heif, parts[b"iref"])
    return heif


def _version(reader: Reader) -> tuple[int, int]:
    """Version and flags of a full box."""
    return reader.number(1), reader.number(3)


def _bounded(count: int, most: int, box: Box) -> int:
    if count > most:
        raise UnreadablePhotoError("structure", offset=box.start)
    return count


def _primary(box: Box) -> int:
    version, _ = _version(reader := Reader(box))
    return reader.number(4 if version else 2)


def _read_kinds(heif: Heif, box: Box) -> None:
    """ISO 14496-12, 8.11.6."""
    version, _ = _version(reader := Reader(box))
    _bounded(reader.number(4 if version else 2), _MOST_ITEMS, box)
    for entry in boxes(reader.rest()):
        version, _ = _version(reader := Reader(entry))
        if entry.kind != b"infe" or version not in {2, 3}:
            raise UnreadablePhotoError("coding")
        number, protection = reader.number(2 if version == 2 else 4), reader.number(2)  # noqa: PLR2004
        if protection:
            raise UnreadablePhotoError("coding")
        heif.items[number] = Item(reader.take(4), reader.rest().body)
        _bounded(len(heif.items), _MOST_ITEMS, entry)


def _read_places(heif: Heif, box: Box) -> None:
    """ISO 14496-12, 8.11.3."""
    version, _ = _version(reader := Reader(box))
    widths = [digit for byte in reader.take(2) for digit in divmod(byte, 16)]
    offset_width, length_width, base_width, index_width = widths
    wide = 4 if version == 2 else 2  # noqa: PLR2004
    for _ in range(_bounded(reader.number(wide), _MOST_ITEMS, box)):
        number = reader.number(wide)
        method = reader.number(2) & 0x0F if version else _IN_FILE
        elsewhere, base = reader.number(2), reader.number(base_width)
        extents = []
        for _ in range(_bounded(reader.number(2), _MOST_EXTENTS, box)):
            reader.take(index_width if version else 0)
            offset = base + reader.number(offset_width)
            extents.append((offset, reader.number(length_width)))
        if item := heif.items.get(number):
            if elsewhere or method not in {_IN_FILE, _IN_META}:
                raise UnreadablePhotoError("coding")
            item.extents, item.in_meta = extents, method == _IN_META


def _read_properties(heif: Heif, box: Box) -> None:
    """ISO 23008-12, 9.3: the properties, then which item has which."""
    containers = {part.kind: part for part in boxes(box)}
    heif.properties = list(boxes(containers[b"ipco"]))
    version, flags = _version(reader := Reader(containers[b"ipma"]))
    width = 2 if flags & 1 else 1
    for _ in range(_bounded(reader.number(4), _MOST_ITEMS, box)):
        item = heif.items.get(reader.number(4 if version else 2))
        for _ in range(reader.number(1)):
            value = reader.number(width)
            essential = 1 << (8 * width - 1)
            number = value & (essential - 1)
            if number > len(heif.properties):
                raise UnreadablePhotoError("structure", offset=box.start)
            if item and number:
                item.properties.append((number, bool(value & essential)))


def _read_references(heif: Heif, box: Box) -> None:
    """ISO 14496-12, 8.11.12."""
    version, _ = _version(reader := Reader(box))
    width = 4 if version else 2
    for entry in boxes(reader.rest()):
        reader = Reader(entry)
        source = reader.number(width)
        count = _bounded(reader.number(2), _MOST_ITEMS, entry)
        heif.references.append((entry.kind, source, [reader.number(width) for _ in range(count)]))
