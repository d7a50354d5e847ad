"""What a file is said to show, and what a case still lacks."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.gateway.ground import SQLITE, UNKNOWN, logged, refused
from tests.house import API, SCAN, TUS, House
from tests.scans import jpeg

pytestmark = SQLITE
ARCHES_AND_BITE = [{"kind": "scan", "slot": slot} for slot in ("upper", "lower", "bite")]


async def begin(house: House, case_id: str, **told: str) -> Any:
    pairs = (f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
    headers = {**TUS, "Upload-Length": "9", "Upload-Metadata": ",".join(pairs)}
    return await house.dentist.ask("POST", f"{API}/cases/{case_id}/files", headers=headers)


async def test_a_slot_is_given_or_else_guessed_from_the_name(house: House) -> None:
    case_id = await house.dentist.new_case()

    given = await begin(house, case_id, filename="upper.stl", kind="scan", slot="bite")
    guessed = await begin(house, case_id, filename="upper.stl", kind="scan")
    unknown = await begin(house, case_id, filename="x.stl", kind="scan")

    assert [answer.json()["slot"] for answer in (given, guessed, unknown)] == [
        "bite",
        "upper",
        None,
    ]


@pytest.mark.parametrize(("kind", "slot"), [("scan", "smile"), ("photo", "bite"), ("scan", "")])
async def test_a_slot_of_another_kind_is_refused(house: House, kind: str, slot: str) -> None:
    case_id = await house.dentist.new_case()

    answer = await begin(house, case_id, filename="x", kind=kind, slot=slot)

    assert refused(answer, 422, "invalid_input")["field"] == "slot"
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["files"] == []


async def test_a_draft_says_what_it_lacks_and_is_submitted_all_the_same(house: House) -> None:
    case_id, dentist = await house.dentist.new_case(), house.dentist
    empty = (await dentist.get(f"{API}/cases/{case_id}"))["missing"]
    assert empty[:3] == ARCHES_AND_BITE
    assert len(empty) == 3 + 8

    await dentist.upload(case_id, SCAN, name="upper.stl")
    await dentist.upload(case_id, jpeg(), "photo", "front.jpg")
    await dentist.upload(case_id, b"no scan", name="lower.stl")
    submitted = await dentist.post(f"{API}/cases/{case_id}/submission")

    assert submitted["state"] == "submitted"
    assert submitted["missing"][:2] == ARCHES_AND_BITE[1:]
    assert {"kind": "photo", "slot": "front"} not in submitted["missing"]
    assert len(submitted["missing"]) == 2 + 7
    listed = (await dentist.get(f"{API}/cases"))["cases"]
    assert [case["missing"] for case in listed] == [None]


async def test_a_slot_is_corrected_until_the_case_is_submitted(house: House) -> None:
    case_id, dentist = await house.dentist.new_case(), house.dentist
    file = await dentist.upload(case_id, SCAN, name="upper.stl")
    path = f"{API}/cases/{case_id}/files/{file['id']}"

    placed = await dentist.ask("PUT", f"{path}/slot", json={"slot": "lower"})

    assert (placed.status, placed.body) == (204, b"")
    assert (await dentist.get(path))["slot"] == "lower"
    missing = (await dentist.get(f"{API}/cases/{case_id}"))["missing"]
    assert missing[:2] == [ARCHES_AND_BITE[0], ARCHES_AND_BITE[2]]
    cleared = await dentist.ask("PUT", f"{path}/slot", json={"slot": None})
    assert (cleared.status, (await dentist.get(path))["slot"]) == (204, None)
    events = [record["event"] for record in await logged(house, "file.place")]
    assert [event["detail"] for event in events if event["stage"] == "outcome"] == [
        {"slot": "lower"},
        {"slot": "none"},
    ]

    await dentist.post(f"{API}/cases/{case_id}/submission")
    refused(await dentist.ask("PUT", f"{path}/slot", json={"slot": "upper"}), 409, "wrong_state")
    assert (await dentist.get(path))["slot"] is None


async def test_only_a_file_of_the_case_that_came_in_gets_a_slot_of_its_kind(house: House) -> None:
    case_id, dentist = await house.dentist.new_case(), house.dentist
    photo = await dentist.upload(case_id, jpeg(), "photo", "x.jpg")
    bad = await dentist.upload(case_id, b"no scan")
    elsewhere = await dentist.upload(await dentist.new_case(), SCAN)

    async def place(file_id: str, slot: object) -> Any:
        path = f"{API}/cases/{case_id}/files/{file_id}/slot"
        return await dentist.ask("PUT", path, json={"slot": slot})

    refused(await place(photo["id"], "bite"), 422, "invalid_input")
    refused(await place(photo["id"], "roof"), 422, "invalid_input")
    for file_id in (bad["id"], elsewhere["id"], UNKNOWN):
        refused(await place(file_id, "upper"), 404, "not_found")
    assert (await place(photo["id"], "left")).status == 204
