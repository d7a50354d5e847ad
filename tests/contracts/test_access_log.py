"""What appending promises, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import func, select

from storage.accesslog.event import commitment
from storage.accesslog.log import BATCH, AccessLog
from storage.accesslog.writing import Row
from storage.database import Database
from storage.errors import LogUnavailableError
from storage.schema import events
from tests.storage.accesslog.log_ground import event


@pytest.fixture
async def log(database: Database) -> AsyncIterator[AccessLog]:
    log = AccessLog(database)
    log.start()
    yield log
    async with asyncio.timeout(20):
        await log.close()


@pytest.fixture
def commits(log: AccessLog, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each transaction that was committed since."""
    seen: list[int] = []
    write = log._writer.write

    async def counted(rows: Sequence[Row]) -> None:
        await write(rows)
        seen.append(len(rows))

    monkeypatch.setattr(log._writer, "write", counted)
    return seen


async def stored(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list(await connection.scalars(select(events.c.id).order_by(events.c.id)))


async def test_an_acknowledged_event_is_there_for_everybody(log: AccessLog, main_url: str) -> None:
    await log.append(event(1))

    other = Database(main_url, "main")
    assert await stored(other) == [event(1).id]
    await other.close()


async def test_every_acknowledged_event_of_many_callers_is_there(
    log: AccessLog, database: Database
) -> None:
    async def caller(first: int) -> None:
        for number in range(first, first + 25):
            await log.append(event(number))
            assert event(number).id in await stored(database) or number % 5

    await asyncio.gather(*(caller(each * 25) for each in range(20)))

    assert await stored(database) == [event(number).id for number in range(500)]


async def test_callers_who_wait_together_share_one_commit(
    log: AccessLog, database: Database, commits: list[int]
) -> None:
    await asyncio.gather(*(log.append(event(number)) for number in range(BATCH + 1)))

    assert len(await stored(database)) == BATCH + 1
    assert commits == [BATCH, 1]


async def test_a_failing_transaction_fails_every_waiter_and_leaves_nothing(
    log: AccessLog, database: Database
) -> None:
    outcomes = await asyncio.gather(
        *(log.append(event(number)) for number in (1, 2, 2, 3)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [LogUnavailableError] * 4
    assert await stored(database) == []


async def test_after_a_failure_the_next_event_is_written(
    log: AccessLog, database: Database
) -> None:
    with pytest.raises(LogUnavailableError):
        await asyncio.gather(log.append(event(1)), log.append(event(1)))

    await log.append(event(2))

    assert await stored(database) == [event(2).id]


async def test_a_failure_tells_nothing_of_the_event(log: AccessLog) -> None:
    await log.append(event(1, detail={"reason": "canary"}))
    with pytest.raises(LogUnavailableError) as caught:
        await log.append(event(1, detail={"reason": "canary"}))

    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("hostile", [2**53, "\ud800"])
async def test_an_event_without_canonical_form_fails_its_own_caller_alone(
    log: AccessLog, database: Database, hostile: int | str
) -> None:
    bad, good = await asyncio.gather(
        log.append(event(1, detail={"x": hostile})), log.append(event(2)), return_exceptions=True
    )

    assert isinstance(bad, ValueError)
    assert good is None
    assert await stored(database) == [event(2).id]


async def test_a_nul_in_free_text_is_kept_on_every_database(
    log: AccessLog, database: Database
) -> None:
    await log.append(event(1, detail={"path": "a\x00b"}, actor_id="\x00"))

    assert await stored(database) == [event(1).id]


async def test_a_cancelled_caller_does_not_stop_the_others(
    log: AccessLog, database: Database
) -> None:
    waiting = [asyncio.create_task(log.append(event(number))) for number in range(10)]
    await asyncio.sleep(0)
    waiting[3].cancel()

    async with asyncio.timeout(20):
        await asyncio.gather(*waiting[:3], *waiting[4:])

    assert {event(number).id for number in range(10) if number != 3} <= set(await stored(database))


async def test_closing_writes_what_waits(database: Database) -> None:
    log = AccessLog(database)
    log.start()
    waiting = [asyncio.create_task(log.append(event(number))) for number in range(BATCH + 5)]
    await asyncio.sleep(0)

    await log.close()

    assert len(await stored(database)) == BATCH + 5
    await asyncio.gather(*waiting)


async def test_a_closed_log_takes_no_event(database: Database) -> None:
    log = AccessLog(database)
    with pytest.raises(LogUnavailableError):
        await log.append(event(1))
    log.start()
    await log.close()
    await log.close()
    with pytest.raises(LogUnavailableError):
        await log.append(event(1))


async def test_an_append_wakes_the_sequencer(log: AccessLog) -> None:
    assert not log.appended.is_set()
    await log.append(event(1))
    assert log.appended.is_set()


async def test_a_change_and_its_event_are_there_together_or_not_at_all(
    log: AccessLog, database: Database
) -> None:
    async def change(outcome: Exception | None) -> None:
        async with database.transaction() as tx:
            await log.append_in(tx, event(1))
            if outcome:
                raise outcome

    with pytest.raises(KeyError):
        await change(KeyError())
    assert await stored(database) == []

    await change(None)
    assert await stored(database) == [event(1).id]


async def test_every_event_has_a_salt_of_its_own_and_no_place_yet(
    log: AccessLog, database: Database
) -> None:
    await asyncio.gather(*(log.append(event(number)) for number in range(50)))

    async with database.reading() as connection:
        salts = list(await connection.scalars(select(events.c.salt)))
        placed = await connection.scalar(
            select(func.count()).where(events.c.index.is_not(None) | events.c.number.is_not(None))
        )
    assert len(set(salts)) == 50
    assert {len(salt or b"") for salt in salts} == {32}
    assert placed == 0


def test_a_commitment_depends_on_every_bit_of_salt_and_record() -> None:
    # RFC 4231, test case 2.
    assert commitment(b"Jefe", "what do ya want for nothing?") == bytes.fromhex(
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
