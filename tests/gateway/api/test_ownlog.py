"""A practice's own events as evidence, and the receipts that answers carry."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import Any

import pytest
from sqlalchemy import select

from storage.schema import log_entries
from tests.gateway.ground import change, logged, refused
from tests.house import API, SCAN, TUS, WAIT_SECONDS, House, Person

EVENTS = f"{API}/log/events"


async def series(person: Person, least: int, query: str = "") -> list[dict[str, Any]]:
    """All events, page by page, once there are so many."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found: list[dict[str, Any]] = []
            after: int | None = 0
            while after is not None:
                page = await person.get(f"{EVENTS}?after={after}&limit=2{query}")
                found += page["events"]
                after = page["next"]
            if len(found) >= least:
                return found
            await asyncio.sleep(0.1)


async def test_a_practice_gets_all_its_events_with_what_proves_each(house: House) -> None:
    await house.dentist.new_case()
    _, foreign = await house.add_practice()
    await foreign.new_case()

    found = await series(house.dentist, 4)

    assert [event["number"] for event in found] == list(range(1, len(found) + 1))
    async with house.rooms.main.reading() as connection:
        rows = await connection.execute(select(log_entries.c.index, log_entries.c.commitment))
        entries = {index: entry for index, entry in rows}  # noqa: C416 - rows are no pairs to mypy
    for event in found:
        record = json.loads(event["record"])
        assert record["object"]["controller_id"] == house.practice.id
        assert record["number"] == event["number"]
        salt = base64.b64decode(event["salt"])
        assert hmac.digest(salt, event["record"].encode(), "sha256") == entries[event["index"]]
        assert event["pruned"] is False


async def test_an_event_past_its_term_keeps_its_number_and_place(house: House) -> None:
    await house.dentist.new_case()
    (first, *_) = await series(house.dentist, 2)
    await change(
        house,
        "UPDATE events SET record = NULL, salt = NULL WHERE controller_id = :id AND number = 1",
        id=house.practice.id,
    )

    (found, *_) = await series(house.dentist, 2)

    gone = {"record": None, "salt": None, "pruned": True}
    assert found == {"number": 1, "index": first["index"], **gone}


async def test_another_practice_is_refused_and_the_try_is_logged(house: House) -> None:
    practice, foreign = await house.add_practice()

    answer = await foreign.ask("GET", f"{EVENTS}?controller={house.practice.id}")

    refused(answer, 403, "forbidden")
    tries = [one for one in await logged(house, "log.view") if one["event"]["stage"] == "refused"]
    assert [one["object"]["controller_id"] for one in tries] == [practice.id]
    assert tries[0]["event"]["detail"]["controller"] == house.practice.id
    own = await foreign.ask("GET", f"{EVENTS}?controller={practice.id}")
    assert own.status == 200


async def test_a_privacy_officer_names_the_practice_which_sees_the_look(house: House) -> None:
    refused(await house.officer.ask("GET", EVENTS), 422, "invalid_input")

    found = await series(house.officer, 2, f"&controller={house.practice.id}")

    looks = [json.loads(event["record"]) for event in await series(house.dentist, len(found))]
    seen_by = {record["user"]["id"] for record in looks if record["event"]["code"] == "log.view"}
    assert house.officer.id in seen_by


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", f"after={2**63}", "limit=0", "limit=1001", "controller=x", "more=1"],
)
async def test_a_query_that_cannot_be_meant_is_refused(house: House, query: str) -> None:
    refused(await house.dentist.ask("GET", f"{EVENTS}?{query}"), 422, "invalid_input")


async def test_every_answer_that_a_client_keeps_names_an_event_of_the_log(house: House) -> None:
    dentist = house.dentist
    case_id = await dentist.new_case()
    path = f"{API}/cases/{case_id}"
    headers = {
        **TUS,
        "Upload-Length": str(len(SCAN)),
        "Upload-Metadata": "filename eA==,kind c2Nhbg==",
    }
    created = await dentist.ask("POST", f"{path}/files", headers=headers)
    appended = await dentist.append(created.headers["Location"], 0, SCAN)
    file_id = created.headers["Kluis-File"]
    await dentist.verdict(case_id, file_id)
    content = await dentist.ask("GET", f"{path}/files/{file_id}/content")
    same = {"If-None-Match": content.headers["ETag"]}
    unchanged = await dentist.ask("GET", f"{path}/files/{file_id}/content", headers=same)
    archive = await dentist.ask("GET", f"{path}/archive")
    look = await dentist.ask("GET", EVENTS)
    await dentist.erase(case_id)
    erasure = await dentist.ask("GET", f"{path}/erasure")

    assert unchanged.status == 304
    expected = {
        "file.upload": [created, appended],
        "file.download": [content, unchanged, archive],
        "log.view": [look],
        "case.erase": [erasure],
    }
    for code, answers in expected.items():
        ids = {record["event"]["id"] for record in await logged(house, code)}
        assert {answer.headers["Kluis-Event"] for answer in answers} <= ids, code
