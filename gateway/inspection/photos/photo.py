"""What is left of a photo when its container has been taken apart."""

from dataclasses import dataclass, field

from gateway.inspection.errors import TooManyPixelsError
from gateway.inspection.photos import colour
from gateway.inspection.photos.exif import UPRIGHT, read_exif
from gateway.inspection.report import Limits, PhotoFormat, Removed
from gateway.inspection.texts import Texts

_MOST_EXIF_BLOCKS = 4  # that are read; text is looked for in the others
_PROFILE_BYTES = 1 << 20


@dataclass(slots=True)
class Photo:
    """Filled in by the reader of a format as it goes through the file.

    Attributes:
        format: The coding.
        width_px: As stored, 0 until the frame header has been read.
        height_px: Likewise.
        orientation: Of the first Exif block.
        removed: Kinds of metadata that were met and left out.
        texts: Free text that was met.
        profile: The ICC profile that was left out, or what there was of it.
        space: What the colours are meant in; None if it is not known.
        clean: The file without them.
    """

    format: PhotoFormat
    width_px: int = 0
    height_px: int = 0
    orientation: int = UPRIGHT
    removed: set[Removed] = field(default_factory=set)
    texts: Texts = field(default_factory=Texts)
    profile: bytearray = field(default_factory=bytearray, repr=False)
    space: colour.Space | None = "srgb"
    clean: bytes = field(default=b"", repr=False)
    exif_blocks: int = 0

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
        self.exif_blocks += 1
        self.removed.add("exif")
        if self.exif_blocks > _MOST_EXIF_BLOCKS:
            self.texts.add_readable(tiff)
            return
        exif = read_exif(tiff, self.texts)
        if self.exif_blocks == 1:
            self.orientation = exif.orientation
        kinds: tuple[tuple[bool, Removed], ...] = (
            (exif.has_gps, "gps"),
            (exif.has_maker_note, "maker_notes"),
            (exif.has_thumbnail, "thumbnail"),
        )
        self.removed |= {kind for met, kind in kinds if met}

    def drop_profile(self, part: bytes) -> None:
        """Take a part of the ICC profile, as far as a profile can be long."""
        self.profile += part[: _PROFILE_BYTES - len(self.profile)]

    def replace_profile(self) -> bytes:
        """Our own profile of the same colours; empty where none is needed or none is known."""
        if self.profile:
            self.space = colour.recognise(bytes(self.profile))
        ours = colour.profile(self.space) if self.space in {"display_p3", "adobe_rgb"} else b""
        if self.profile and self.profile != ours:
            self.removed.add("colour_profile")
            self.texts.add_readable(bytes(self.profile))
        return ours
