"""Strings that break software, in every field of text: never a fault, and back as they came."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator


from tests.gateway.ground import SQLITE, refused
from tests.house import API, TUS, House
from tests.scans import CORPUS

OWN = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ufeff",
    "\u202eright to left",
    "'; DROP TABLE cases; --",
    "<script>alert(1)</script>",
    "{field} {0} %s %n ${x}",
    "../../etc/passwd",
    "a\r\nSet-Cookie: x=1",
    "\u037a",  # letters of which nothing is left to compare
    "\ufc5e",
    "\uff9e",
    "\u200b\u200c",
    "e\u0301",
    "\U0001f9b7" * 20,
    "\u0130\u0131\u017f\ufb03",
    "x" * 200,
    "x" * 201,
    "9" * 5000,
]


def naughty() -> Iterator[str]:
    """Our own list, and the corpus where it is at hand."""
    yield from OWN
    for path in (CORPUS / "text").glob("naughty-strings.json"):
        yield from json.loads(path.read_text())


STRINGS = list(dict.fromkeys(naughty()))
FINE = {200, 201, 401, 404, 409, 413, 422}


async def test_no_string_in_a_patient_or_a_note_is_a_fault_and_all_come_back(house: House) -> None:
    dentist, kept = house.dentist, 0
    for string in STRINGS:
        patient = {"name": string, "birth_date": "2001-02-03", "number": string}
        answer = await dentist.ask("POST", f"{API}/cases", json={"patient": patient})
        assert answer.status in FINE, (string, answer.text)
        if answer.status == 201:
            kept += 1
            path = f"{API}/cases/{answer.json()['id']}"
            case = await dentist.get(path)
            assert case["patient"]["name"] == string.strip()
            assert case["patient"]["number"] == string.strip()
            found = await dentist.post(f"{API}/cases/search", {"patient_name": string})
            assert case["id"] in [case["id"] for case in found["cases"]]
    assert kept > len(OWN) / 3


async def test_no_string_in_a_note_is_a_fault_and_all_come_back(house: House) -> None:
    patient = {"name": "A", "birth_date": "2001-02-03", "number": "1"}
    for string in STRINGS:
        body = {"patient": patient, "notes": string}
        answer = await house.dentist.ask("POST", f"{API}/cases", json=body)
        assert answer.status in FINE, (string, answer.text)
        if answer.status == 201:
            case = await house.dentist.get(f"{API}/cases/{answer.json()['id']}")
            assert case["notes"] == answer.json()["notes"]
            if answer.json()["removed_from_notes"] == []:
                assert case["notes"] == string


async def test_no_string_in_a_search_is_a_fault(house: House) -> None:
    for string in STRINGS:
        for field in ("patient_name", "patient_number", "birth_date"):
            answer = await house.dentist.ask("POST", f"{API}/cases/search", json={field: string})
            assert answer.status in {200, 422}, (field, string, answer.text)


async def test_no_string_in_a_file_name_is_a_fault_and_all_come_back(house: House) -> None:
    case_id = await house.dentist.new_case()
    for string in STRINGS[:120]:
        name = base64.b64encode(string.encode("utf-8", "surrogatepass")).decode()
        headers = {**TUS, "Upload-Length": "9", "Upload-Metadata": f"filename {name},kind c2Nhbg=="}
        answer = await house.dentist.ask("POST", f"{API}/cases/{case_id}/files", headers=headers)
        assert answer.status in FINE, (string, answer.text)
        if answer.status == 201:
            file_id = answer.headers["Kluis-File"]
            files = (await house.dentist.get(f"{API}/cases/{case_id}"))["files"]
            assert [file["name"] for file in files if file["id"] == file_id] == [string]


async def test_no_string_in_a_reason_is_a_fault(house: House) -> None:
    case_id = await house.dentist.new_case()
    path = f"{API}/cases/{case_id}/erasure"
    for string in STRINGS:
        body = {"reason": string, "confirm": string}
        assert (await house.dentist.ask("POST", path, json=body)).status == 422, string
    for string in OWN:
        case_id = await house.dentist.new_case()
        body = {"reason": f"because {string}", "confirm": case_id}
        answer = await house.dentist.ask("POST", f"{API}/cases/{case_id}/erasure", json=body)
        assert answer.status in {202, 422}, (string, answer.text)


async def test_no_string_as_an_address_is_a_fault(house: House) -> None:
    case_id, _ = await house.submitted_case()
    for string in STRINGS[:120]:
        body = {"email": string}
        answer = await house.coordinator.ask(
            "POST", f"{API}/cases/{case_id}/assignments", json=body
        )
        assert answer.status == 422, (string, answer.text)


async def test_no_string_signs_anybody_in(house: House) -> None:
    for string in OWN:
        body = {"email": string, "password": string}
        answer = await house.stranger.ask("POST", f"{API}/session", json=body)
        assert answer.status in {401, 422}, (string, answer.text)


@SQLITE
async def test_half_a_surrogate_pair_is_refused_wherever_it_stands(house: House) -> None:
    half = r'"\ud800"'
    bodies = {
        f"{API}/cases": f'{{"patient": {{"name": {half}, "birth_date": "2001-02-03", "number": "1"}}}}',
        f"{API}/cases/search": f'{{"patient_name": {half}}}',
        f"{API}/session": f'{{"email": {half}, "password": {half}}}',
        f"{API}/cases/search?x=1": f'{{{half}: "1"}}',
    }
    for path, body in bodies.items():
        headers = {"Content-Type": "application/json"}
        answer = await house.dentist.ask("POST", path, headers=headers, data=body)
        refused(answer, 422, "invalid_input")


@SQLITE
async def test_a_name_with_nothing_to_compare_is_the_senders_mistake(house: House) -> None:
    for name in ("\u037a", "\ufc5e", "\uff9e"):
        patient = {"name": name, "birth_date": "2001-02-03", "number": "1"}
        answer = await house.dentist.ask("POST", f"{API}/cases", json={"patient": patient})
        assert refused(answer, 422, "invalid_input")["field"] == "patient.name"
        answer = await house.dentist.ask("POST", f"{API}/cases/search", json={"patient_name": name})
        refused(answer, 422, "invalid_input")
