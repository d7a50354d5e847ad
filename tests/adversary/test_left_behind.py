"""A single erased file, and an identity that was corrected, open from no copy; the case goes on.

The attacker of tests/stories/test_erasure.py: copies of every row and blob from before and after,
and today's keyring with its passphrase. Beside it the controls: all else of the case opens, and so
does everything with a copy of the keyring from before, as the certificate says.
"""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.access.controllerkeys import ControllerKeys
from gateway.privacy.patients import Patients
from tests.gateway.ground import logged
from tests.house import API, PATIENT, WAIT_SECONDS, House
from tests.scans import arch, binary_stl
from tests.stories.test_erasure import Kept, loot
from tests.stories.test_erasure_certificate import public_keys, verified_body

OTHER = binary_stl(arch(1_500, seed=31))
RIGHT = {"name": "Willemijn Echtenaam", "birth_date": "2002-02-03", "number": "PX-40918"}


async def certified(house: House, request_id: str) -> Any:
    """The certificate of what was asked for, once it is there."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            [erasure] = (await house.dentist.get(f"{API}/erasures/{request_id}"))["erasures"]
            if erasure["step"] == "done":
                return erasure["certificate"]
            await asyncio.sleep(0.05)


async def erase_file(house: House, case_id: str, file_id: str) -> Any:
    body = {"reason": f"asked for by {PATIENT['name']}", "confirm": file_id}
    path = f"{API}/cases/{case_id}/files/{file_id}/erasure"
    asked = await house.dentist.post(path, body, 202)
    assert (asked["kind"], asked["file_id"], asked["step"]) == ("file", file_id, "frozen")
    return await certified(house, asked["id"])


async def rectify(house: House, case_id: str, patient: Mapping[str, str] = RIGHT) -> Any:
    answer = await house.dentist.ask("PUT", f"{API}/cases/{case_id}/patient", json=patient)
    assert answer.status == 202, answer.text
    return answer.json()


async def test_an_erased_file_opens_with_nothing_of_today_and_the_rest_of_its_case_opens(
    house: House, tmp_path: Path
) -> None:
    case_id, gone = await house.submitted_case()
    await house.coordinator.post(
        f"{API}/cases/{case_id}/assignments", {"email": house.planner.email}, 201
    )
    before = await Kept.of(house)
    kept_keyring = tmp_path / "kept-keyring.json"
    shutil.copyfile(house.settings.keyring_path, kept_keyring)
    original = await house.dentist.download(case_id, gone["id"])
    [blob] = [row["blob_id"] for row in before.files if row["id"] == gone["id"]]

    certificate = await erase_file(house, case_id, gone["id"])
    everything = before + await Kept.of(house)
    today = await loot(house.settings.keyring_path, everything)

    assert blob not in today.files
    assert ("file-key", blob) not in today.keys
    assert not any(name.endswith(gone["id"]) for _, name in today.records)
    assert not list((house.settings.data / "blobs").rglob(blob))
    body = verified_body(certificate, await public_keys(house))
    assert (body["kind"], [file["id"] for file in body["files"]]) == ("file", [gone["id"]])
    assert "Proefpersoon" not in json.dumps(certificate)
    # The rest goes on, for everybody who had it.
    sight = await house.dentist.get(f"{API}/cases/{case_id}")
    assert sight["patient"] == PATIENT
    assert [file["state"] for file in sight["files"]] == ["erased"]
    assert (await house.planner.get(f"{API}/cases/{case_id}"))["notes"] == sight["notes"]
    assert b"Proefpersoon" in today.records[case_id, "identity"]
    # The honest rest.
    then = await loot(kept_keyring, before)
    assert then.files[blob] == original
    assert any("taken outside" in rest for rest in body["not_covered"])


async def test_the_other_files_of_a_case_outlive_the_erasure_of_one(house: House) -> None:
    case_id = await house.dentist.new_case()
    one = await house.dentist.upload(case_id, OTHER, name="one.stl")
    two = await house.dentist.upload(case_id, binary_stl(arch(1_500, seed=32)), name="two.stl")
    content = await house.dentist.download(case_id, two["id"])

    await erase_file(house, case_id, one["id"])

    seen = await house.dentist.get(f"{API}/cases/{case_id}/files/{two['id']}")
    assert {**seen, "slot": None} == {**two, "slot": None}
    assert await house.dentist.download(case_id, two["id"]) == content
    thumbnail = f"{API}/cases/{case_id}/files/{two['id']}/thumbnail"
    assert (await house.dentist.ask("GET", thumbnail)).status == 200
    path = f"{API}/cases/{case_id}/files/{one['id']}"
    assert (await house.dentist.ask("GET", f"{path}/content")).status == 404
    assert (await house.dentist.ask("GET", f"{path}/thumbnail")).status == 404
    third = await house.dentist.upload(case_id, OTHER, name="again.stl")
    assert third["state"] == "accepted"


async def test_an_identity_that_was_corrected_opens_from_no_copy(
    house: House, tmp_path: Path
) -> None:
    notes = f"{PATIENT['name']} and {RIGHT['name']} are one"
    case_id = await house.dentist.new_case(notes=notes)
    scan = await house.dentist.upload(case_id, OTHER)
    before = await Kept.of(house)
    kept_keyring = tmp_path / "kept-keyring.json"
    shutil.copyfile(house.settings.keyring_path, kept_keyring)

    asked = await rectify(house, case_id)
    certificate = await certified(house, asked["id"])
    everything = before + await Kept.of(house)
    today = await loot(house.settings.keyring_path, everything)

    identities = [plain for (_, name), plain in today.records.items() if name == "identity"]
    assert all(b"Echtenaam" in plain and b"Proefpersoon" not in plain for plain in identities)
    assert identities
    body = verified_body(certificate, await public_keys(house))
    assert (body["kind"], body["files"]) == ("rectification", [])
    assert [record["name"] for record in body["records"]] == ["identity", "brief"]
    assert not {"Proefpersoon", "Echtenaam"} & set(json.dumps(certificate).split())
    then = await loot(kept_keyring, before)
    assert b"Proefpersoon" in then.records[case_id, "identity"]
    # The case goes on with what is right.
    sight = await house.dentist.get(f"{API}/cases/{case_id}")
    assert sight["patient"] == RIGHT
    assert len(await house.dentist.download(case_id, scan["id"])) > 0
    events = await logged(house, "case.rectify")
    told = json.dumps(events)
    assert events[1]["event"]["detail"]["fields"] == ["name", "birth_date", "number"]
    assert not any(value in told for value in (*PATIENT.values(), *RIGHT.values()))


async def test_the_planner_sees_neither_the_old_name_nor_the_new_one(house: House) -> None:
    case_id, _ = await house.planned_case()
    notes = f"crowding; {PATIENT['name']}, now {RIGHT['name']}"
    other = await house.dentist.new_case(notes=notes)
    await house.dentist.upload(other, OTHER)
    await house.dentist.post(f"{API}/cases/{other}/submission")
    body = {"email": house.planner.email}
    await house.coordinator.post(f"{API}/cases/{other}/assignments", body, 201)

    await rectify(house, other)

    seen = await house.planner.get(f"{API}/cases/{other}")
    assert "crowding" in seen["notes"]
    assert not any(word in seen["notes"] for word in ("Proefpersoon", "Echtenaam"))
    assert (await house.planner.get(f"{API}/cases/{case_id}"))["pseudonym"] != seen["pseudonym"]


async def test_a_corrected_patient_is_found_by_what_is_right_alone(house: House) -> None:
    case_id = await house.dentist.new_case()
    pseudonym = (await house.dentist.get(f"{API}/cases/{case_id}"))["pseudonym"]
    await rectify(house, case_id)

    async def found(**wanted: str) -> list[str]:
        answer = await house.dentist.post(f"{API}/cases/search", wanted)
        return [case["id"] for case in answer["cases"]]

    assert await found(patient_name=RIGHT["name"]) == [case_id]
    assert await found(patient_number=RIGHT["number"]) == [case_id]
    assert await found(patient_name=PATIENT["name"]) == []
    assert await found(patient_number=PATIENT["number"]) == []
    assert await found(birth_date=PATIENT["birth_date"]) == []
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["pseudonym"] == pseudonym


async def test_a_case_of_another_patient_than_was_thought_goes_to_that_patient(
    house: House,
) -> None:
    wrong, right = await house.dentist.new_case(), await house.dentist.new_case(RIGHT)
    other = await house.dentist.new_case()
    await rectify(house, wrong)

    names = {}
    for case_id in (wrong, right, other):
        names[case_id] = (await house.dentist.get(f"{API}/cases/{case_id}"))["pseudonym"]
    assert names[wrong] == names[right] != names[other]
    found = await house.dentist.post(f"{API}/cases/search", {"patient_number": PATIENT["number"]})
    assert [case["id"] for case in found["cases"]] == [other]


async def test_a_key_that_a_correction_made_and_never_used_opens_nothing_either(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await house.dentist.new_case()
    gone = await house.dentist.upload(case_id, OTHER)
    await house.dentist.upload(case_id, binary_stl(arch(1_500, seed=33)))
    correct = Patients.correct

    async def fail(*_: object) -> str:
        raise OSError(errno.EIO, "the disk")

    monkeypatch.setattr(Patients, "correct", fail)
    broken = await house.dentist.ask("PUT", f"{API}/cases/{case_id}/patient", json=RIGHT)
    assert broken.status == 503
    monkeypatch.setattr(Patients, "correct", correct)
    before = await Kept.of(house)
    blob = next(row["blob_id"] for row in before.files if row["id"] == gone["id"])
    assert len([row for row in before.keys if row["object_id"] == blob]) == 2

    await erase_file(house, case_id, gone["id"])
    today = await loot(house.settings.keyring_path, before + await Kept.of(house))

    assert blob not in today.files
    assert ("file-key", blob) not in today.keys


async def test_a_key_that_comes_behind_an_erasure_is_not_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await house.dentist.new_case()
    await house.dentist.upload(case_id, OTHER)
    store = ControllerKeys.store

    async def late(keys: ControllerKeys, *arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(ControllerKeys, "store", store)
        await house.dentist.erase(case_id)
        await store(keys, *arguments, **more)

    monkeypatch.setattr(ControllerKeys, "store", late)
    answer = await house.dentist.ask("PUT", f"{API}/cases/{case_id}/patient", json=RIGHT)

    assert answer.status in {409, 503}
    assert not [row for row in (await Kept.of(house)).keys if row["case_id"] == case_id]
