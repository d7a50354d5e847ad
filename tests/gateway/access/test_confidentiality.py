"""Nobody of the house sees a case before they confirmed their duty of confidentiality (P12)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gateway.access import duty
from gateway.access.limits import needs_confidentiality
from gateway.access.policy import STAFF, Action, Role
from gateway.ids import now
from storage.schema.columns import microseconds
from tests.gateway.ground import SQLITE, UNKNOWN, change, logged, refused
from tests.house import API, House, Person

OWN = f"{API}/account/confidentiality"
PROMISE = {"version": duty.VERSION}


async def newcomer(house: House, role: str = "planner") -> Person:
    person = await house.add_person(role)
    statement = "UPDATE accounts SET confidential_at = NULL WHERE id = :id"
    await change(house, statement, id=person.id)
    return person


async def age(house: House, person: Person, by: timedelta) -> None:
    statement = "UPDATE accounts SET confidential_at = :at WHERE id = :id"
    await change(house, statement, at=microseconds(now() - by), id=person.id)


async def test_who_has_not_confirmed_is_refused_and_the_practice_sees_it(house: House) -> None:
    case_id, file = await house.submitted_case()
    planner = await newcomer(house)
    body = {"email": planner.email}
    await house.coordinator.post(f"{API}/cases/{case_id}/assignments", body, 201)
    paths = ("", f"/files/{file['id']}", f"/files/{file['id']}/content", "/archive")
    for path in paths:
        answer = await planner.ask("GET", f"{API}/cases/{case_id}{path}")
        assert (
            "/api/v1/account/confidentiality"
            in refused(answer, 403, "confidentiality_required")["field"]
        )
    refused(await planner.ask("GET", f"{API}/cases"), 403, "confidentiality_required")
    assert (await planner.get(OWN))["until"] is None

    seen = (await house.dentist.get(f"{API}/cases/{case_id}/events"))["events"]
    refusals = [event for event in seen if event["stage"] == "refused"]
    assert {event["detail"]["refusal"] for event in refusals} == {"confidentiality_required"}
    assert len(refusals) == len(paths)

    until = datetime.fromisoformat((await planner.post(OWN, PROMISE))["until"])
    assert abs(until - now() - timedelta(days=365)) < timedelta(minutes=5)
    assert (await planner.get(f"{API}/cases/{case_id}"))["id"] == case_id


@SQLITE
async def test_the_refusal_tells_nothing_of_a_case_that_is_not_theirs(house: House) -> None:
    case_id, _ = await house.submitted_case()
    planner = await newcomer(house)

    for unknown in (case_id, UNKNOWN):
        refused(await planner.ask("GET", f"{API}/cases/{unknown}"), 404, "not_found")


@SQLITE
async def test_a_confirmation_counts_for_a_year(house: House) -> None:
    planner = house.planner
    await age(house, planner, duty.TERM - timedelta(minutes=1))
    assert (await planner.ask("GET", f"{API}/cases")).status == 200

    await age(house, planner, duty.TERM)
    refused(await planner.ask("GET", f"{API}/cases"), 403, "confidentiality_required")
    await planner.post(OWN, PROMISE)
    assert (await planner.ask("GET", f"{API}/cases")).status == 200


@SQLITE
async def test_a_text_that_changed_is_confirmed_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty, "VERSION", duty.VERSION + 1)

    refused(await house.planner.ask("GET", f"{API}/cases"), 403, "confidentiality_required")
    assert (await house.planner.get(OWN))["confirmed_at"] is None
    answer = await house.planner.ask("POST", OWN, json=PROMISE)
    assert refused(answer, 422, "invalid_input")["field"] == "version"
    await house.planner.post(OWN, {"version": duty.VERSION})
    assert (await house.planner.ask("GET", f"{API}/cases")).status == 200


@SQLITE
async def test_the_duty_is_read_in_english_and_in_dutch(house: House) -> None:
    said = {}
    for language in ("en", "nl"):
        headers = {"Accept-Language": language}
        said[language] = (await house.planner.ask("GET", OWN, headers=headers)).json()["text"]

    assert said == duty.TEXT
    assert "geheim" not in said["en"]


async def test_a_confirmation_is_an_event_of_the_account(house: House) -> None:
    planner = await newcomer(house)
    await planner.post(OWN, PROMISE)

    allowed, outcome = await logged(house, "confidentiality.confirm")
    assert allowed["object"]["authorisation"] == "own_account"
    assert (outcome["user"]["id"], outcome["event"]["detail"]) == (planner.id, PROMISE)


@SQLITE
async def test_a_practice_is_bound_by_its_profession_and_not_asked(house: House) -> None:
    statement = "UPDATE accounts SET confidential_at = NULL WHERE id = :id"
    await change(house, statement, id=house.dentist.id)

    assert (await house.dentist.ask("GET", f"{API}/cases")).status == 200


@SQLITE
@pytest.mark.parametrize("path", ["erasures", "log/events?controller="])
async def test_an_officer_confirms_before_the_log_too(house: House, path: str) -> None:
    officer = await newcomer(house, "privacy_officer")
    whole = f"{API}/{path}{house.practice.id if path.endswith('=') else ''}"

    refused(await officer.ask("GET", whole), 403, "confidentiality_required")
    await officer.post(OWN, PROMISE)
    assert (await officer.ask("GET", whole)).status == 200


def test_whatever_is_about_patients_asks_for_it_and_nothing_else_does() -> None:
    asked = {action for action in Action if needs_confidentiality(action, Role.PLANNER)}
    rooms = {action.partition(".")[0] for action in asked}

    assert {"case", "file", "plan", "erasure", "log", "assignment"} <= rooms
    assert not rooms & {"session", "account", "confidentiality", "token", "house", "profile"}
    for action in Action:
        for role in set(Role) - STAFF:
            assert not needs_confidentiality(action, role)
