"""Photos: the pixels bit for bit, the right side up, and nothing else.

The container is taken apart and put together by our own readers (`jpeg`, `png`). A decoder sees
only what they let through, as the last check that the clean file can be shown. The photo of a phone
in HEIC is decoded, after its container has been put together anew likewise, and kept as JPEG.
"""

from gateway.inspection.errors import NotAPhotoError
from gateway.inspection.findings import Finding
from gateway.inspection.photos import heic, jpeg, png, sight
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import MEDIA_TYPES, Limits, PhotoReport, Result


def inspect_photo(content: bytes, limits: Limits) -> Result:
    """The report on a photo, the clean photo, its thumbnail, and the texts that were in it.

    Raises:
        NotAPhotoError: None of the formats that are taken.
        UnreadablePhotoError: A damaged one.
        TooManyPixelsError: Found before anything is decoded.
    """
    photo = _strip(content, limits)
    seen = sight.look(photo)
    report = PhotoReport(
        format=photo.format,
        width_px=photo.width_px,
        height_px=photo.height_px,
        orientation=photo.orientation,
        removed=tuple(sorted(photo.removed)),
        findings=(
            *((Finding("re_encoded", heic.QUALITY),) if photo.format == "heic" else ()),
            *((Finding("colour_profile_removed", 1),) if photo.space is None else ()),
            *seen.findings,
        ),
    )
    texts = tuple(photo.texts.pieces)
    return Result(report, photo.clean, MEDIA_TYPES[report.format], seen.thumbnail, texts)


def _strip(content: bytes, limits: Limits) -> Photo:
    if content.startswith(jpeg.START):
        return jpeg.strip(content, limits)
    if content.startswith(png.START):
        return png.strip(content, limits)
    if heic.is_heic(content):
        return heic.convert(content, limits)
    raise NotAPhotoError
