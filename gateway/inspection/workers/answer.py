"""What a worker answers is data: checked here, believed nowhere.

A worker may have been taken over by the file that it read. So its answer is held against the types
of `report` and `errors`, its sizes against the file, and it brings no sentences of its own.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from gateway.inspection.errors import PROBLEMS, InspectionCrashedError, InspectionError
from gateway.inspection.forms import media_type, sizes
from gateway.inspection.report import (
    MEDIA_TYPES,
    TEXTS,
    TEXTS_BYTES,
    THUMBNAIL_BYTES,
    Confinement,
    Kind,
    Limits,
    PhotoReport,
    Report,
    Result,
    ScanReport,
)

ANSWER_BYTES = 1 << 20  # of the frame: the texts, escaped to six times their length, and the report
_SURPLUS_BYTES = 1 << 12  # a clean file is not larger than what came in, but for new headers
_PIXEL_BYTES, _CONVERTED_BYTES = 3, 1 << 27  # of a photo that is kept in another format
_LARGEST_NUMBER = 2**53  # what JSON carries exactly (RFC 8259, section 6)
_JPEG = b"\xff\xd8\xff"
_SIGNATURES = {"jpeg": _JPEG, "png": b"\x89PNG\r\n\x1a\n", "heic": _JPEG}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A report, the texts, and how long the clean file and its picture are that follow it."""

    report: Annotated[ScanReport | PhotoReport, Field(discriminator="kind")]
    bytes: int
    thumbnail_bytes: Annotated[int, Field(ge=0, le=THUMBNAIL_BYTES)]
    texts: Annotated[tuple[str, ...], Field(max_length=TEXTS)] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal by its codes."""

    code: str
    reason: str
    numbers: dict[str, int | float]


_ANSWER: TypeAdapter[Accepted | Refused] = TypeAdapter(Accepted | Refused)
_REPORT: TypeAdapter[ScanReport | PhotoReport] = TypeAdapter(
    Annotated[ScanReport | PhotoReport, Field(discriminator="kind")]
)
_CONFINEMENT = TypeAdapter(Confinement)


def read_report(text: str | bytes) -> Report:
    """A report that was kept as JSON.

    Raises:
        ValueError: It is not one of ours.
    """
    return _REPORT.validate_json(text, strict=True)


def read_confinement(frame: bytes) -> Confinement:
    """Read what a worker says before its job.

    Raises:
        InspectionCrashedError: It is something else.
    """
    try:
        return _CONFINEMENT.validate_json(frame, strict=True)
    except ValidationError as error:
        raise InspectionCrashedError("answer") from error


def read_answer(frame: bytes, kind: Kind, content_bytes: int, limits: Limits) -> Accepted:
    """Read the first part of an answer.

    Args:
        frame: What the worker says.
        kind: What it was asked to inspect.
        content_bytes: How long the file was.
        limits: How large it could be.

    Raises:
        InspectionError: The refusal that it says.
        InspectionCrashedError: It is not an answer to what was asked.
    """
    try:
        answer = _ANSWER.validate_json(frame, strict=True)
    except ValidationError as error:
        raise InspectionCrashedError("answer") from error
    if isinstance(answer, Refused):
        raise _problem(answer)
    if (
        answer.report.kind != kind
        or not _may_follow(answer, content_bytes, limits)
        or sum(len(text.encode()) for text in answer.texts) > TEXTS_BYTES
        or not _is_plain(answer.report.to_json())
    ):
        raise InspectionCrashedError("answer")
    return answer


def read_result(accepted: Accepted, clean: bytes, thumbnail: bytes) -> Result:
    """Put the parts together.

    Raises:
        InspectionCrashedError: The clean file is not what the report speaks of, or the thumbnail
            no JPEG.
    """
    report = accepted.report
    if isinstance(report, ScanReport):
        form: str | None = media_type(clean, report.triangles)
    else:
        form = MEDIA_TYPES[report.format] if clean.startswith(_SIGNATURES[report.format]) else None
    if not form or (thumbnail and not thumbnail.startswith(_JPEG)):
        raise InspectionCrashedError("answer")
    return Result(report, clean, form, thumbnail, accepted.texts)


def _may_follow(answer: Accepted, content_bytes: int, limits: Limits) -> bool:
    """Whether such a report and a clean file of that length can come of a file of this length."""
    report = answer.report
    if isinstance(report, ScanReport):
        # No format has triangles of less than a byte; a clean one is of a fixed size.
        return (
            0 < report.triangles <= min(content_bytes, limits.triangles)
            and answer.bytes in sizes(report.triangles)
            and re.fullmatch("[0-9a-f]{32}", report.same_scan) is not None
        )
    if report.format == "heic":  # decoded and coded anew, so its pixels bound it
        content_bytes = min(_PIXEL_BYTES * report.width_px * report.height_px, _CONVERTED_BYTES)
    return 0 < answer.bytes <= content_bytes + _SURPLUS_BYTES


def _problem(refused: Refused) -> InspectionError:
    try:
        if not _is_plain(refused.numbers):
            raise InspectionCrashedError("answer")
        return PROBLEMS[refused.code](refused.reason, **refused.numbers)
    except (KeyError, TypeError) as error:  # an unknown code, reason or number
        raise InspectionCrashedError("answer") from error


def _is_plain(value: object) -> bool:
    """Whether every number in it is finite and exact."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) < _LARGEST_NUMBER
    return True
