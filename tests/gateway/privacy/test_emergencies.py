"""Emergency access: for a reason, for minutes, told to the practice at once, and reviewed."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from gateway.access.policy import POLICY, Relation
from gateway.ids import now
from storage.schema import notices
from tests.gateway.ground import SQLITE, UNKNOWN, change, logged, refused
from tests.house import API, PATIENT, House, Person

WHY = "the patient is in the chair and the assigned planner is ill"
FOUND = {"verdict": "justified", "words": "the planner was ill, as the rota says"}


async def declare(person: Person, case_id: str, minutes: int = 30, status: int = 201) -> Any:
    body = {"reason": WHY, "minutes": minutes}
    return await person.post(f"{API}/cases/{case_id}/emergency", body, status)


async def test_an_emergency_opens_a_case_for_reading_and_for_a_short_time(house: House) -> None:
    case_id, file = await house.submitted_case()
    path = f"{API}/cases/{case_id}"
    await house.planner.get(path, 404)
    declared = await declare(house.planner, case_id)

    ends = datetime.fromisoformat(declared["ends_at"])
    assert timedelta(minutes=29) < ends - now() <= timedelta(minutes=30)
    seen = await house.planner.get(path)
    assert (seen["patient"], seen["age_years"] is None) == (None, False)
    assert len(await house.planner.download(case_id, file["id"])) > 0
    plan = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    metadata = {"Upload-Metadata": "filename eA==,kind cGxhbg=="}
    answer = await house.planner.ask("POST", f"{path}/files", headers={**plan, **metadata})
    refused(answer, 403, "forbidden")
    grounds = {record["object"]["authorisation"] for record in await logged(house, "file.download")}
    assert grounds == {f"emergency:{declared['id']}"}

    await change(house, "UPDATE emergencies SET ends_at = starts_at")
    await house.planner.get(path, 404)


async def test_the_practice_is_told_at_once_and_reads_who_and_why(house: House) -> None:
    case_id, _ = await house.submitted_case()
    declared = await declare(house.coordinator, case_id)

    async with house.rooms.main.reading() as connection:
        told = (await connection.execute(select(notices))).mappings().all()
    assert [(notice["kind"], notice["controller_id"]) for notice in told] == [
        ("emergency_access", house.practice.id)
    ]
    assert WHY not in told[0]["detail"]
    events = (await house.dentist.get(f"{API}/cases/{case_id}/events"))["events"]
    outcome = next(
        event
        for event in events
        if (event["event"], event["stage"]) == ("emergency.declare", "outcome")
    )
    assert outcome["actor"]["email"] == house.coordinator.email
    assert outcome["detail"] == {"emergency": declared["id"], "minutes": 30, "reason": WHY}
    (listed,) = (await house.dentist.get(f"{API}/emergencies"))["emergencies"]
    assert (listed["id"], listed["reason"], listed["overdue"]) == (declared["id"], WHY, False)
    _, foreign = await house.add_practice()
    assert (await foreign.get(f"{API}/emergencies"))["emergencies"] == []


@SQLITE
async def test_a_coordinator_opens_content_in_an_emergency_alone(house: House) -> None:
    case_id, file = await house.submitted_case()
    path = f"{API}/cases/{case_id}"
    before = await house.coordinator.get(path)
    refused(
        await house.coordinator.ask("GET", f"{path}/files/{file['id']}/content"), 403, "forbidden"
    )
    await declare(house.coordinator, case_id)
    during = await house.coordinator.get(path)
    assert (before["age_years"], during["age_years"] is None) == (None, False)
    assert len(await house.coordinator.download(case_id, file["id"])) > 0

    await change(house, "UPDATE emergencies SET ends_at = starts_at")
    assert await house.coordinator.get(path) == before


@SQLITE
async def test_what_is_no_emergency_is_refused(house: House) -> None:
    case_id, _ = await house.planned_case()
    path = f"{API}/cases/{case_id}/emergency"
    other = await house.add_person("planner")
    wrong = [
        ("reason", {"reason": " ", "minutes": 5}),
        ("reason", {"reason": "x" * 501, "minutes": 5}),
        ("minutes", {"reason": WHY, "minutes": 0}),
        ("minutes", {"reason": WHY, "minutes": house.settings.emergency_minutes + 1}),
        ("minutes", {"reason": WHY}),
    ]
    for field, body in wrong:
        problem = refused(await other.ask("POST", path, json=body), 422, "invalid_input")
        assert problem["field"] == field
    assert (await declare(house.planner, case_id, status=409))["code"] == "wrong_state"
    draft = await house.dentist.new_case()
    assert (await declare(other, draft, status=409))["code"] == "wrong_state"
    assert (await declare(other, UNKNOWN, status=404))["code"] == "not_found"
    for person in (house.dentist, house.officer):
        answer = await person.ask("POST", path, json={"reason": WHY, "minutes": 5})
        assert answer.status in {403, 404}
    assert await logged(house, "emergency.review") == []


async def test_of_two_emergencies_at_one_moment_one_is_declared(house: House) -> None:
    case_id, _ = await house.submitted_case()
    body = {"reason": WHY, "minutes": 5}
    path = f"{API}/cases/{case_id}/emergency"
    answers = await asyncio.gather(*(house.planner.ask("POST", path, json=body) for _ in range(3)))

    assert sorted(answer.status for answer in answers) == [201, 409, 409]


@SQLITE
async def test_the_reason_is_kept_without_the_patients_name(house: House) -> None:
    case_id, _ = await house.submitted_case()
    body = {"reason": f"{PATIENT['name']} sits in the chair", "minutes": 5}
    declared = await house.planner.post(f"{API}/cases/{case_id}/emergency", body, 201)

    assert declared["reason"] == "[name] [name] sits in the chair"


async def test_an_officer_reviews_it_once_and_the_practice_hears_the_verdict(
    house: House,
) -> None:
    case_id, _ = await house.submitted_case()
    declared = await declare(house.planner, case_id)
    path = f"{API}/emergencies/{declared['id']}/review"
    reviewed = await house.officer.post(path, {**FOUND, "verdict": "unjustified"})

    assert (reviewed["verdict"], reviewed["reviewed_by"]) == ("unjustified", house.officer.id)
    await house.planner.get(f"{API}/cases/{case_id}", 404)  # it ended with the review
    refused(await house.officer.ask("POST", path, json=FOUND), 409, "wrong_state")
    assert (await house.officer.get(f"{API}/emergencies"))["emergencies"] == []
    (all_,) = (await house.dentist.get(f"{API}/emergencies?reviewed=yes"))["emergencies"]
    assert all_["words"] == FOUND["words"]
    async with house.rooms.main.reading() as connection:
        kinds = set((await connection.execute(select(notices.c.kind))).scalars())
    assert kinds == {"emergency_access", "emergency_unjustified"}
    unknown = f"{API}/emergencies/{UNKNOWN}/review"
    refused(await house.officer.ask("POST", unknown, json=FOUND), 404, "not_found")


@SQLITE
async def test_the_words_of_a_review_are_kept_without_the_patients_name(house: House) -> None:
    case_id, _ = await house.submitted_case()
    declared = await declare(house.planner, case_id)
    body = {**FOUND, "words": f"{PATIENT['name']} was in the chair"}
    reviewed = await house.officer.post(f"{API}/emergencies/{declared['id']}/review", body)

    assert reviewed["words"] == "[name] [name] was in the chair"


@SQLITE
async def test_nobody_reviews_their_own_emergency(house: House) -> None:
    case_id, _ = await house.submitted_case()
    declared = await declare(house.planner, case_id)
    statement = "UPDATE accounts SET role = 'privacy_officer' WHERE id = :id"
    await change(house, statement, id=house.planner.id)

    path = f"{API}/emergencies/{declared['id']}/review"
    refused(await house.planner.ask("POST", path, json=FOUND), 403, "forbidden")
    assert (await house.officer.get(f"{API}/emergencies"))["emergencies"][0]["verdict"] is None


@SQLITE
async def test_a_review_that_is_late_is_seen(house: House) -> None:
    case_id, _ = await house.submitted_case()
    await declare(house.planner, case_id)
    await change(house, "UPDATE emergencies SET review_due_at = starts_at")

    for person in (house.officer, house.dentist):
        (listed,) = (await person.get(f"{API}/emergencies"))["emergencies"]
        assert listed["overdue"] is True


@SQLITE
async def test_an_emergency_of_an_erased_case_is_reviewed_still(house: House) -> None:
    case_id, _ = await house.submitted_case()
    declared = await declare(house.planner, case_id)
    await house.dentist.erase(case_id)

    reviewed = await house.officer.post(f"{API}/emergencies/{declared['id']}/review", FOUND)
    assert reviewed["verdict"] == "justified"


def test_an_emergency_gives_nothing_but_reading() -> None:
    letters = {
        rule.letter
        for rule in POLICY.values()
        if any(relation is Relation.EMERGENCY for _, relation in rule.who)
    }

    assert letters == {"R"}
