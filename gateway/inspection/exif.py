"""The one thing of Exif that is kept: the orientation.

Without it a photo is shown turned or mirrored, and mirrored swaps left and right. Everything else
in Exif (CIPA DC-008: times, places, owners, serial numbers, maker notes) goes.
"""

from dataclasses import dataclass
from typing import Literal

UPRIGHT = 1
_ORIENTATIONS = range(1, 9)
_ORIENTATION_TAG, _GPS_TAG = 0x0112, 0x8825
_SHORT = 3
_ENTRY_BYTES = 12
_BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}


@dataclass(frozen=True, slots=True)
class Exif:
    """What is read of an Exif block."""

    orientation: int = UPRIGHT
    has_gps: bool = False


def read_exif(tiff: bytes) -> Exif:
    """Read the first directory; whatever is malformed counts as not there.

    Args:
        tiff: From the byte-order mark on, without the `Exif` marker of JPEG.
    """
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return Exif()

    def number(start: int, width: int) -> int:
        return int.from_bytes(tiff[start : start + width], order)

    directory = number(4, 4)
    entries = range(directory + 2, len(tiff) - _ENTRY_BYTES + 1, _ENTRY_BYTES)
    orientation, has_gps = UPRIGHT, False
    for entry in entries[: number(directory, 2)]:
        tag, kind, value = number(entry, 2), number(entry + 2, 2), number(entry + 8, 2)
        has_gps |= tag == _GPS_TAG
        if tag == _ORIENTATION_TAG and kind == _SHORT and value in _ORIENTATIONS:
            orientation = value
    return Exif(orientation, has_gps)


def orientation_alone(orientation: int) -> bytes:
    """A whole TIFF block with this one tag, as short as it can be."""
    entry = (_ORIENTATION_TAG, 2), (_SHORT, 2), (1, 4), (orientation, 2), (0, 2)
    directory = b"".join(value.to_bytes(width, "big") for value, width in entry)
    return b"MM\0*" + (8).to_bytes(4, "big") + (1).to_bytes(2, "big") + directory + bytes(4)
