"""What contains an incident: each measure does what it says, once, also across a crash."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from gateway.access.accountkeys import HOUSE
from gateway.access.actors import operator
from gateway.errors import UnavailableError
from gateway.ids import new_id, now
from gateway.incidents.words import Remedy
from storage import incidents
from storage.incidents import Measure
from tests.gateway.ground import SQLITE, change, logged, refused, session_of, until
from tests.gateway.incidents.test_incidents import opened
from tests.house import API, House


async def measured(house: House, incident_id: str, kind: str, *subjects: str) -> Any:
    body = {"kind": kind, "subjects": list(subjects)}
    return await house.officer.post(f"{API}/incidents/{incident_id}/measures", body, 201)


async def has_moved_on(house: House) -> bool:
    held = await house.rooms.rotations.versions(operator())
    return {each.version.state for each in held if each.version.version == 1} == {"destroyed"}


async def test_each_measure_does_what_it_says_and_stands_in_timeline_and_log(house: House) -> None:
    planner, incident_id = house.planner, await opened(house)
    case_id, _ = await house.planned_case()
    done_id, _ = await house.planned_case()
    await change(house, "UPDATE cases SET state = 'completed' WHERE id = :c", c=done_id)
    browser = await session_of(house, planner.id)
    other = await session_of(house, house.dentist.id)
    assert (await browser.ask("GET", f"{API}/session")).status == 200

    ended = await measured(house, incident_id, "assignments", planner.id)
    frozen = await measured(house, incident_id, "freeze", case_id, done_id)
    again = await measured(house, incident_id, "freeze", case_id)
    assert (await planner.ask("GET", f"{API}/cases/{case_id}")).status == 404
    shut = await measured(house, incident_id, "sessions", planner.id)
    rotated = await measured(house, incident_id, "keys", house.practice.id, HOUSE)

    assert (ended["state"], ended["result"]) == ("done", {"cases": 2})
    assert (frozen["result"], again["result"]) == (
        {"cases": 2, "left_out": 0},
        {"cases": 0, "left_out": 1},
    )
    assert (shut["result"], rotated["result"]) == (
        {"sessions": 1, "tokens": 1},
        {"practices": 2, "left_out": 0},
    )
    assert (await browser.ask("GET", f"{API}/session")).status == 401
    assert (await planner.ask("GET", f"{API}/cases")).status == 401
    assert (await other.ask("GET", f"{API}/session")).status == 200
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["restricted"]
    await until(partial(has_moved_on, house))
    seen = await house.officer.get(f"{API}/incidents/{incident_id}")
    assert [line["kind"] for line in seen["timeline"]] == ["opened", *["measure", "done"] * 5]
    assert [each["kind"] for each in seen["measures"]] == [
        *("assignments", "freeze", "freeze", "sessions", "keys")
    ]
    acts = [
        *await logged(house, "assignment.end"),
        *await logged(house, "case.restrict"),
        *await logged(house, "session.end"),
    ]
    assert {record["user"]["id"] for record in acts} == {"system:containment"}
    ids = {each["id"] for each in seen["measures"]}
    assert {record["event"]["request_id"] for record in acts} <= ids


@SQLITE
async def test_without_subjects_a_measure_is_for_those_of_the_scope(house: House) -> None:
    incident_id = await opened(house)
    path = f"{API}/incidents/{incident_id}"
    case_id, _ = await house.planned_case()
    await house.planner.get(f"{API}/cases/{case_id}")
    none = await house.officer.ask("POST", f"{path}/measures", json={"kind": "freeze"})
    assert refused(none, 422, "invalid_input")["field"] == "subjects"
    await house.officer.post(f"{path}/scope", {"accounts": [house.planner.id]}, 201)

    frozen = await measured(house, incident_id, "freeze")
    shut = await measured(house, incident_id, "accounts")
    keys = await measured(house, incident_id, "keys")

    assert (frozen["subjects"], shut["subjects"]) == ([case_id], [house.planner.id])
    assert keys["subjects"] == [house.practice.id]
    assert (await house.planner.ask("GET", f"{API}/cases")).status == 401
    body = {"kind": "sessions", "subjects": [new_id()]}
    refused(await house.officer.ask("POST", f"{path}/measures", json=body), 422, "invalid_input")


@SQLITE
async def test_a_measure_that_broke_off_anywhere_is_carried_out_by_whoever_starts_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident_id = await opened(house)
    measures = house.rooms.services.measures
    case_id, _ = await house.submitted_case()
    # Broken off before anything was done: decided on, and no more.
    left = Measure(
        *(new_id(), incident_id, Remedy.FREEZE.value, json.dumps([case_id])),
        *(incidents.INTENDED, house.officer.id, now()),
    )
    async with house.rooms.main.transaction() as tx:
        await incidents.add_measure(tx, left)
    assert await measures.resume() == 1
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["restricted"]

    # Broken off after it was done, before that was written down.
    async def breaks(*_: object) -> bool:
        raise UnavailableError

    path = f"{API}/incidents/{incident_id}"
    with monkeypatch.context() as patch:
        patch.setattr(incidents, "finish_measure", breaks)
        body = {"kind": "accounts", "subjects": [house.planner.id]}
        answer = await house.officer.ask("POST", f"{path}/measures", json=body)
        refused(answer, 503, "unavailable")
    assert (await house.planner.ask("GET", f"{API}/cases")).status == 401
    pending = (await house.officer.get(path))["measures"][-1]
    assert (pending["state"], pending["result"]) == ("intended", None)

    assert await measures.resume() == 1
    assert await measures.resume() == 0

    found = await house.officer.get(path)
    assert {each["state"] for each in found["measures"]} == {"done"}
    assert [line["kind"] for line in found["timeline"]].count("done") == 2


async def test_who_loses_every_case_keeps_none_by_an_emergency(house: House) -> None:
    incident_id = await opened(house)
    case_id, _ = await house.submitted_case()
    path = f"{API}/cases/{case_id}"
    await house.planner.post(f"{path}/emergency", {"reason": "urgent", "minutes": 60}, 201)
    assert (await house.planner.ask("GET", path)).status == 200

    ended = await measured(house, incident_id, "assignments", house.planner.id)

    assert ended["result"] == {"cases": 1}
    assert (await house.planner.ask("GET", path)).status == 404
    again = await measured(house, incident_id, "assignments", house.planner.id)
    assert again["result"] == {"cases": 0}


@SQLITE
async def test_a_practice_that_ended_keeps_no_other_from_a_new_key(house: House) -> None:
    incident_id = await opened(house)
    ended, _ = await house.add_practice()
    await change(house, "UPDATE controllers SET closed_at = 1 WHERE id = :c", c=ended.id)

    rotated = await measured(house, incident_id, "keys", ended.id, house.practice.id)

    assert (rotated["state"], rotated["result"]) == ("done", {"practices": 1, "left_out": 1})
    assert await house.rooms.services.measures.resume() == 0


@SQLITE
async def test_a_measure_asks_a_session_for_a_fresh_proof(house: House) -> None:
    path = f"{API}/incidents/{await opened(house)}/measures"
    old = await session_of(house, house.officer.id, confirmed_at=now() - timedelta(hours=1))
    fresh = await session_of(house, house.officer.id)
    body = {"kind": "accounts", "subjects": [house.planner.id]}

    refused(await old.ask("POST", path, json=body), 403, "confirmation_required")
    assert (await house.planner.ask("GET", f"{API}/cases")).status == 200
    assert (await fresh.ask("POST", path, json=body)).status == 201
