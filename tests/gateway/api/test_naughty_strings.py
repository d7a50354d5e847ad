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


def tried(house: House) -> list[str]:
    """Our own, and on one kind of database every third of the others (the notes take them all)."""
    return [*OWN, *STRINGS[len(OWN) :: 3]] if house.rooms.main.is_sqlite else OWN


async def test_no_string_in_a_patient_is_a_fault_and_all_come_back(house: House) -> None:
    kept = 0
    for string in tried(house):
        patient = {"name": string, "birth_date": "2001-02-03", "number": string}
        answer = await house.dentist.ask("POST", f"{API}/cases", json={"patient": patient})
        assert answer.status in {201, 422}, (string, answer.text)
        if answer.status == 201:
            kept += 1
            path = f"{API}/cases/{answer.json()['id']}"
            case = await house.dentist.get(path)
            assert case["patient"]["name"] == string.strip()
            assert case["patient"]["number"] == string.strip()
    assert kept >= 5


@SQLITE
async def test_no_string_in_a_note_is_a_fault_and_all_come_back(house: House) -> None:
    printable = [string for string in STRINGS if "\0" not in string]
    for start in range(0, len(printable), 40):
        notes = "\n".join(printable[start : start + 40])[:20_000]
        patient = {"name": "Wqxjkv", "birth_date": "1931-07-13", "number": "Wqxjkv"}
        body = {"patient": patient, "notes": notes}
        case = await house.dentist.post(f"{API}/cases", body, 201)
        assert case["removed_from_notes"] == []
        assert (await house.dentist.get(f"{API}/cases/{case['id']}"))["notes"] == notes


async def test_no_string_in_a_search_is_a_fault(house: House) -> None:
    for string in OWN:
        for field in ("patient_name", "patient_number", "birth_date"):
            answer = await house.dentist.ask("POST", f"{API}/cases/search", json={field: string})
            assert answer.status in {200, 422}, (field, string, answer.text)


async def test_no_string_in_a_file_name_is_a_fault_and_all_come_back(house: House) -> None:
    case_id = await house.dentist.new_case()
    for string in tried(house)[:100]:
        name = base64.b64encode(string.encode("utf-8", "surrogatepass")).decode()
        headers = {**TUS, "Upload-Length": "9", "Upload-Metadata": f"filename {name},kind c2Nhbg=="}
        answer = await house.dentist.ask("POST", f"{API}/cases/{case_id}/files", headers=headers)
        assert answer.status in {201, 409, 422}, (string, answer.text)
        if answer.status == 201:
            file_id = answer.headers["Kluis-File"]
            files = (await house.dentist.get(f"{API}/cases/{case_id}"))["files"]
            assert [file["name"] for file in files if file["id"] == file_id] == [string]


async def test_no_string_in_a_reason_is_a_fault(house: House) -> None:
    path = f"{API}/cases/{await house.dentist.new_case()}/erasure"
    body = {"reason": "asked for", "confirm": "\0"}
    assert (await house.dentist.ask("POST", path, json=body)).status == 422
    for string in OWN[1:12]:
        case_id = await house.dentist.new_case()
        body = {"reason": f"because {string}", "confirm": case_id}
        answer = await house.dentist.ask("POST", f"{API}/cases/{case_id}/erasure", json=body)
        assert answer.status in {202, 422}, (string, answer.text)


async def test_no_string_as_an_address_is_a_fault(house: House) -> None:
    case_id, _ = await house.submitted_case()
    for string in OWN:
        body = {"email": string}
        answer = await house.coordinator.ask(
            "POST", f"{API}/cases/{case_id}/assignments", json=body
        )
        assert answer.status == 422, (string, answer.text)


async def test_no_string_signs_anybody_in(house: House) -> None:
    for string in OWN[:8]:
        body = {"email": string, "password": string}
        answer = await house.stranger.ask("POST", f"{API}/session", json=body)
        assert answer.status in {401, 422}, (string, answer.text)


@SQLITE
async def test_half_a_surrogate_pair_is_refused_wherever_it_stands(house: House) -> None:
    half = r'"\ud800"'
    bodies = {
        f"{API}/cases": f'{{"patient": {{"name": {half}}}}}',
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
