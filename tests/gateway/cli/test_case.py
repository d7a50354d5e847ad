"""The commands about cases, their log and their erasure, against the stand-in."""

from __future__ import annotations

from collections import deque

import pytest

from gateway.cli import erase as erase_module
from gateway.cli.client import Patience
from tests.gateway.cli.conftest import Kluis
from tests.gateway.cli.stand_in import CASE, StandIn

pytestmark = pytest.mark.usefixtures("server")


def test_a_case_is_created_with_what_was_typed(kluis: Kluis, stand_in: StandIn) -> None:
    ran = kluis(
        *("case", "create", "--patient-name", "Sam Voorbeeld", "--birth-date", "1990-05-17"),
        *("--patient-number", "4711", "--notes", "Diep.", "--treatment", "retainer", "--json"),
    )

    assert ran.code == 0
    assert ran.answer == {"id": CASE, "pseudonym": "K7-3F"}
    patient = {"name": "Sam Voorbeeld", "birth_date": "1990-05-17", "number": "4711"}
    assert stand_in.bodies == [{"patient": patient, "notes": "Diep.", "treatment": "retainer"}]


def test_all_pages_of_the_list_are_followed(kluis: Kluis, stand_in: StandIn) -> None:
    first, second = stand_in.view() | {"id": "c-1"}, stand_in.view() | {"id": "c-2"}
    stand_in.pages = [{"cases": [first], "next": "1"}, {"cases": [second], "next": None}]

    ran = kluis("case", "list", "--json")

    assert [case["id"] for case in ran.answer] == ["c-1", "c-2"]


def test_a_patient_is_searched_in_the_body_never_in_the_address(
    kluis: Kluis, stand_in: StandIn
) -> None:
    stand_in.pages = [{"cases": [stand_in.view()], "next": None}]

    ran = kluis("case", "list", "--patient-number", "4711", "--state", "submitted", "--json")

    assert ran.answer == []  # the only case found is a draft
    assert stand_in.bodies == [{"patient_number": "4711"}]
    assert all("4711" not in path for _, path in stand_in.seen)


def test_a_case_is_shown_with_files_and_planners(kluis: Kluis, stand_in: StandIn) -> None:
    stand_in.hold(b"content", "upper.stl")

    assert kluis("case", "show", CASE, "--json").answer["id"] == CASE
    shown = kluis("case", "show", CASE).out
    assert "K7-3F" in shown
    assert "scan 1  upper.stl  accepted  7 B" in shown
    assert "look: There are 2 more openings." in shown
    assert "planner@lab.example" in shown
    assert "missing" not in shown


@pytest.mark.parametrize(
    ("language", "words"),
    [("C", "scan bite; photo face, smiling"), ("nl_NL", "scan beet; foto gezicht, lachend")],
)
def test_what_is_missing_is_shown_and_said_again_when_submitting(
    language: str,
    words: str,
    kluis: Kluis,
    stand_in: StandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANG", f"{language}.UTF-8")
    stand_in.missing = [{"kind": "scan", "slot": "bite"}, {"kind": "photo", "slot": "smile"}]

    shown, submitted = kluis("case", "show", CASE), kluis("case", "submit", CASE)

    assert words in shown.out
    assert submitted.code == 0
    assert submitted.out.splitlines()[1].endswith(f": {words}.")


def test_a_person_says_what_a_file_shows(kluis: Kluis, stand_in: StandIn) -> None:
    held = stand_in.hold(b"content", "scan.stl")
    stand_in.files[CASE] = held

    wrong = kluis("case", "place", CASE, "../x", "upper", "--json")
    unknown = kluis("case", "place", CASE, CASE, "roof", "--json")
    ran = kluis("case", "place", CASE, CASE, "upper", "--json")

    assert (wrong.code, wrong.failure["field"]) == (2, "file")
    assert unknown.code == 2
    assert ran.answer == {"file": CASE, "slot": "upper"}
    assert held.slot == "upper"
    assert "scan 1 (upper jaw)" in kluis("case", "show", CASE).out


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("", (None, None)),
        ("--until 2026-12-31", (None, "2026-12-31")),
        ("--from 2026-12-01 --until 2026-12-31", ("2026-12-01", "2026-12-31")),
    ],
)
def test_a_planner_is_assigned_for_good_or_from_and_until_a_day(
    given: str, sent: tuple[str | None, str | None], kluis: Kluis, stand_in: StandIn
) -> None:
    ran = kluis("case", "assign", CASE, "planner@lab.example", *given.split(), "--json")

    assert ran.code == 0
    assert ran.answer["id"] == CASE
    body = {"email": "planner@lab.example", **dict(zip(("from", "until"), sent, strict=True))}
    assert stand_in.bodies == [body]


@pytest.mark.parametrize(
    ("command", "path"), [("submit", "submission"), ("complete", "completion")]
)
def test_a_case_moves_on(command: str, path: str, kluis: Kluis, stand_in: StandIn) -> None:
    ran = kluis("case", command, CASE)

    assert ran.code == 0
    assert "submitted" in ran.out
    assert stand_in.seen == [("POST", f"/api/v1/cases/{CASE}/{path}")]


def test_what_one_may_not_see_is_refused_in_the_words_of_the_server(kluis: Kluis) -> None:
    ran = kluis("case", "show", "0197e0d4-0000-7000-8000-00000000000f", "--json")

    assert (ran.code, ran.out) == (1, "")
    assert ran.failure == {
        "code": "not_found",
        "message": "There is nothing here that you may see.",
        "field": None,
    }


@pytest.mark.parametrize("typed", ["..", "../cases", f"{CASE}/events", f"{CASE}?x=1", "", "x"])
def test_what_is_no_id_never_becomes_an_address(
    typed: str, kluis: Kluis, stand_in: StandIn
) -> None:
    ran = kluis("case", "show", typed, "--json")

    assert ran.code == 2
    assert ran.failure["field"] == "case"
    assert stand_in.seen == []


def test_a_token_of_nobody_is_refused(kluis: Kluis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLUIS_TOKEN", "wrong")

    ran = kluis("case", "list", "--json")

    assert ran.code == 1
    assert ran.failure["code"] == "unauthenticated"


def test_the_log_says_who_did_what_and_why_it_was_allowed(kluis: Kluis) -> None:
    assert kluis("log", "show", CASE, "--json").answer[0]["event"] == "case.view"
    shown = kluis("log", "show", CASE).out
    for word in ("2026-11-22T10:00:00Z", "planner@lab.example (planner)", "case.view", "refused"):
        assert word in shown


def test_erasing_needs_the_id_typed_twice(kluis: Kluis, stand_in: StandIn) -> None:
    for confirm in ([], ["--confirm", CASE[:-1] + "9"]):
        ran = kluis("erase", CASE, "--reason", "request", *confirm, "--json")

        assert ran.code == 2
        assert ran.failure["field"] == "confirm"
    assert stand_in.seen == []


def test_erasing_waits_for_the_certificate(
    kluis: Kluis, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_module, "ERASURE", Patience(first=0.001, longest=0.01, total=5))
    stand_in.erasure_steps = deque(["requested", "frozen", "punctured", "done"])

    ran = kluis("erase", CASE, "--reason", "request", "--confirm", CASE, "--json")

    assert ran.code == 0
    assert ran.answer == {"case_id": CASE, "erased": True}
    assert stand_in.bodies == [{"reason": "request", "confirm": CASE}]


def test_an_erasure_that_takes_long_is_said_to_go_on(
    kluis: Kluis, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_module, "ERASURE", Patience(first=0.001, longest=0.001, total=0.004))
    stand_in.erasure_steps = deque(["pending"])

    ran = kluis("erase", CASE, "--reason", "request", "--confirm", CASE, "--json")

    assert (ran.code, ran.out) == (1, "")
    assert ran.failure["code"] == "unfinished"
    assert "pending" in ran.failure["message"]
