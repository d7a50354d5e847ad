"""A restricted case is stored and nothing else until its practice has settled the doubt (P28)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.access.grants import Access, Grant
from tests.gateway.ground import SQLITE, change, logged, refused
from tests.house import API, PATIENT, SCAN, House

DOUBT = {"reason": "the patient says that this is somebody else's scan"}
SETTLED = {"reason": "it is the right scan"}


async def test_planners_lose_a_restricted_case_until_it_is_released(house: House) -> None:
    case_id, file = await house.planned_case()
    path = f"{API}/cases/{case_id}"
    other = await house.add_person("planner")
    await other.post(f"{path}/emergency", {"reason": "urgent", "minutes": 30}, 201)
    await house.dentist.post(f"{path}/restriction", DOUBT, 204)

    for planner in (house.planner, other):
        await planner.get(path, 404)
        await planner.get(f"{path}/files/{file['id']}/content", 404)
        assert (await planner.get(f"{API}/cases"))["cases"] == []
    refused(
        await other.ask("POST", f"{path}/emergency", json={"reason": "urgent", "minutes": 5}),
        409,
        "case_restricted",
    )
    assert (await house.coordinator.get(path))["restricted"] is True
    body = {"email": other.email}
    answer = await house.coordinator.ask("POST", f"{path}/assignments", json=body)
    refused(answer, 409, "case_restricted")

    await house.dentist.post(f"{path}/release", SETTLED, 204)
    assert (await house.planner.get(path))["restricted"] is False
    reasons = [
        record["event"]["detail"]["reason"]
        for code in ("case.restrict", "case.release")
        for record in await logged(house, code)
        if record["event"]["stage"] == "outcome"
    ]
    assert reasons == [DOUBT["reason"], SETTLED["reason"]]


@SQLITE
async def test_the_practice_can_look_correct_and_erase_to_settle_it(house: House) -> None:
    case_id, file = await house.planned_case()
    path = f"{API}/cases/{case_id}"
    await house.officer.post(f"{path}/restriction", DOUBT, 204)

    assert (await house.dentist.get(path))["patient"] == PATIENT
    assert len(await house.dentist.download(case_id, file["id"])) > 0
    corrected = {**PATIENT, "name": "Another"}
    assert (await house.dentist.ask("PUT", f"{path}/patient", json=corrected)).status == 202
    assert await house.dentist.erase(case_id)


@SQLITE
async def test_a_restricted_draft_takes_nothing_in_and_goes_nowhere(house: House) -> None:
    case_id = await house.dentist.new_case()
    path = f"{API}/cases/{case_id}"
    await house.dentist.post(f"{path}/restriction", DOUBT, 204)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    metadata = {"Upload-Metadata": "filename eA==,kind c2Nhbg=="}

    answer = await house.dentist.ask("POST", f"{path}/files", headers={**headers, **metadata})
    refused(answer, 409, "case_restricted")
    refused(await house.dentist.ask("POST", f"{path}/submission"), 409, "case_restricted")


@SQLITE
@pytest.mark.parametrize(
    ("column", "code"), [("restricted_at", "case_restricted"), ("frozen_at", "case_frozen")]
)
async def test_an_act_that_was_allowed_just_before_the_case_was_stopped_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, column: str, code: str
) -> None:
    planned, _ = await house.planned_case()
    submitted, _ = await house.submitted_case()
    draft = await house.dentist.new_case()
    file = await house.dentist.upload(draft, SCAN)
    email = {"email": (await house.add_person("planner")).email}
    upload = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    metadata = {"Upload-Metadata": "filename eA==,kind c2Nhbg=="}
    authorise = Access.authorise

    async def stopped_then(access: Access, *act: Any, **more: Any) -> Grant:
        grant = await authorise(access, *act, **more)
        await change(house, f"UPDATE cases SET {column} = created_at")
        return grant

    acts = [
        (house.planner, "POST", f"{submitted}/emergency", {"reason": "urgent", "minutes": 5}),
        (house.coordinator, "POST", f"{submitted}/assignments", email),
        (house.planner, "POST", f"{planned}/handover", email),
        (house.planner, "POST", f"{planned}/completion", None),
        (house.dentist, "POST", f"{draft}/submission", None),
        (house.dentist, "POST", f"{draft}/files", None),
        (house.dentist, "PUT", f"{draft}/files/{file['id']}/slot", {"slot": None}),
        (house.dentist, "DELETE", f"{draft}/files/{file['id']}", None),
    ]
    for who, method, path, body in acts:
        headers = {**upload, **metadata} if path.endswith("/files") else {}
        with monkeypatch.context() as patch:
            patch.setattr(Access, "authorise", stopped_then)
            answer = await who.ask(method, f"{API}/cases/{path}", json=body, headers=headers)
        refused(answer, 409, code)
        await change(house, f"UPDATE cases SET {column} = NULL")


async def test_of_two_restrictions_at_one_moment_one_is_made(house: House) -> None:
    case_id = await house.dentist.new_case()
    path = f"{API}/cases/{case_id}/restriction"
    answers = await asyncio.gather(
        *(person.ask("POST", path, json=DOUBT) for person in (house.dentist, house.officer))
    )

    assert sorted(answer.status for answer in answers) == [204, 409]


@SQLITE
async def test_a_restriction_has_a_reason_and_an_object(house: House) -> None:
    case_id = await house.dentist.new_case()
    path = f"{API}/cases/{case_id}"
    for end in ("restriction", "release"):
        answer = await house.dentist.ask("POST", f"{path}/{end}", json={"reason": " "})
        assert refused(answer, 422, "invalid_input")["field"] == "reason"
    refused(await house.dentist.ask("POST", f"{path}/release", json=SETTLED), 409, "wrong_state")
    await change(house, "UPDATE cases SET frozen_at = created_at WHERE id = :id", id=case_id)
    answer = await house.dentist.ask("POST", f"{path}/restriction", json=DOUBT)
    refused(answer, 409, "case_frozen")
