"""The end of the log's legal term: who may end it, what it says of it, what stays."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from gateway.access.actors import operator
from gateway.errors import UnavailableError
from gateway.retention import Retention
from gateway.settings import Settings, load
from keys.signing import Verifier
from storage.accesslog.checkpoint import Head
from storage.accesslog.verify import verify
from storage.schema import events
from tests.gateway.ground import SQLITE, break_the_log, logged, until
from tests.house import API, House


async def count(house: House, *conditions: object) -> int:
    async with house.rooms.main.reading() as connection:
        query = select(func.count()).select_from(events).where(*conditions)  # type: ignore[arg-type]
        return await connection.scalar(query) or 0


async def signed(house: House) -> None:
    async def all_have_a_place() -> bool:
        return await count(house, events.c.index.is_(None)) == 0

    await until(all_have_a_place)


async def test_what_is_past_its_term_goes_and_the_log_stays_whole(house: House) -> None:
    case_id = await house.dentist.new_case()
    await signed(house)
    before = await count(house, events.c.record.is_not(None))

    pruned = await Retention(house.rooms.main, house.rooms.services.access, 0).prune(operator())

    assert 0 < pruned <= before + 1
    asked, done = await logged_prunes(house)
    assert (asked["user"]["role"], asked["event"]["stage"]) == ("operator", "authorised")
    assert done["event"]["detail"] == {"records": pruned}
    assert (await house.dentist.get(f"{API}/cases/{case_id}/events"))["events"]
    await signed(house)
    verifier = Verifier.parse(house.settings.log_key_path.read_text().strip())
    head = Head.read(house.settings.log_head_path)
    assert (await verify(house.rooms.main, verifier.open_note, head)).ok


async def logged_prunes(house: House) -> list[dict[str, dict[str, object]]]:
    async with house.rooms.main.reading() as connection:
        records = await connection.scalars(
            select(events.c.record).where(events.c.record.is_not(None)).order_by(events.c.id)
        )
        found = [json.loads(record or "{}") for record in records]
    return [record for record in found if record["event"]["code"] == "log.prune"]


@SQLITE
async def test_nothing_goes_before_its_term(house: House) -> None:
    await house.dentist.new_case()
    await signed(house)

    assert await house.rooms.retention.prune() == 0
    assert (await logged(house, "log.prune"))[-1]["event"]["detail"] == {"records": 0}


@SQLITE
async def test_what_cannot_be_logged_is_not_pruned(house: House) -> None:
    await house.dentist.new_case()
    await signed(house)
    before = await count(house, events.c.record.is_not(None))
    await break_the_log(house)

    with pytest.raises(UnavailableError):
        await Retention(house.rooms.main, house.rooms.services.access, 0).prune()

    assert await count(house, events.c.record.is_not(None)) == before


def test_a_term_shorter_than_the_law_asks_for_is_refused() -> None:
    assert Settings.model_fields["log_years"].default == 5
    with pytest.raises(Exception, match="log_years"):
        load(log_years=4.9)
