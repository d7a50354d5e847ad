"""What a list tells of a case without opening it: when it is wanted, and its files as numbers."""

from __future__ import annotations

import numpy as np

from tests.gateway.ground import SQLITE, refused
from tests.house import API, PATIENT, SCAN, House
from tests.scans import arch, binary_stl

pytestmark = SQLITE

HOLED = binary_stl(np.delete(arch(2_500, seed=9), np.arange(700, 760), axis=0))


async def test_a_list_says_when_a_case_is_wanted_and_what_of_its_files_wants_a_look(
    house: House,
) -> None:
    body = {"patient": PATIENT, "treatment": "retainer", "due": "2031-12-11"}
    case = await house.dentist.post(f"{API}/cases", body, 201)
    nothing = dict.fromkeys(("scans", "photos", "plans", "on_their_way", "refused", "warnings"), 0)
    assert (case["due"], case["glance"]) == ("2031-12-11", None)

    await house.dentist.upload(case["id"], SCAN)
    holed = await house.dentist.upload(case["id"], HOLED, name="lower.stl")
    await house.dentist.upload(case["id"], b"no photo", kind="photo", name="front.jpg")
    await house.dentist.begin_upload(case["id"], 1_000, "scan", "bite.stl")
    warnings = [one for one in holed["report"]["findings"] if one["severity"] == "warning"]
    assert warnings != []

    for person in (house.dentist, house.coordinator):
        (listed,) = (await person.get(f"{API}/cases"))["cases"]
        assert listed["due"] == "2031-12-11"
        assert listed["glance"] == nothing | {
            "scans": 2,
            "on_their_way": 1,
            "refused": 1,
            "warnings": len(warnings),
        }


async def test_a_day_that_there_is_not_is_refused(house: House) -> None:
    body = {"patient": PATIENT, "due": "2031-02-30"}
    answer = await house.dentist.ask("POST", f"{API}/cases", json=body)

    assert refused(answer, 422, "invalid_input")["field"] == "due"
