"""Many erasures at once: one request, and a second person or a day before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from storage import erasures
from tests.gateway.ground import SQLITE, Browser, change, logged, refused, signed_in, until
from tests.house import API, PASSWORD, PATIENT, SCAN, House, Person


async def ask(who: Person, cases: Sequence[str], reason: str = "asked for") -> Any:
    body = {"cases": list(cases), "reason": reason, "confirm": len(set(cases))}
    return await who.post(f"{API}/erasures", body, 202)


async def done(who: Person, request_id: str) -> Sequence[Any]:
    """The erasures of a request, once all are done."""
    found: list[Any] = []

    async def is_done() -> bool:
        found[:] = (await who.get(f"{API}/erasures/{request_id}"))["erasures"]
        return all(erasure["step"] == "done" for erasure in found)

    await until(is_done)
    return found


async def wait_from(house: House, number: int) -> None:
    statement = "UPDATE controllers SET erasure_second_from = :number"
    await change(house, statement, number=number)


async def test_cases_that_are_erased_together_share_one_puncture(house: House) -> None:
    cases = [await house.dentist.new_case({**PATIENT, "number": f"N{n}"}) for n in range(4)]
    living = await house.dentist.new_case()
    asked = await ask(house.dentist, [*cases, cases[0]], f"for {PATIENT['name']}")

    assert asked["open"] == 4
    found = await done(house.dentist, asked["erasures"][0]["request_id"])
    bodies = [erasure["certificate"]["body"] for erasure in found]
    assert [body["case_id"] for body in bodies] == cases
    assert {body["key"]["destroyed_version"] for body in bodies} == {1}
    assert "Proefpersoon" not in str(bodies)
    assert (await house.dentist.get(f"{API}/cases/{living}"))["patient"] == PATIENT
    async with house.rooms.keystore.reading():
        assert await house.rooms.keyring.versions(house.practice.id) == {2}


@SQLITE
async def test_one_case_that_is_not_ones_own_leaves_all_of_them_alone(house: House) -> None:
    _, foreign = await house.add_practice()
    own, other = await house.dentist.new_case(), await foreign.new_case()
    body = {"cases": [own, other], "reason": "asked for", "confirm": 2}

    answer = await house.dentist.ask("POST", f"{API}/erasures", json=body)

    refused(answer, 404, "not_found")
    assert not (await house.dentist.get(f"{API}/cases/{own}"))["frozen"]


@SQLITE
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("confirm", {"confirm": 2}),
        ("reason", {"reason": " "}),
        ("cases", {"cases": []}),
        ("cases.0", {"cases": ["a case"]}),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_its_field(
    house: House, field: str, wrong: dict[str, object]
) -> None:
    body = {"cases": [await house.dentist.new_case()], "reason": "asked for", "confirm": 1}

    answer = await house.dentist.ask("POST", f"{API}/erasures", json={**body, **wrong})

    assert refused(answer, 422, "invalid_input")["field"] == field


@SQLITE
async def test_ten_cases_wait_unless_the_practice_has_set_something_else(house: House) -> None:
    cases = [await house.dentist.new_case() for _ in range(10)]
    asked = await ask(house.dentist, cases)
    [first, *_] = asked["erasures"]

    assert {erasure["step"] for erasure in asked["erasures"]} == {"waiting"}
    assert first["waits_until"] > first["requested_at"]
    await change(house, "UPDATE controllers SET erasure_delay_hours = 0, erasure_second_from = 1")
    forever = await ask(house.dentist, [await house.dentist.new_case()])
    assert forever["erasures"][0]["step"] == "waiting"
    assert forever["erasures"][0]["waits_until"] is None
    await wait_from(house, 0)
    assert (await ask(house.dentist, [await house.dentist.new_case()]))["erasures"][0][
        "step"
    ] == "frozen"


@SQLITE
async def test_one_by_one_they_wait_from_the_same_number_on(house: House) -> None:
    await wait_from(house, 3)
    steps = []
    for _ in range(4):
        case_id = await house.dentist.new_case()
        body = {"reason": "asked for", "confirm": case_id}
        asked = await house.dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)
        steps.append(asked["step"])
    assert steps == ["frozen", "frozen", "waiting", "waiting"]

    await change(house, "UPDATE erasures SET requested_at = requested_at - 86400 * 1000000")
    assert (await ask(house.dentist, [await house.dentist.new_case()]))["erasures"][0][
        "step"
    ] == "frozen"


async def test_while_it_waits_everything_goes_on_until_a_colleague_approves(house: House) -> None:
    await wait_from(house, 1)
    colleague = await house.add_person("dentist", house.practice.id)
    case_id, _ = await house.planned_case()
    draft = await house.dentist.new_case()
    asked = await ask(house.dentist, [case_id, draft])
    request_id = asked["erasures"][0]["request_id"]

    assert (await house.planner.get(f"{API}/cases/{case_id}"))["age_years"] is not None
    assert (await house.dentist.upload(draft, SCAN))["state"] == "accepted"
    path = f"{API}/erasures/{request_id}"
    own = await house.dentist.ask("POST", f"{path}/approval", json={})
    assert refused(own, 422, "invalid_input")["field"] == "approval"
    seen = await house.officer.get(f"{API}/erasures")
    assert [erasure["case_id"] for erasure in seen["erasures"]] == [case_id, draft]
    rule = {"controller_id": house.practice.id, "second_person_from": 1, "delay_hours": 24}
    assert seen["rules"] == [rule]
    _, foreign = await house.add_practice()
    seen = await foreign.get(f"{API}/erasures")
    assert seen["erasures"] == []
    assert [each["second_person_from"] for each in seen["rules"]] == [10]

    approved = await colleague.post(f"{path}/approval", status=202)
    assert {erasure["step"] for erasure in approved["erasures"]} == {"frozen"}
    found = await done(colleague, request_id)
    assert {each["certificate"]["body"]["second_by"] for each in found} == {colleague.id}
    assert (await house.planner.ask("GET", f"{API}/cases/{case_id}")).status == 404
    late = await colleague.ask("DELETE", path)
    refused(late, 409, "wrong_state")
    again = await colleague.ask("POST", f"{path}/approval", json={})
    refused(again, 409, "wrong_state")


async def test_a_delay_that_is_over_begins_the_erasure_by_itself(house: House) -> None:
    await wait_from(house, 1)
    case_id = await house.dentist.new_case()
    asked = await ask(house.dentist, [case_id])
    assert not (await house.dentist.get(f"{API}/cases/{case_id}"))["frozen"]

    await change(house, "UPDATE erasures SET waits_until = requested_at")

    [erasure] = await done(house.dentist, asked["erasures"][0]["request_id"])
    assert erasure["certificate"]["body"]["second_by"] is None


@SQLITE
async def test_a_reason_is_cleaned_of_who_waits_already_as_well(house: House) -> None:
    await wait_from(house, 1)
    known = await house.dentist.new_case({**PATIENT, "name": "Willemijn Echtenaam"})
    await ask(house.dentist, [known])
    fresh = await house.dentist.new_case({**PATIENT, "number": "another"})

    asked = await ask(house.dentist, [fresh, known], "for Willemijn Echtenaam")

    assert [erasure["case_id"] for erasure in asked["erasures"]] == [known, fresh]
    async with house.rooms.main.reading() as connection:
        for case_id in (known, fresh):
            erasure = await erasures.of_case(connection, case_id)
            assert erasure is not None
            assert "Echtenaam" not in erasure.reason


@SQLITE
async def test_a_case_that_is_erased_already_withholds_no_reason(house: House) -> None:
    erased, fresh = [await house.dentist.new_case() for _ in range(2)]
    await house.dentist.erase(erased)
    alarms = await logged(house, "integrity.alarm")

    await ask(house.dentist, [erased, fresh], f"asked for by {PATIENT['name']}")

    async with house.rooms.main.reading() as connection:
        asked = await erasures.of_case(connection, fresh)
    assert asked is not None
    assert asked.reason.startswith("asked for by [")
    assert await logged(house, "integrity.alarm") == alarms


@SQLITE
async def test_what_was_withdrawn_is_as_if_nobody_had_asked(house: House) -> None:
    await wait_from(house, 1)
    case_id = await house.dentist.new_case()
    request_id = (await ask(house.dentist, [case_id]))["erasures"][0]["request_id"]

    assert (await house.dentist.ask("DELETE", f"{API}/erasures/{request_id}")).status == 204
    await change(house, "UPDATE erasures SET waits_until = requested_at")

    assert not await house.rooms.erasures.advance()
    assert (await house.dentist.get(f"{API}/erasures"))["open"] == 0
    refused(await house.dentist.ask("GET", f"{API}/cases/{case_id}/erasure"), 404, "not_found")
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["patient"] == PATIENT
    [event] = [
        e for e in await logged(house, "erasure.withdraw") if e["event"]["stage"] == "outcome"
    ]
    assert event["object"]["case_id"] == case_id
    await wait_from(house, 0)
    assert (await ask(house.dentist, [case_id]))["erasures"][0]["step"] == "frozen"


@SQLITE
async def test_a_browser_gives_its_password_again_before_any_of_it(house: House) -> None:
    await wait_from(house, 1)
    browser = await signed_in(house)
    case_id = await house.dentist.new_case()
    scan = await house.dentist.upload(case_id, SCAN)
    request_id = (await ask(house.dentist, [await house.dentist.new_case()]))["erasures"][0][
        "request_id"
    ]
    requests: list[tuple[str, str, object]] = [
        ("POST", f"{API}/erasures", {"cases": [case_id], "reason": "asked", "confirm": 1}),
        ("POST", f"{API}/erasures/{request_id}/approval", {}),
        (
            "POST",
            f"{API}/cases/{case_id}/files/{scan['id']}/erasure",
            {"reason": "asked", "confirm": scan["id"]},
        ),
        ("PUT", f"{API}/cases/{case_id}/patient", PATIENT),
    ]
    for method, path, body in requests:
        await change(house, "UPDATE sessions SET confirmed_at = 0")
        answer = await browser.ask(method, path, json=body)
        refused(answer, 403, "confirmation_required")
        await _confirm(browser)
        assert (await browser.ask(method, path, json=body)).status == 202, path


async def _confirm(browser: Browser) -> None:
    path = f"{API}/session/confirmation"
    assert (await browser.ask("POST", path, json={"password": PASSWORD})).status == 200
