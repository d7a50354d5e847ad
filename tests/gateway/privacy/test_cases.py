"""Who sees what of a case, and what a new one must have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.privacy.patients import Patient
from tests.gateway.ground import SQLITE, change, refused
from tests.house import API, PATIENT, SCAN, House

NOTES = "Mej. Proefpersoon (PX-40917, geb. 3 feb 2001), BSN 111222333: crowding, 3 mm at 31"
BORN = datetime(2001, 2, 3, tzinfo=UTC)


def age_today() -> int:
    return Patient("x", BORN.date(), "1").age_years(datetime.now(UTC).date())


async def case_with_notes(house: House) -> str:
    case_id = await house.dentist.new_case(notes=NOTES)
    await house.dentist.upload(case_id, SCAN, name="Proefpersoon upper.stl")
    await house.dentist.post(f"{API}/cases/{case_id}/submission")
    body = {"email": house.planner.email}
    await house.coordinator.post(f"{API}/cases/{case_id}/assignments", body, 201)
    return case_id


async def test_the_practice_sees_its_patient_with_the_bsn_taken_out(house: House) -> None:
    body = {"patient": PATIENT, "notes": NOTES, "treatment": "retainer"}
    made = await house.dentist.post(f"{API}/cases", body, 201)
    case = await house.dentist.get(f"{API}/cases/{made['id']}")

    assert made["removed_from_notes"] == ["bsn", "name", "birth_date", "number"]
    assert case["patient"] == PATIENT
    assert case["notes"] == NOTES.replace("111222333", "[bsn]")
    assert (case["state"], case["treatment"], case["frozen"]) == ("draft", "retainer", False)
    assert case["age_years"] == age_today()
    assert case["controller_id"] == house.practice.id
    assert {**made, "removed_from_notes": None} == case


@SQLITE
async def test_the_planner_sees_pseudonym_age_and_clean_notes_and_nothing_else(
    house: House,
) -> None:
    case_id = await case_with_notes(house)
    case = await house.planner.get(f"{API}/cases/{case_id}")

    assert case["patient"] is None
    assert case["age_years"] == age_today()
    assert (
        case["notes"]
        == "Mej. [name] ([number], geb. [birth_date]), BSN [bsn]: crowding, 3 mm at 31"
    )
    assert len(case["pseudonym"]) == 14
    assert [file["name"] for file in case["files"]] == [None]
    assert case["files"][0]["report"]["triangles"] > 0


SHOWN_TO_A_PLANNER = ["cases/{}", "cases", "cases/{}/files/{}", "cases/{}/archive"]


@SQLITE
async def test_no_answer_to_a_planner_holds_the_identity(house: House) -> None:
    case_id = await case_with_notes(house)
    file_id = (await house.dentist.get(f"{API}/cases/{case_id}"))["files"][0]["id"]
    identity = ("wilhelmina", "proefpersoon", "40917", "2001-02-03", "3 feb", "111222333")
    for path in SHOWN_TO_A_PLANNER:
        answer = await house.planner.ask("GET", f"{API}/{path.format(case_id, file_id)}")
        assert answer.status == 200
        everything = (str(answer.headers) + answer.body.decode("latin-1")).lower()
        assert [word for word in identity if word in everything] == [], path


@SQLITE
async def test_the_coordinator_sees_that_there_is_a_case_and_opens_nothing(house: House) -> None:
    case_id = await case_with_notes(house)
    before = house.rooms.unwraps.copy()
    case = await house.coordinator.get(f"{API}/cases/{case_id}")

    assert house.rooms.unwraps == before
    assert (case["patient"], case["notes"], case["age_years"]) == (None, None, None)
    assert case["state"] == "planning"
    assert [a["email"] for a in case["assignments"]] == [house.planner.email]
    file = await house.coordinator.get(f"{API}/cases/{case_id}/files/{case['files'][0]['id']}")
    assert (file["name"], file["report"], file["state"]) == (None, None, "accepted")
    assert house.rooms.unwraps == before


@SQLITE
async def test_a_practice_s_list_names_its_patients_and_nobody_else_s_opens_a_case(
    house: House,
) -> None:
    case_id = await case_with_notes(house)
    for given in (PATIENT["number"], None):
        body = {"patient_number": given} if given else None
        path = f"{API}/cases/search" if given else f"{API}/cases"
        answer = await house.dentist.ask("POST" if given else "GET", path, json=body)
        (case,) = answer.json()["cases"]
        assert (case["id"], case["patient"], case["notes"]) == (case_id, PATIENT, None)
    before = house.rooms.unwraps.copy()
    for person in (house.planner, house.coordinator):
        listed = (await person.get(f"{API}/cases"))["cases"]
        assert [case["id"] for case in listed] == [case_id]
        assert (listed[0]["patient"], listed[0]["notes"]) == (None, None)

    assert house.rooms.unwraps == before


async def test_a_list_is_read_page_by_page_newest_first(house: House) -> None:
    made = [await house.dentist.new_case() for _ in range(5)]
    seen: list[str] = []
    following = ""
    while True:
        page = await house.dentist.get(f"{API}/cases?limit=2{following}")
        seen += [case["id"] for case in page["cases"]]
        if page["next"] is None:
            break
        following = f"&before={page['next']}"

    assert seen == sorted(made, reverse=True)
    drafts = await house.dentist.get(f"{API}/cases?state=draft")
    assert len(drafts["cases"]) == 5
    assert (await house.dentist.get(f"{API}/cases?state=completed"))["cases"] == []


NO_QUESTIONS = ["limit=0", "limit=201", "limit=x", "state=x", "before=x"]


@SQLITE
async def test_a_list_takes_no_other_question(house: House) -> None:
    for query in NO_QUESTIONS:
        answer = await house.dentist.ask("GET", f"{API}/cases?{query}")
        assert refused(answer, 422, "invalid_input")["field"] == query.partition("=")[0]


TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
WRONG: list[tuple[str, Mapping[str, Any]]] = [
    ("patient", {"patient": None}),
    ("patient", {}),
    ("patient.name", {"patient": {**PATIENT, "name": ""}}),
    ("patient.name", {"patient": {**PATIENT, "name": " \t "}}),
    ("patient.name", {"patient": {**PATIENT, "name": "..."}}),
    ("patient.name", {"patient": {**PATIENT, "name": "two\nlines"}}),
    ("patient.name", {"patient": {**PATIENT, "name": "x" * 201}}),
    ("patient.name", {"patient": {**PATIENT, "name": 7}}),
    ("patient.number", {"patient": {**PATIENT, "number": "-"}}),
    ("patient.number", {"patient": {**PATIENT, "number": "1\0"}}),
    ("patient.birth_date", {"patient": {**PATIENT, "birth_date": "3-2-2001"}}),
    ("patient.birth_date", {"patient": {**PATIENT, "birth_date": "1899-12-31"}}),
    ("patient.birth_date", {"patient": {**PATIENT, "birth_date": TOMORROW}}),
    ("patient.birth_date", {"patient": {**PATIENT, "birth_date": "2001-02-29"}}),
    ("notes", {"patient": PATIENT, "notes": "x" * 20_001}),
    ("notes", {"patient": PATIENT, "notes": "a\0b"}),
    ("notes", {"patient": PATIENT, "notes": None}),
    ("treatment", {"patient": PATIENT, "treatment": "braces"}),
]


@SQLITE
async def test_a_case_that_lacks_something_is_refused_by_its_field(house: House) -> None:
    for field, body in WRONG:
        answer = await house.dentist.ask("POST", f"{API}/cases", json=body)
        assert refused(answer, 422, "invalid_input")["field"] == field, body
    assert (await house.dentist.get(f"{API}/cases"))["cases"] == []


@SQLITE
async def test_everyone_who_works_on_an_erased_case_sees_a_tombstone(house: House) -> None:
    case_id = await case_with_notes(house)
    await house.dentist.erase(case_id)

    for person in (house.dentist, house.coordinator):
        case = await person.get(f"{API}/cases/{case_id}")
        assert (case["state"], case["pseudonym"], case["files"]) == ("erased", None, [])
        assert (case["patient"], case["notes"], case["age_years"]) == (None, None, None)
    await house.planner.get(f"{API}/cases/{case_id}", 404)
    answer = await house.dentist.ask("POST", f"{API}/cases/{case_id}/submission")
    refused(answer, 409, "wrong_state")


@SQLITE
async def test_a_planner_of_yesterday_is_a_stranger_today(house: House) -> None:
    case_id = await case_with_notes(house)
    await change(house, "UPDATE assignments SET starts_at = 1, ends_at = 2")

    await house.planner.get(f"{API}/cases/{case_id}", 404)
    assert (await house.planner.get(f"{API}/cases"))["cases"] == []


@SQLITE
async def test_who_looked_is_said_in_words_of_the_reader_s_language(house: House) -> None:
    case_id, _ = await house.planned_case()
    await house.planner.get(f"{API}/cases/{case_id}")
    path, said = f"{API}/cases/{case_id}/events", []
    for language in ("en", "nl"):
        headers = {"Accept-Language": language}
        answer = await house.dentist.ask("GET", path, headers=headers)
        said += [
            (event["actor"]["title"], event["act"], event["why"])
            for event in answer.json()["events"]
            if event["actor"]["id"] == house.planner.id
        ]

    assert said == [
        ("planner at the laboratory", "looked at the case", "was assigned to this treatment"),
        ("planner bij het laboratorium", "bekeek de casus", "was toegewezen aan deze behandeling"),
    ]
