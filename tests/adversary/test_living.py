"""No living key is lost: uploads at each of the nine steps, and corrections while files come in."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from keys.context import Purpose
from storage.schema import wrapped_keys
from tests.adversary.test_left_behind import RIGHT, certified, rectify
from tests.gateway.ground import SQLITE, change
from tests.house import API, PATIENT, TUS, WAIT_SECONDS, Answer, House
from tests.scans import arch, binary_stl

SCAN = binary_stl(arch(400, seed=51))
HALF = len(SCAN) // 2
PUNCTURE = ["begun", "created", "rewrapped", "backed_up", "dropped"]
ENDING = {"punctured", "proved", "deleted", "recorded"}
BUSY = 503
METADATA = {"Upload-Metadata": "filename eC5zdGw=,kind c2Nhbg=="}


@dataclass
class Living:
    """Cases of the same practice that begin at one step, and go on behind it."""

    house: House
    at: list[str] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)

    async def begin(self, step: str) -> tuple[str, str, str]:
        self.at.append(step)
        patient = {**PATIENT, "number": f"living {len(self.at)}"}
        case_id = await self.house.dentist.new_case(patient)
        address, file_id = await self.house.dentist.begin_upload(case_id, len(SCAN))
        assert (await self.house.dentist.append(address, 0, SCAN[:HALF])).status == 204
        return case_id, file_id, address

    async def end(self, case_id: str, file_id: str, address: str) -> None:
        assert (await self.house.dentist.append(address, HALF, SCAN[HALF:])).status == 204
        file = await self.house.dentist.verdict(case_id, file_id)
        assert file["state"] == "accepted", file
        self.files.append((case_id, file_id))


async def test_uploads_at_each_step_of_a_puncture_lose_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased, corrected = await house.dentist.new_case(), await house.dentist.new_case()
    living, carrying_out = Living(house), house.rooms.erasures
    step_on, go_on = carrying_out._punctures.advance, carrying_out._ending.go_on

    async def stepped(transaction: Any, puncture: Any, *rest: Any) -> bool:
        begun = await living.begin(puncture.step)
        done = await step_on(transaction, puncture, *rest)
        await living.end(*begun)
        return done

    async def ended(transaction: Any, erasure: Any) -> None:
        if erasure.step in living.at:
            await go_on(transaction, erasure)
            return
        begun = await living.begin(erasure.step)
        await go_on(transaction, erasure)
        await living.end(*begun)

    monkeypatch.setattr(carrying_out._punctures, "advance", stepped)
    monkeypatch.setattr(carrying_out._ending, "go_on", ended)
    asked = await rectify(house, corrected)
    await house.dentist.erase(erased)
    await certified(house, asked["id"])

    assert set(living.at) == {*PUNCTURE, *ENDING}
    for case_id, file_id in living.files:
        assert (await house.dentist.get(f"{API}/cases/{case_id}"))["patient"]["name"]
        content = await house.dentist.download(case_id, file_id)
        assert len(content) == len(SCAN)
    found = await house.dentist.post(f"{API}/cases/search", {"patient_name": PATIENT["name"]})
    assert {case["id"] for case in found["cases"]} == {case_id for case_id, _ in living.files}


async def patiently(house: House, method: str, path: str, **more: Any) -> Answer:
    """Ask again while a case is given another key at that very moment."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            answer = await house.dentist.ask(method, path, **more)
            if answer.status != BUSY:
                return answer
            await asyncio.sleep(0.01)


async def test_a_case_that_is_given_another_key_loses_no_file_that_comes_in(house: House) -> None:
    case_id = await house.dentist.new_case()
    path = f"{API}/cases/{case_id}"
    accepted: dict[str, str] = {}

    async def upload(seed: int) -> None:
        for number in range(4):
            scan = binary_stl(arch(400, seed=seed + number))
            begin = {"headers": {**TUS, **METADATA, "Upload-Length": str(len(scan))}}
            begun = await patiently(house, "POST", f"{path}/files", **begin)
            address, file_id = begun.headers["Location"], begun.headers["Kluis-File"]
            assert (await house.dentist.append(address, 0, scan)).status == 204
            file = await house.dentist.verdict(case_id, file_id)
            assert file["state"] == "accepted", file
            accepted[file["id"]] = file["sha256"]

    async def correct() -> None:
        for number in range(6):
            patient = {**RIGHT, "name": f"Echtenaam {number}"}
            assert (await patiently(house, "PUT", f"{path}/patient", json=patient)).status == 202

    async def look() -> None:
        for _ in range(20):
            assert (await patiently(house, "GET", path)).status == 200

    await asyncio.gather(upload(100), upload(200), correct(), look())
    gone = min(accepted)
    body = {"reason": "asked for", "confirm": gone}
    answer = await patiently(house, "POST", f"{path}/files/{gone}/erasure", json=body)
    await certified(house, answer.json()["id"])

    sight = await house.dentist.get(path)
    assert sight["patient"] == {**RIGHT, "name": "Echtenaam 5"}
    for file in sight["files"]:
        if file["id"] == gone:
            assert (file["state"], file["name"], file["report"]) == ("erased", None, None)
            continue
        assert file["name"] is not None
        content = await house.dentist.download(case_id, file["id"])
        assert hashlib.sha256(content).hexdigest() == accepted[file["id"]]


@SQLITE
async def test_the_keys_that_a_case_left_behind_do_not_stay(house: House) -> None:
    case_id = await house.dentist.new_case()
    one = await house.dentist.upload(case_id, SCAN)
    for number in range(3):
        asked = await rectify(house, case_id, {**RIGHT, "name": f"Echtenaam {number}"})
    await certified(house, asked["id"])

    async with house.rooms.keystore.reading() as connection:
        rows = (await connection.execute(select(wrapped_keys))).all()
    of_case = [row for row in rows if row.case_id == case_id]
    [case_key] = [row for row in of_case if row.purpose == Purpose.CASE_KEY]
    [file_key] = [row for row in of_case if row.purpose == Purpose.FILE_KEY]
    assert file_key.under == case_key.object_id != case_id
    assert await house.dentist.download(case_id, one["id"])


@SQLITE
async def test_an_erasure_of_the_case_takes_along_what_it_left_behind(house: House) -> None:
    case_id, scan = await house.submitted_case()
    asked = await rectify(house, case_id)
    path = f"{API}/cases/{case_id}/files/{scan['id']}/erasure"
    of_file = await house.dentist.post(path, {"reason": "a", "confirm": scan["id"]}, 202)
    await house.dentist.erase(case_id)

    for request_id in (asked["id"], of_file["id"]):
        assert (await certified(house, request_id))["body"]["case_id"] == case_id
    async with house.rooms.keystore.reading() as connection:
        rows = (await connection.execute(select(wrapped_keys.c.case_id))).scalars()
        assert case_id not in set(rows)
    answer = await house.dentist.ask("PUT", f"{API}/cases/{case_id}/patient", json=RIGHT)
    assert answer.status == 409


@SQLITE
async def test_a_record_that_was_altered_holds_up_no_correction(house: House) -> None:
    case_id = await house.dentist.new_case()
    one = await house.dentist.upload(case_id, SCAN)
    two = await house.dentist.upload(case_id, binary_stl(arch(400, seed=52)))
    await change(house, "UPDATE files SET sealed_verdict = x'00' WHERE id = :id", id=one["id"])

    asked = await rectify(house, case_id)

    await certified(house, asked["id"])
    altered = await house.dentist.ask("GET", f"{API}/cases/{case_id}/files/{one['id']}")
    assert altered.status == 500
    assert await house.dentist.download(case_id, two["id"])
