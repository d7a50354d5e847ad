"""What a worker answers is data: checked here, believed nowhere.

A worker may have been taken over by the file that it read. So its answer is held against the types
of `report` and `errors`, its sizes against the file, and it brings no sentences of its own.
"""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from gateway.inspection.errors import PROBLEMS, InspectionCrashedError, InspectionError
from gateway.inspection.report import (
    MEDIA_TYPES,
    Confinement,
    Kind,
    PhotoReport,
    Report,
    Result,
    ScanReport,
)

ANSWER_BYTES = 1 << 16  # of the frame without the clean file; one is about 1 kB
_SURPLUS_BYTES = 1 << 12  # a clean file is not larger than what came in, but for new headers
_LARGEST_NUMBER = 2**53  # what JSON carries exactly (RFC 8259, section 6)
_STL_HEADER_BYTES, _STL_TRIANGLE_BYTES = 84, 50
_SIGNATURES = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A report, and how long the clean file is that follows it."""

    report: Annotated[ScanReport | PhotoReport, Field(discriminator="kind")]
    bytes: int


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


def read_answer(frame: bytes, kind: Kind, content_bytes: int) -> Accepted:
    """Read the first part of an answer.

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
        or not 0 < answer.bytes <= content_bytes + _SURPLUS_BYTES
        or not _is_plain(answer.report.to_json())
    ):
        raise InspectionCrashedError("answer")
    return answer


def read_result(accepted: Accepted, clean: bytes) -> Result:
    """Put the two parts together.

    Raises:
        InspectionCrashedError: The clean file is not what the report speaks of.
    """
    report = accepted.report
    if isinstance(report, ScanReport):
        expected = _STL_HEADER_BYTES + _STL_TRIANGLE_BYTES * report.triangles
        fits = len(clean) == expected and not any(clean[: _STL_HEADER_BYTES - 4])
    else:
        fits = clean.startswith(_SIGNATURES[report.format])
    if not fits:
        raise InspectionCrashedError("answer")
    return Result(report, clean, MEDIA_TYPES[report.format])


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
