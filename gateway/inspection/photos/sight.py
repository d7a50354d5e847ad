"""One look at a clean photo: that it decodes, whether it is worth sending, and a small picture.

All from one decode: a JPEG at the smallest of its scales (T.81's blocks of 8 by 8 give 1/8, 1/4,
1/2 for less than the whole) that still has `_SCALE_PX`; its entropy-coded data is read to the end
all the same. The definitions and thresholds are explained in docs/definitions.md.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from gateway.inspection.errors import UnreadablePhotoError
from gateway.inspection.findings import Finding
from gateway.inspection.photos.photo import Photo
from gateway.inspection.photos.tail import END, Source, cut_tail
from gateway.inspection.report import THUMBNAIL_BYTES

_SCALE_PX = 480  # of the longer side: everything is measured on a picture of this size
_TILES = 4  # across and down
_SHARP = 25.0  # variance of the Laplacian, in grey levels squared
_BRIGHT_PART, _BRIGHT_ENOUGH = 95, 64.0  # a percentile, and a grey level
_WHITE, _TOO_WHITE = 250, 0.5  # a grey level, and a share of the picture
_SHORT_SIDE_PX = 600
_THUMBNAIL_PX = 320
_THUMBNAIL_QUALITIES = 80, 60, 40
_TURNS = {  # what undoes an orientation (CIPA DC-008, 4.6.4)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen.

    Attributes:
        findings: Advice on the photo.
        thumbnail: A JPEG, upright, of at most 320 pixels on its longer side; no metadata.
    """

    findings: tuple[Finding, ...]
    thumbnail: bytes


def look(photo: Photo) -> Sight:
    """Decode a clean photo and measure it.

    Raises:
        UnreadablePhotoError: It does not decode, or to another size than its container says.
    """
    picture = _small(decode(photo))
    short_side = min(photo.width_px, photo.height_px)
    findings = (
        *_findings(np.asarray(picture.convert("L"))),
        *((Finding("too_small", short_side),) if short_side < _SHORT_SIDE_PX else ()),
    )
    if photo.orientation in _TURNS:
        picture = picture.transpose(_TURNS[photo.orientation])
    return Sight(findings, _thumbnail(picture))


def decode(photo: Photo) -> Image.Image:
    """The pixels of a clean photo, of a JPEG at a smaller scale and without what follows them.

    Raises:
        UnreadablePhotoError: It does not decode, or to another size than its container says.
    """
    source = Source(photo.clean)
    try:
        with Image.open(source, formats=["JPEG", "PNG"]) as picture:
            size = picture.size
            # The scale is the same in both directions, and none of a thin picture is empty.
            width, height = (max(1, _SCALE_PX * side // max(size)) for side in size)
            picture.draft(None, (width, height))
            if photo.format == "jpeg":
                source.slow_from = len(photo.clean) - len(END)
            picture.load()
            if photo.format == "jpeg":
                cut_tail(photo, source.tell(), picture.decodermaxblock)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise TypeError, SyntaxError, struct.error and more
        raise UnreadablePhotoError("pixels") from error
    if size != (photo.width_px, photo.height_px):
        raise UnreadablePhotoError("pixels")
    return picture


def _small(picture: Image.Image) -> Image.Image:
    """In red, green and blue, of the size for measuring, with what is transparent white."""
    if picture.mode.startswith("I"):  # grey of 16 bits
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    if picture.mode != mode:  # else it would be copied
        picture = picture.convert(mode)
    picture.thumbnail((_SCALE_PX, _SCALE_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if mode == "RGBA":
        picture = Image.alpha_composite(Image.new(mode, picture.size, "white"), picture)
    return picture.convert("RGB")


def _findings(grey: _Grey) -> tuple[Finding, ...]:
    findings = []
    sharpness = _sharpness(grey)
    bright = float(np.percentile(grey, _BRIGHT_PART))
    white = float((grey >= _WHITE).mean())
    if sharpness < _SHARP:
        findings.append(Finding("blurred", round(sharpness)))
    if bright < _BRIGHT_ENOUGH:
        findings.append(Finding("too_dark", round(100 * bright / 255)))
    if white > _TOO_WHITE:
        findings.append(Finding("too_bright", round(100 * white)))
    return tuple(findings)


def _sharpness(grey: _Grey) -> float:
    """The variance of the Laplacian in the tile in which it is largest; 0 for a tiny picture.

    One sharp part is enough: a mirror, lips and background are out of focus in a good photo too.
    """
    level = grey.astype(np.int16)
    middle = level[1:-1, 1:-1]
    across, down = level[1:-1, :-2] + level[1:-1, 2:], level[:-2, 1:-1] + level[2:, 1:-1]
    tiles = (
        tile
        for row in np.array_split(across + down - 4 * middle, _TILES)
        for tile in np.array_split(row, _TILES, axis=1)
    )
    return max((float(tile.var()) for tile in tiles if tile.size), default=0.0)


def _thumbnail(picture: Image.Image) -> bytes:
    """As JPEG; of lower quality where the first one would be too long."""
    picture.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BILINEAR)
    picture.info.clear()  # what the decoder remembers must not be written
    content = b""
    for quality in _THUMBNAIL_QUALITIES:
        with io.BytesIO() as file:
            picture.save(file, "JPEG", quality=quality, optimize=True)
            content = file.getvalue()
        if len(content) <= THUMBNAIL_BYTES:
            break
    return content
