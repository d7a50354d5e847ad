"""The life of a case: what each state allows, and who works on it from when until when."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.gateway.ground import SQLITE, UNKNOWN, change, refused
from tests.house import API, BYTES, SCAN, TUS, Answer, House, Person

STATES = ("draft", "submitted", "planning", "completed", "erased", "frozen")
ACTS = ("submit", "assign", "complete", "upload", "plan", "remove", "download", "events")
ALLOWED = {
    "submit": {"draft"},
    "assign": {"submitted", "planning"},
    "complete": {"planning"},
    "upload": {"draft"},
    "plan": {"planning"},
    "remove": {"draft"},
    "download": {"draft", "submitted", "planning", "completed"},
    "events": set(STATES),
}


async def act(house: House, name: str, case_id: str, file_id: str) -> Answer:
    """One act by whoever may do it."""
    scan = {**TUS, "Upload-Length": "9", "Upload-Metadata": "filename eA==,kind c2Nhbg=="}
    plan = {**TUS, "Upload-Length": "9", "Upload-Metadata": "filename eA==,kind cGxhbg=="}
    assigned = {"email": house.planner.email}
    acts: dict[str, tuple[Person, str, str, dict[str, Any]]] = {
        "submit": (house.dentist, "POST", "submission", {}),
        "assign": (house.coordinator, "POST", "assignments", {"json": assigned}),
        "complete": (house.planner, "POST", "completion", {}),
        "upload": (house.dentist, "POST", "files", {"headers": scan}),
        "plan": (house.planner, "POST", "files", {"headers": plan}),
        "remove": (house.dentist, "DELETE", f"files/{file_id}", {}),
        "download": (house.dentist, "GET", f"files/{file_id}/content", {}),
        "events": (house.dentist, "GET", "events", {}),
    }
    person, method, end, more = acts[name]
    return await person.ask(method, f"{API}/cases/{case_id}/{end}", **more)


@SQLITE
@pytest.mark.parametrize("state", STATES)
async def test_every_act_in_every_state_does_what_the_table_says(house: House, state: str) -> None:
    for name in ACTS:
        case_id, scan = await house.planned_case()
        await house.planner.upload(case_id, b"%PDF-1.7 a plan", "plan", "plan.pdf")
        column = "frozen_at = created_at" if state == "frozen" else f"state = '{state}'"
        await change(house, f"UPDATE cases SET {column} WHERE id = :id", id=case_id)
        answer = await act(house, name, case_id, scan["id"])
        if state in ALLOWED[name]:
            assert answer.status < 300, (name, answer.text)
        else:
            refused(answer, 409, "case_frozen" if state == "frozen" else "wrong_state")


async def test_a_case_goes_its_way_from_draft_to_completed(house: House) -> None:
    case_id = await house.dentist.new_case()
    path = f"{API}/cases/{case_id}"
    refused(await house.dentist.ask("POST", f"{path}/submission"), 409, "wrong_state")
    await house.dentist.upload(case_id, SCAN)
    on_its_way, _ = await house.dentist.begin_upload(case_id, 9)
    refused(await house.dentist.ask("POST", f"{path}/submission"), 409, "wrong_state")
    await house.dentist.ask("DELETE", on_its_way, headers=TUS)

    submitted = await house.dentist.post(f"{path}/submission")
    assert (submitted["state"], submitted["submitted_at"] is not None) == ("submitted", True)
    body = {"email": house.planner.email.upper()}
    assigned = await house.coordinator.post(f"{path}/assignments", body, 201)
    assert assigned["state"] == "planning"

    refused(await house.planner.ask("POST", f"{path}/completion"), 409, "wrong_state")
    await house.planner.upload(case_id, b"%PDF-1.7 a plan", "plan", "plan.pdf")
    on_its_way, _ = await house.planner.begin_upload(case_id, 9, "plan", "plan.pdf")
    refused(await house.planner.ask("POST", f"{path}/completion"), 409, "wrong_state")
    await house.planner.ask("DELETE", on_its_way, headers=TUS)
    completed = await house.planner.post(f"{path}/completion")
    assert (completed["state"], completed["completed_at"] is not None) == ("completed", True)


async def test_of_two_submissions_at_one_moment_one_wins(house: House) -> None:
    case_id = await house.dentist.new_case()
    await house.dentist.upload(case_id, SCAN)
    path = f"{API}/cases/{case_id}/submission"
    answers = await asyncio.gather(*(house.dentist.ask("POST", path) for _ in range(4)))

    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]


async def test_two_requests_to_erase_at_one_moment_are_one_erasure(house: House) -> None:
    case_id = await house.dentist.new_case()
    path, body = f"{API}/cases/{case_id}/erasure", {"reason": "asked for", "confirm": case_id}
    answers = await asyncio.gather(*(house.dentist.ask("POST", path, json=body) for _ in range(4)))

    assert [answer.status for answer in answers] == [202] * 4, [a.text for a in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1


@SQLITE
@pytest.mark.parametrize("body", [{"reason": " "}, {"confirm": UNKNOWN}, {"reason": "x" * 501}])
async def test_an_erasure_needs_a_reason_and_the_id_once_more(
    house: House, body: dict[str, str]
) -> None:
    case_id = await house.dentist.new_case()
    whole = {"reason": "asked for", "confirm": case_id, **body}
    answer = await house.dentist.ask("POST", f"{API}/cases/{case_id}/erasure", json=whole)

    assert refused(answer, 422, "invalid_input")["field"] in body
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["frozen"] is False


@SQLITE
async def test_an_assignment_lasts_until_the_end_of_its_day(house: House) -> None:
    case_id, _ = await house.submitted_case()
    path, today = f"{API}/cases/{case_id}/assignments", datetime.now(UTC).date()
    email = house.planner.email
    past = {"email": email, "until": str(today - timedelta(days=1))}
    answer = await house.coordinator.ask("POST", path, json=past)
    assert refused(answer, 422, "invalid_input")["field"] == "until"

    soon = {"email": email, "until": str(today + timedelta(days=1))}
    case = await house.coordinator.post(path, soon, 201)
    assert case["assignments"][0]["ends_at"].startswith(f"{today + timedelta(days=1)}T23:59:59")
    assert (await house.planner.get(f"{API}/cases/{case_id}"))["id"] == case_id
    await change(house, "UPDATE assignments SET ends_at = starts_at + 1")
    await house.planner.get(f"{API}/cases/{case_id}", 404)


@SQLITE
async def test_only_a_planner_can_be_assigned(house: House) -> None:
    case_id, _ = await house.submitted_case()
    disabled = await house.add_person("planner")
    await change(house, "UPDATE accounts SET disabled_at = 1 WHERE id = :id", id=disabled.id)
    for email in (house.dentist.email, "nobody@people.invalid", disabled.email, ""):
        answer = await house.coordinator.ask(
            "POST", f"{API}/cases/{case_id}/assignments", json={"email": email}
        )
        assert refused(answer, 422, "invalid_input")["field"] == "email"
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["state"] == "submitted"


async def test_a_new_assignment_replaces_the_old_one_and_an_end_is_at_once(house: House) -> None:
    case_id, _ = await house.planned_case()
    path = f"{API}/cases/{case_id}/assignments"
    case = await house.coordinator.post(path, {"email": house.planner.email}, 201)
    first, second = case["assignments"]
    assert first["ends_at"] is not None
    assert second["ends_at"] is None

    # The one that is over is over: ending it again takes nothing away.
    await house.coordinator.ask("DELETE", f"{path}/{first['id']}")
    await house.planner.get(f"{API}/cases/{case_id}")
    answer = await house.coordinator.ask("DELETE", f"{path}/{second['id']}")
    assert answer.status == 204
    await house.planner.get(f"{API}/cases/{case_id}", 404)
    refused(await house.coordinator.ask("DELETE", f"{path}/{UNKNOWN}"), 404, "not_found")


async def test_who_loses_the_case_while_uploading_can_send_no_more(house: House) -> None:
    case_id, _ = await house.planned_case()
    address, _ = await house.planner.begin_upload(case_id, 9, "plan", "plan.pdf")
    await change(house, "UPDATE assignments SET ends_at = starts_at")

    headers = {**TUS, **BYTES, "Upload-Offset": "0"}
    answer = await house.planner.ask("PATCH", address, headers=headers, data=b"%PDF-")
    refused(answer, 404, "not_found")
