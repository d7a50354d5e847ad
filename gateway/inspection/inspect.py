"""One file in, its report and its clean form out. Pure: runs in the worker, and in tests."""

from gateway.inspection import image, mesh, stl
from gateway.inspection.report import MEDIA_TYPES, Kind, Limits, Report, Result


def inspect(kind: Kind, content: bytes, limits: Limits) -> Result:
    """Inspect one file.

    Args:
        kind: What the file claims to be.
        content: All of it.
        limits: How large it may be.

    Raises:
        InspectionError: The file is refused.
    """
    report: Report
    if kind == "scan":
        scan = stl.read(content, limits)
        report, clean = mesh.report(scan), stl.canonical(scan)
    else:
        report, clean = image.inspect_photo(content, limits)
    return Result(report, clean, MEDIA_TYPES[report.format])
