"""What becomes of a file: accepted and numbered, or refused and gone."""

from __future__ import annotations

import pytest

from gateway.intake.inspector import MOST_ATTEMPTS
from tests.gateway.ground import SQLITE, change, logged, refused, stored, until
from tests.house import API, SCAN, TUS, House
from tests.scans import jpeg, png

PDF = b"%PDF-1.7 a plan"


async def test_a_refused_file_leaves_nothing_but_its_reason(house: House) -> None:
    case_id = await house.dentist.new_case()
    before = await stored(house)
    file = await house.dentist.upload(case_id, SCAN[:-1])

    assert (file["state"], file["name"], file["report"]) == ("refused", None, None)
    assert (file["size"], file["sha256"], file["number"]) == (None, None, None)
    assert file["problem"]["code"] == "unreadable_scan"
    assert str(len(SCAN) - 1) in file["problem"]["message"]
    assert file["problem"]["remedy"]

    async def is_stored_as_before() -> bool:
        return await stored(house) == before

    await until(is_stored_as_before)  # what was uploaded goes soon after the verdict
    path = f"{API}/cases/{case_id}/files/{file['id']}/content"
    refused(await house.dentist.ask("GET", path), 404, "not_found")


@SQLITE
async def test_a_reason_is_told_in_the_readers_language(house: House) -> None:
    case_id = await house.dentist.new_case()
    file = await house.dentist.upload(case_id, b"no scan at all")
    path = f"{API}/cases/{case_id}/files/{file['id']}"
    dutch = await house.dentist.ask("GET", path, headers={"Accept-Language": "nl-NL,nl;q=0.9"})

    assert dutch.json()["problem"]["message"].startswith("Het bestand is geen STL")
    assert file["problem"]["message"].startswith("The file is not an STL")


@SQLITE
async def test_each_kind_is_numbered_in_its_case_by_itself(house: House) -> None:
    case_id, other = await house.dentist.new_case(), await house.dentist.new_case()
    dentist = house.dentist
    files = [
        await dentist.upload(case_id, SCAN),
        await dentist.upload(case_id, b"nothing"),
        await dentist.upload(case_id, jpeg(), "photo"),
        await dentist.upload(case_id, SCAN),
        await dentist.upload(case_id, png(), "photo"),
        await dentist.upload(other, SCAN),
    ]

    assert [file["number"] for file in files] == [1, None, 1, 2, 2, 1]
    types = [file["media_type"] for file in files]
    assert types == ["model/stl", None, "image/jpeg", "model/stl", "image/png", "model/stl"]


@SQLITE
async def test_a_plan_is_a_pdf_that_nobody_opens_or_a_scan_that_is_inspected(house: House) -> None:
    case_id, _ = await house.planned_case()
    pdf = await house.planner.upload(case_id, PDF, "plan", "plan.pdf")
    stl = await house.planner.upload(case_id, SCAN, "plan", "plan.stl")
    bad = await house.planner.upload(case_id, b"MZ a program", "plan", "plan.pdf")

    assert (pdf["state"], pdf["media_type"]) == ("accepted", "application/pdf")
    assert pdf["report"] == {"kind": "document", "version": 1, "findings": []}
    assert stl["report"]["triangles"] > 0
    assert (bad["state"], bad["problem"]["code"]) == ("refused", "not_a_scan")
    assert await house.planner.download(case_id, pdf["id"]) == PDF


@SQLITE
async def test_a_dentist_sends_no_plan_and_a_planner_no_scan(house: House) -> None:
    case_id, _ = await house.planned_case()
    for person, kind in ((house.dentist, "cGxhbg=="), (house.planner, "c2Nhbg==")):
        headers = {**TUS, "Upload-Length": "9", "Upload-Metadata": f"filename eA==,kind {kind}"}
        answer = await person.ask("POST", f"{API}/cases/{case_id}/files", headers=headers)
        refused(answer, 403, "forbidden")


@SQLITE
async def test_a_file_that_took_nodes_down_again_and_again_is_refused(house: House) -> None:
    case_id = await house.dentist.new_case()
    address, file_id = await house.dentist.begin_upload(case_id, len(SCAN))
    await change(house, "UPDATE files SET attempts = :tried", tried=MOST_ATTEMPTS)
    await house.dentist.append(address, 0, SCAN)

    file = await house.dentist.verdict(case_id, file_id)
    assert (file["state"], file["problem"]["code"]) == ("refused", "inspection_crashed")


@SQLITE
async def test_a_verdict_is_an_outcome_of_the_system_in_the_log(house: House) -> None:
    case_id = await house.dentist.new_case()
    await house.dentist.upload(case_id, SCAN)
    await house.dentist.upload(case_id, b"no scan")

    outcomes = [e for e in await logged(house, "file.inspect") if e["event"]["stage"] == "outcome"]
    assert [e["event"]["detail"] for e in outcomes] == [
        {"verdict": "accepted", "kind": "scan"},
        {"verdict": "refused", "kind": "scan"},
    ]
    assert {e["user"]["id"] for e in outcomes} == {"system:inspection"}


@pytest.mark.parametrize("state", ["receiving", "accepted", "refused"])
@SQLITE
async def test_a_file_taken_out_of_a_draft_leaves_nothing(house: House, state: str) -> None:
    case_id = await house.dentist.new_case()
    before = await stored(house)
    if state == "receiving":
        address, file_id = await house.dentist.begin_upload(case_id, 9)
        await house.dentist.append(address, 0, b"some")
    else:
        content = SCAN if state == "accepted" else b"no scan"
        file_id = (await house.dentist.upload(case_id, content))["id"]
    path = f"{API}/cases/{case_id}/files/{file_id}"

    assert (await house.dentist.ask("DELETE", path)).status == 204
    file = await house.dentist.get(path)
    assert (file["state"], file["name"], file["report"]) == ("removed", None, None)
    assert await stored(house) == before
    refused(await house.dentist.ask("DELETE", path), 404, "not_found")
    refused(await house.dentist.ask("GET", f"{path}/content"), 404, "not_found")


@SQLITE
async def test_whoever_waits_for_a_verdict_gets_it_by_one_look(house: House) -> None:
    case_id = await house.dentist.new_case()
    address, file_id = await house.dentist.begin_upload(case_id, len(SCAN))
    path = f"{API}/cases/{case_id}/files/{file_id}"
    before = await house.dentist.ask("GET", path, headers={"Prefer": "wait=10"})
    assert before.json()["state"] == "receiving"  # that waits for nobody
    await house.dentist.append(address, 0, SCAN)
    seen = len(await logged(house, "file.view"))

    answer = await house.dentist.ask("GET", path, headers={"Prefer": "respond-async, wait=10"})

    assert answer.json()["state"] == "accepted"
    assert answer.json()["report"]["triangles"] > 0
    assert len(await logged(house, "file.view")) == seen + 1


@SQLITE
@pytest.mark.parametrize("prefer", ["wait=", "wait=-1", "wait=x", "wait=99999", "await=10"])
async def test_a_preference_that_is_none_is_not_waited_for(house: House, prefer: str) -> None:
    case_id = await house.dentist.new_case()
    file = await house.dentist.upload(case_id, SCAN)
    path = f"{API}/cases/{case_id}/files/{file['id']}"

    assert (await house.dentist.ask("GET", path, headers={"Prefer": prefer})).status == 200
