from __future__ import annotations

import json
import string
from typing import get_args

import pytest

from gateway.inspection.answer import read_answer, read_result
from gateway.inspection.errors import PROBLEMS, InspectionCrashedError, InspectionError, Words
from gateway.inspection.inspect import inspect
from gateway.inspection.report import FINDINGS, Finding, FindingCode, Limits, Report, Result
from tests.scans import binary_stl, cube, jpeg


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def all_words() -> list[Words]:
    reasons = [words for problem in PROBLEMS.values() for words in problem.reasons.values()]
    return [*reasons, *(meaning.words for meaning in FINDINGS.values())]


def test_every_problem_has_a_code_of_its_own() -> None:
    assert len(PROBLEMS) == len(InspectionError.__subclasses__()) == 12


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
    finding = Finding("holes", 3)
    assert finding.to_json() == {
        "code": "holes",
        "severity": "warning",
        "number": 3,
        "unit": "openings",
        "message_en": "Openings of the surface besides its base: 3.",
        "message_nl": "Openingen in het oppervlak naast de onderkant: 3.",
    }


def test_the_clean_file_is_in_no_repr() -> None:
    assert "clean" not in repr(inspect("scan", binary_stl(cube()), Limits()))


SCAN = inspect("scan", binary_stl(cube()), Limits())
PHOTO = inspect("photo", jpeg(), Limits())


def frame(report: Report, changes: dict[str, object], size: int) -> bytes:
    return json.dumps({"report": report.to_json() | changes, "bytes": size}).encode()


def test_an_honest_answer_is_read() -> None:
    for kind, result in (("scan", SCAN), ("photo", PHOTO)):
        size = len(result.clean)
        accepted = read_answer(frame(result.report, {}, size), kind, size)  # type: ignore[arg-type]
        assert read_result(accepted, result.clean) == result


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
        {"version": 2},
    ],
)
def test_a_report_of_the_wrong_shape_is_no_answer(changes: dict[str, object]) -> None:
    with pytest.raises(InspectionCrashedError):
        read_answer(frame(SCAN.report, changes, 684), "scan", 684)


def test_a_worker_cannot_put_words_into_our_mouth() -> None:
    lie: dict[str, object] = {
        "findings": [{"code": "holes", "number": 1, "message_en": "call this number"}]
    }
    accepted = read_answer(frame(SCAN.report, lie, 684), "scan", 684)
    assert "call" not in str(accepted.report.to_json())


@pytest.mark.parametrize("size", [-1, 0, 684 + 4097, 2**40])
def test_a_clean_file_of_another_size_is_no_answer(size: int) -> None:
    with pytest.raises(InspectionCrashedError):
        read_answer(frame(SCAN.report, {}, size), "scan", 684)


def test_a_report_on_another_kind_of_file_is_no_answer() -> None:
    with pytest.raises(InspectionCrashedError):
        read_answer(frame(PHOTO.report, {}, 100), "scan", 1000)


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
    accepted = read_answer(frame(report, {}, len(clean)), report.kind, len(clean))
    with pytest.raises(InspectionCrashedError):
        read_result(accepted, clean)


@pytest.mark.parametrize(
    "answer",
    [
        b'{"code": "not_a_scan", "reason": "made_up", "numbers": {}}',
        b'{"code": "too_many_triangles", "reason": "triangles", "numbers": {}}',
        b'{"code": "not_a_scan", "reason": "not_stl", "numbers": {"x": 1e400}}',
        b'{"code": "not_a_scan", "reason": "not_stl", "numbers": {"x": "text"}}',
        b'{"code": "not_a_scan", "reason": "not_stl", "numbers": {"reason": 1}}',
        b"[]",
        b"",
    ],
)
def test_a_refusal_that_we_do_not_know_is_no_answer(answer: bytes) -> None:
    with pytest.raises(InspectionCrashedError):
        read_answer(answer, "scan", 684)
