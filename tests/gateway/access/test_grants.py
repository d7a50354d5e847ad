"""No Grant without a committed event; no effect without a Grant; refusals are events too."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.access.actors import Actor, nobody, system
from gateway.access.grants import Grant, Target
from gateway.access.policy import Action, Role
from gateway.errors import ForbiddenError, NotFoundError, UnavailableError
from storage.schema import cases, events, files, wrapped_keys
from tests.gateway.ground import SQLITE, UNKNOWN, break_the_log, logged, refused
from tests.house import API, PATIENT, TUS, House


def dentist(house: House) -> Actor:
    return Actor(house.dentist.id, Role.DENTIST, house.practice.id, access_point="api")


async def test_the_event_is_there_for_all_to_read_before_the_grant_is(house: House) -> None:
    case_id = await house.dentist.new_case()

    grant = await house.rooms.services.access.authorise(
        dentist(house), Action.FILE_DOWNLOAD, case_id, target=Target("file", UNKNOWN)
    )

    async with house.rooms.main.reading() as connection:
        found = await connection.execute(
            select(events.c.case_id).where(events.c.id == grant.event_id)
        )
        assert found.scalar_one() == case_id
    event = (await logged(house, "file.download"))[-1]
    assert event["event"]["stage"] == "authorised"
    assert event["event"]["action"] == "R"
    assert event["object"]["authorisation"] == "own_practice"
    assert event["object"]["id"] == UNKNOWN
    assert event["user"] == {"id": house.dentist.id, "role": "dentist", "access_point": "api"}


async def test_a_refusal_is_an_event_that_the_practice_sees(house: House) -> None:
    case_id = await house.dentist.new_case()
    _, foreign = await house.add_practice()

    await foreign.get(f"{API}/cases/{case_id}", 404)
    await house.planner.get(f"{API}/cases/{case_id}/archive", 404)

    seen = (await house.dentist.get(f"{API}/cases/{case_id}/events"))["events"]
    refusals = [event for event in seen if event["stage"] == "refused"]
    assert [(event["event"], event["actor"]["id"]) for event in refusals] == [
        ("case.view", foreign.id),
        ("file.download", house.planner.id),
    ]
    assert {event["ground"] for event in refusals} == {"none"}
    assert {event["detail"]["refusal"] for event in refusals} == {"not_found"}
    assert all(event["address"] == "127.0.0.1" for event in refusals)


@SQLITE
async def test_the_events_of_one_request_carry_the_id_that_the_answer_told(house: House) -> None:
    case_id = await house.dentist.new_case()
    answer = await house.dentist.ask("GET", f"{API}/cases/{case_id}")

    last = (await logged(house, "case.view"))[-1]
    assert last["event"]["request_id"] == answer.headers["X-Request-Id"]


@SQLITE
async def test_an_outcome_names_the_event_that_allowed_it(house: House) -> None:
    case_id = await house.dentist.new_case()

    allowed, outcome = await logged(house, "case.create")
    assert outcome["event"]["stage"] == "outcome"
    assert outcome["event"]["cause"] == allowed["event"]["id"]
    assert outcome["object"]["case_id"] == case_id


async def test_a_search_is_logged_by_its_fields_and_results_never_its_term(house: House) -> None:
    case_id = await house.dentist.new_case()
    await house.dentist.post(f"{API}/cases/search", {"patient_number": PATIENT["number"]})

    asked, found = await logged(house, "case.search")
    assert asked["event"]["detail"] == {"fields": ["number"]}
    assert found["event"]["detail"] == {"cases": [case_id]}
    assert PATIENT["number"] not in str((asked, found))


async def test_a_list_over_several_practices_tells_each_of_its_own_cases_alone(
    house: House,
) -> None:
    ours = await house.dentist.new_case()
    practice, foreign = await house.add_practice()
    theirs = await foreign.new_case()

    await house.coordinator.get(f"{API}/cases")

    outcomes = [e for e in await logged(house, "case.list") if e["event"]["stage"] == "outcome"]
    told = {e["object"]["controller_id"]: e["event"]["detail"]["cases"] for e in outcomes}
    assert told == {house.practice.id: [ours], practice.id: [theirs]}


@SQLITE
async def test_without_a_log_nothing_is_shown_and_nothing_happens(house: House) -> None:
    case_id, file = await house.planned_case()
    draft = await house.dentist.new_case()
    address, _ = await house.dentist.begin_upload(draft, 9)
    _, foreign = await house.add_practice()
    before = await _rows(house)
    await break_the_log(house)
    path, scan = f"{API}/cases/{case_id}", {**TUS, "Upload-Length": "9"}
    scan["Upload-Metadata"] = "filename eA==,kind c2Nhbg=="
    erasure = {"json": {"reason": "asked for", "confirm": case_id}}
    answers = [
        await house.dentist.ask("GET", path),
        await house.dentist.ask("GET", f"{API}/cases"),
        await house.dentist.ask("GET", f"{path}/files/{file['id']}/content"),
        await house.dentist.ask("GET", f"{path}/archive"),
        await house.dentist.ask("GET", f"{path}/events"),
        await house.dentist.ask("POST", f"{API}/cases", json={"patient": PATIENT}),
        await house.dentist.ask("POST", f"{API}/cases/search", json={"patient_name": "x"}),
        await house.dentist.ask("POST", f"{path}/erasure", **erasure),
        await house.dentist.ask("POST", f"{API}/cases/{draft}/files", headers=scan),
        await house.dentist.append(address, 0, b"some"),
        await house.coordinator.ask(
            "POST", f"{path}/assignments", json={"email": house.planner.email}
        ),
        await house.dentist.ask("DELETE", f"{API}/session"),
        # A refusal that cannot be logged is not told either.
        await foreign.ask("GET", path),
    ]

    for answer in answers:
        refused(answer, 503, "unavailable")
        assert answer.headers["Retry-After"]
    assert await _rows(house) == before


@SQLITE
async def test_a_refusal_that_cannot_be_logged_is_no_answer_at_all(house: House) -> None:
    access = house.rooms.services.access
    await house.rooms.access_log.close()

    with pytest.raises(UnavailableError):
        await access.authorise(nobody(None, UNKNOWN), Action.CASE_CREATE)


@SQLITE
async def test_only_who_is_named_may_act_without_a_case(house: House) -> None:
    access = house.rooms.services.access
    with pytest.raises(ForbiddenError):
        await access.authorise(nobody(None, UNKNOWN), Action.CASE_LIST)
    with pytest.raises(ForbiddenError):
        await access.authorise(dentist(house), Action.CONTROLLER_ADD)

    assert (await access.authorise(dentist(house), Action.CASE_LIST)).ground == "own_practice"


@SQLITE
async def test_the_system_itself_finds_no_case_that_does_not_exist(house: House) -> None:
    with pytest.raises(NotFoundError):
        await house.rooms.services.access.authorise(
            system("inspection"), Action.FILE_INSPECT, UNKNOWN
        )


def test_a_grant_for_no_case_opens_none() -> None:
    grant = Grant("event", Action.CASE_LIST, system("test"), "none", None)

    with pytest.raises(NotFoundError):
        _ = grant.case


async def _rows(house: House) -> list[object]:
    """Everything that an act could have changed."""
    found: list[object] = []
    async with house.rooms.main.reading() as connection:
        found += (await connection.execute(select(cases).order_by(cases.c.id))).all()
        found += (await connection.execute(select(files).order_by(files.c.id))).all()
    async with house.rooms.keystore.reading() as connection:
        keys = select(wrapped_keys).order_by(wrapped_keys.c.purpose, wrapped_keys.c.object_id)
        found += (await connection.execute(keys)).all()
    return found
