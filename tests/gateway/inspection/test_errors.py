from __future__ import annotations

import json
import string
from typing import get_args

import pytest

from gateway.inspection.errors import PROBLEMS, InspectionCrashedError, InspectionError, Words
from gateway.inspection.findings import FINDINGS, Finding, FindingCode
from gateway.inspection.inspect import inspect
from gateway.inspection.report import Limits, Report, Result, ScanReport
from gateway.inspection.workers.answer import ANSWER_BYTES, read_answer, read_result
from tests.scans import binary_stl, cube, jpeg


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def all_words() -> list[Words]:
    reasons = [words for problem in PROBLEMS.values() for words in problem.reasons.values()]
    return [*reasons, *(meaning.words for meaning in FINDINGS.values())]


def test_every_problem_has_a_code_of_its_own() -> None:
    assert len(PROBLEMS) == len(InspectionError.__subclasses__()) == 13


@pytest.mark.parametrize("words", all_words(), ids=lambda words: words.en[:30])
def test_both_languages_say_the_same_numbers(words: Words) -> None:
    assert fields(words.en) == fields(words.nl)
    assert words.en != words.nl


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_says_what_happened_and_what_to_do_in_both_languages(code: str) -> None:
    for reason, words in PROBLEMS[code].reasons.items():
        numbers = dict.fromkeys(fields(words.en), 7)
        error = PROBLEMS[code](reason, **numbers)
        assert str(error) == error.message_en
        assert all("{" not in text for text in (error.message_en, error.message_nl))
        assert error.remedy.endswith(".")
        assert error.remedy_nl.endswith(".")


def test_every_finding_has_its_words() -> None:
    assert set(get_args(FindingCode)) == set(FINDINGS)
    finding = Finding("hole", 14.23, ((1.0, 2.0, 3.0),), "left")
    assert finding.to_json() == {
        "code": "hole",
        "severity": "warning",
        "number": 14.23,
        "unit": "mm2",
        "places": ((1.0, 2.0, 3.0),),
        "region": "left",
        "message_en": "Hole of 14 mm² in the surface on the left of the picture: "
        "rescan that place.",
        "message_nl": "Gat van 14 mm² in het oppervlak links op de afbeelding: "
        "scan die plek opnieuw.",
    }
    assert "0,75 mm" in Finding("coarse", 0.75).message_nl
    assert " 1200000 mm " in Finding("implausible_size", 1_234_567.0).message_en


def test_the_clean_file_is_in_no_repr() -> None:
    assert "clean" not in repr(inspect("scan", binary_stl(cube()), Limits()))


SCAN = inspect("scan", binary_stl(cube()), Limits())
PHOTO = inspect("photo", jpeg(), Limits())


def frame(report: Report, changes: dict[str, object], size: int) -> bytes:
    return json.dumps(
        {"report": report.to_json() | changes, "bytes": size, "thumbnail_bytes": 0, "texts": []}
    ).encode()


def test_an_honest_answer_is_read() -> None:
    for kind, result in (("scan", SCAN), ("photo", PHOTO)):
        size = len(result.clean)
        answer = json.loads(frame(result.report, {}, size))
        answer |= {"thumbnail_bytes": len(result.thumbnail), "texts": result.texts}
        accepted = read_answer(json.dumps(answer).encode(), kind, size, Limits())  # type: ignore[arg-type]
        assert read_result(accepted, result.clean, result.thumbnail) == result


@pytest.mark.parametrize(
    "changes",
    [
        {"triangles": "12"},
        {"triangles": 12.5},
        {"triangles": 2**53},
        {"area_mm2": float("nan")},
        {"area_mm2": float("inf")},
        {"box_mm": {"min": [0, 0], "max": [1, 1, 1], "size": [1, 1, 1]}},
        {"box_mm": {"min": [0, 0, 1e300], "max": [1, 1, 1], "size": [1, 1, 1]}},
        {"findings": [{"code": "call this number", "number": 1}]},
        {"format": "stl_other"},
        {"kind": "photo"},
        {"version": 1},
        {"same_scan": "call this number"},
    ],
)
def test_a_report_of_the_wrong_shape_is_no_answer(changes: dict[str, object]) -> None:
    with pytest.raises(InspectionCrashedError):
        read_answer(frame(SCAN.report, changes, 684), "scan", 684, Limits())


def test_a_scan_above_the_limit_is_no_answer() -> None:
    triangles = SCAN.report.to_json()["triangles"]
    assert isinstance(triangles, int)
    with pytest.raises(InspectionCrashedError):
        read_answer(frame(SCAN.report, {}, 684), "scan", 684, Limits(triangles=triangles - 1))


def test_a_worker_cannot_put_words_into_our_mouth() -> None:
    lie: dict[str, object] = {
        "findings": [{"code": "hole", "number": 1, "message_en": "call this number"}]
    }
    accepted = read_answer(frame(SCAN.report, lie, 684), "scan", 684, Limits())
    assert "call" not in str(accepted.report.to_json())


@pytest.mark.parametrize("size", [-1, 0, 684 + 4097, 2**40])
def test_a_clean_file_of_another_size_is_no_answer(size: int) -> None:
    with pytest.raises(InspectionCrashedError):
        read_answer(frame(SCAN.report, {}, size), "scan", 684, Limits())


def test_a_report_on_another_kind_of_file_is_no_answer() -> None:
    with pytest.raises(InspectionCrashedError):
        read_answer(frame(PHOTO.report, {}, 100), "scan", 1000, Limits())


@pytest.mark.parametrize(
    ("result", "clean"),
    [
        (SCAN, SCAN.clean + bytes(50)),
        (SCAN, SCAN.clean[:-50]),
        (SCAN, b"<html>".ljust(684)),
        (PHOTO, b"<html>" * 100),
        (PHOTO, SCAN.clean),
    ],
)
def test_a_clean_file_that_is_not_what_its_report_says_is_no_answer(
    result: Result, clean: bytes
) -> None:
    report = result.report
    size = len(result.clean) if isinstance(report, ScanReport) else len(clean)
    accepted = read_answer(frame(report, {}, size), report.kind, size, Limits())
    with pytest.raises(InspectionCrashedError):
        read_result(accepted, clean, b"")


@pytest.mark.parametrize(
    "changes",
    [
        {"thumbnail_bytes": -1},
        {"thumbnail_bytes": (1 << 16) + 1},
        {"texts": "text"},
        {"texts": [1]},
        {"texts": ["x"] * 1001},
        {"texts": ["\u00e9" * (1 << 15), "x"]},
    ],
    ids=["negative", "large picture", "no list", "no text", "many", "long"],
)
def test_a_picture_or_texts_beyond_their_limits_are_no_answer(changes: dict[str, object]) -> None:
    answer = json.loads(frame(SCAN.report, {}, 684)) | changes
    with pytest.raises(InspectionCrashedError):
        read_answer(json.dumps(answer).encode(), "scan", 684, Limits())


def test_texts_as_long_as_they_may_be_arrive() -> None:
    texts = ("\u00e9" * (1 << 14), "\0" * (1 << 15))
    answer = json.loads(frame(SCAN.report, {}, 684)) | {"texts": texts}
    content = json.dumps(answer).encode()
    assert len(content) < ANSWER_BYTES
    assert read_answer(content, "scan", 684, Limits()).texts == texts


def test_a_thumbnail_that_is_no_jpeg_is_no_answer() -> None:
    accepted = read_answer(frame(SCAN.report, {}, len(SCAN.clean)), "scan", 684, Limits())
    with pytest.raises(InspectionCrashedError):
        read_result(accepted, SCAN.clean, b"<html>")


@pytest.mark.parametrize(
    "answer",
    [
        b'{"code": "not_a_scan", "reason": "made_up", "numbers": {}}',
        b'{"code": "too_many_triangles", "reason": "triangles", "numbers": {}}',
        b'{"code": "not_a_scan", "reason": "signature", "numbers": {"x": 1e400}}',
        b'{"code": "not_a_scan", "reason": "signature", "numbers": {"x": "text"}}',
        b'{"code": "not_a_scan", "reason": "signature", "numbers": {"reason": 1}}',
        b"[]",
        b"",
    ],
)
def test_a_refusal_that_we_do_not_know_is_no_answer(answer: bytes) -> None:
    with pytest.raises(InspectionCrashedError):
        read_answer(answer, "scan", 684, Limits())
