"""What is left of a photo when its container has been taken apart."""

from dataclasses import dataclass, field
from typing import Literal

from gateway.inspection.errors import TooManyPixelsError
from gateway.inspection.exif import UPRIGHT, read_exif
from gateway.inspection.report import Limits, Removed

_COMMON_PROFILE = b"sRGB", "sRGB".encode("utf-16-be")  # as ICC 2 and ICC 4 write its name


@dataclass(slots=True)
class Photo:
    """Filled in by the reader of a format as it goes through the file.

    Attributes:
        format: The coding.
        width_px: As stored, 0 until the frame header has been read.
        height_px: Likewise.
        orientation: Of the first Exif block.
        removed: Kinds of metadata that were met and left out.
        profile: The ICC profile that was left out, or what there was of it.
        clean: The file without them.
    """

    format: Literal["jpeg", "png"]
    width_px: int = 0
    height_px: int = 0
    orientation: int = UPRIGHT
    removed: set[Removed] = field(default_factory=set)
    profile: bytearray = field(default_factory=bytearray)
    clean: bytes = b""

    def measure(self, width_px: int, height_px: int, limits: Limits) -> None:
        """Take the size, before anything of it is decoded.

        Raises:
            TooManyPixelsError: It is above the limit.
        """
        if width_px * height_px > limits.pixels:
            raise TooManyPixelsError(width_px=width_px, height_px=height_px, limit_px=limits.pixels)
        self.width_px, self.height_px = width_px, height_px

    def drop_exif(self, tiff: bytes) -> None:
        """Keep the orientation of an Exif block; of several blocks the first one counts."""
        exif = read_exif(tiff)
        if "exif" not in self.removed:
            self.orientation = exif.orientation
        self.removed.add("exif")
        if exif.has_gps:
            self.removed.add("gps")

    @property
    def colours_changed(self) -> bool:
        """Whether colours may look different without the profile: it was not the sRGB one."""
        return bool(self.profile) and not any(name in self.profile for name in _COMMON_PROFILE)
