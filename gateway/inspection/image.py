"""Photos: the pixels bit for bit, the right side up, and nothing else.

The container is taken apart and put together by our own readers (`jpeg`, `png`). A decoder sees
only what they let through, as the last check that the clean file can be shown.
"""

import io

from PIL import Image

from gateway.inspection import jpeg, png
from gateway.inspection.errors import NotAPhotoError, UnreadablePhotoError
from gateway.inspection.photo import Photo
from gateway.inspection.report import Finding, Limits, PhotoReport

_DRAFT = 8  # a JPEG is decoded to an eighth of its size: all of its data is read all the same


def inspect_photo(content: bytes, limits: Limits) -> tuple[PhotoReport, bytes]:
    """The report on a photo, and the clean photo.

    Raises:
        NotAPhotoError: Neither a JPEG nor a PNG.
        UnreadablePhotoError: A damaged one.
        TooManyPixelsError: Found before anything is decoded.
    """
    photo = _strip(content, limits)
    _check_that_it_decodes(photo)
    report = PhotoReport(
        format=photo.format,
        width_px=photo.width_px,
        height_px=photo.height_px,
        orientation=photo.orientation,
        removed=tuple(sorted(photo.removed)),
        findings=(Finding("colour_profile_removed", 1),) if photo.colours_changed else (),
    )
    return report, photo.clean


def _strip(content: bytes, limits: Limits) -> Photo:
    if content.startswith(jpeg.START):
        return jpeg.strip(content, limits)
    if content.startswith(png.START):
        return png.strip(content, limits)
    raise NotAPhotoError


def _check_that_it_decodes(photo: Photo) -> None:
    try:
        with Image.open(io.BytesIO(photo.clean), formats=["JPEG", "PNG"]) as picture:
            size = picture.size
            picture.draft(None, (photo.width_px // _DRAFT, photo.height_px // _DRAFT))
            picture.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders raise TypeError, SyntaxError, struct.error and more
        raise UnreadablePhotoError("pixels") from error
    if size != (photo.width_px, photo.height_px):
        raise UnreadablePhotoError("pixels")
