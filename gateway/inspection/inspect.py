"""One file in; its report, clean form and picture out. Pure: runs in the worker, and in tests."""

from collections.abc import Iterable, Iterator

from gateway.inspection.photos import image
from gateway.inspection.report import TEXTS, TEXTS_BYTES, Kind, Limits, Result
from gateway.inspection.scans import canonical
from gateway.inspection.scans.measure import measure
from gateway.inspection.scans.picture import picture
from gateway.inspection.scans.read import read


def inspect(kind: Kind, content: bytes, limits: Limits) -> Result:
    """Inspect one file.

    Args:
        kind: What the file claims to be.
        content: All of it.
        limits: How large it may be.

    Raises:
        InspectionError: The file is refused.
    """
    if kind == "photo":
        return image.inspect_photo(content, limits)
    scan = read(content, limits)
    report, clean = measure(scan), canonical.canonical(scan)
    texts = tuple(_cut(scan.texts))
    return Result(report, clean, canonical.media_type(scan), picture(scan), texts)


def _cut(texts: Iterable[str]) -> Iterator[str]:
    """As much of the texts as an answer may carry."""
    left = TEXTS_BYTES
    for text, _ in zip(texts, range(TEXTS), strict=False):
        encoded = text.encode("utf-8", "replace")[:left]
        left -= len(encoded)
        yield encoded.decode("utf-8", "ignore")
