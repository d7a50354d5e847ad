"""Requests for erasure and the punctures that serve them; on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from storage import erasures
from storage.database import Database
from storage.erasures import Erasure, Puncture
from tests.storage.first_rows import NOW, Practice, new_id, practice


async def ask(north: Practice, case_id: str, step: str = "frozen") -> Erasure:
    erasure = Erasure(new_id("erasure"), case_id, north.id, step, north.account_id, NOW, "why")
    async with north.database.transaction() as tx:
        await erasures.add(tx, erasure)
    return erasure


async def test_a_case_has_one_erasure(database: Database) -> None:
    north = await practice(database)
    case_id = await north.add_case()
    asked = await ask(north, case_id)
    with pytest.raises(IntegrityError):
        await ask(north, case_id)

    async with database.reading() as connection:
        assert await erasures.of_case(connection, case_id) == asked
        assert await erasures.of_case(connection, await north.add_case()) is None


async def test_what_is_not_done_is_unfinished_oldest_first(database: Database) -> None:
    north = await practice(database)
    steps = ("frozen", "punctured", "proved", "deleted", "recorded", "done")
    asked = [await ask(north, await north.add_case(), step) for step in steps]
    async with database.reading() as connection:
        assert await erasures.unfinished(connection) == asked[:-1]


async def test_erasures_share_a_puncture_that_goes_step_by_step(database: Database) -> None:
    north = await practice(database)
    asked = [await ask(north, await north.add_case()) for _ in range(3)]
    puncture = Puncture(new_id("puncture"), north.id, "begun", 1, 2, NOW)
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
