"""Requests for erasure and the punctures that serve them; on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from storage import accounts, erasures
from storage.database import Database
from storage.erasures import Erasure, Puncture
from tests.storage.first_rows import HOUR, NOW, Practice, new_id, practice


async def ask(
    north: Practice, case_id: str, step: str = "frozen", kind: str = "case", **more: Any
) -> Erasure:
    erasure_id = new_id("erasure")
    erasure = Erasure(
        id=erasure_id,
        request_id=erasure_id,
        kind=kind,
        controller_id=north.id,
        case_id=case_id,
        step=step,
        requested_by=north.account_id,
        requested_at=NOW,
        reason="why",
    )
    erasure = replace(erasure, **more)
    async with north.database.transaction() as tx:
        await erasures.add(tx, erasure)
    return erasure


async def test_a_case_has_one_erasure_beside_those_of_its_files(database: Database) -> None:
    north = await practice(database)
    case_id = await north.add_case()
    withdrawn = await ask(north, case_id, "withdrawn")
    asked = await ask(north, case_id)
    of_file = await ask(north, case_id, kind="file", file_id="file-1")

    async with database.reading() as connection:
        assert await erasures.of_case(connection, case_id) == asked
        assert await erasures.of_case(connection, await north.add_case()) is None
        assert await erasures.of_file(connection, case_id, "file-1") == of_file
        assert await erasures.of_file(connection, case_id, "file-2") is None
        assert await erasures.of_request(connection, withdrawn.request_id) == [withdrawn]


async def test_what_waits_starts_once_and_only_while_it_waits(database: Database) -> None:
    north = await practice(database)
    early, late = NOW + HOUR, NOW + 3 * HOUR
    first = await ask(north, await north.add_case(), "waiting", waits_until=early)
    second = await ask(north, await north.add_case(), "waiting", waits_until=late)
    forever = await ask(north, await north.add_case(), "waiting")
    async with database.reading() as connection:
        assert await erasures.unfinished(connection) == []
        assert await erasures.pending(connection, north.id) == [first, second, forever]
        assert await erasures.pending(connection, None) == [first, second, forever]
        assert await erasures.due(connection, NOW) == []
        assert await erasures.due(connection, NOW + 2 * HOUR) == [first]
        assert await erasures.due(connection, NOW + 9 * HOUR) == [first, second]

    async with database.transaction() as tx:
        assert await erasures.start(tx, first.id, second_by="somebody")
        assert not await erasures.start(tx, first.id)
        assert not await erasures.withdraw(tx, first.id)
        assert await erasures.withdraw(tx, second.id)
        assert not await erasures.start(tx, second.id)
    async with database.reading() as connection:
        [started] = await erasures.unfinished(connection)
        assert (started.id, started.step, started.second_by) == (first.id, "frozen", "somebody")
        assert [e.id for e in await erasures.pending(connection, north.id)] == [
            first.id,
            forever.id,
        ]
        assert await erasures.cases_since(connection, north.id, NOW - HOUR) == 2
        assert await erasures.cases_since(connection, north.id, NOW) == 0


async def test_what_a_disabled_account_asked_for_does_not_start_by_time_alone(
    database: Database,
) -> None:
    north, south = await practice(database), await practice(database)
    waiting = [
        await ask(each, await each.add_case(), "waiting", waits_until=NOW + HOUR)
        for each in (north, south)
    ]
    async with database.transaction() as tx:
        await accounts.disable(tx, north.account_id, NOW)
        assert await erasures.due(tx, NOW + 2 * HOUR) == waiting[1:]
        assert await erasures.start(tx, waiting[0].id, second_by="somebody")


async def test_what_is_not_done_is_unfinished_oldest_first(database: Database) -> None:
    north = await practice(database)
    steps = ("frozen", "punctured", "proved", "deleted", "recorded", "done")
    asked = [await ask(north, await north.add_case(), step) for step in steps]
    async with database.reading() as connection:
        assert await erasures.unfinished(connection) == asked[:-1]


async def test_erasures_share_a_puncture_that_goes_step_by_step(database: Database) -> None:
    north = await practice(database)
    asked = [await ask(north, await north.add_case()) for _ in range(3)]
    puncture = Puncture(
        new_id("puncture"), north.id, "begun", 1, 2, "erasure", "system:erasure", NOW
    )
    async with database.transaction() as tx:
        await erasures.add_puncture(tx, puncture)
        for erasure in asked[:2]:
            await erasures.change(tx, erasure.id, puncture_id=puncture.id)
        await erasures.change_puncture(tx, puncture.id, step="backed_up", finished_at=NOW)
    async with database.reading() as connection:
        served = await erasures.of_puncture(connection, puncture.id)
        assert {erasure.id for erasure in served} == {erasure.id for erasure in asked[:2]}
        assert (await erasures.get_puncture(connection, puncture.id)).finished_at == NOW
        assert len(await erasures.punctures_at(connection, "backed_up")) == 1
        assert await erasures.punctures_at(connection, "begun") == []


async def test_a_practice_has_the_puncture_that_is_not_finished(database: Database) -> None:
    north, south = await practice(database), await practice(database)
    ended, begun = (
        Puncture(new_id("puncture"), north.id, step, 1, 2, "rotation", "operator", NOW, at)
        for step, at in (("destroyed", NOW), ("begun", None))
    )
    async with database.transaction() as tx:
        await erasures.add_puncture(tx, ended)
        await erasures.add_puncture(tx, begun)

    async with database.reading() as connection:
        assert await erasures.puncture_under_way(connection, north.id) == begun
        assert await erasures.puncture_under_way(connection, south.id) is None
        assert await erasures.unfinished_punctures(connection) == [begun]
