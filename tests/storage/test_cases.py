"""Cases, assignments and pseudonyms as rows; on both databases."""

from __future__ import annotations

import asyncio

import pytest

from storage import accounts, cases
from storage.cases import Assignment
from storage.database import Database
from tests.storage.first_rows import HOUR, NOW, Practice, new_id, practice


@pytest.fixture
async def north(database: Database) -> Practice:
    return await practice(database)


async def assign(north: Practice, case_id: str, **until: object) -> Assignment:
    ends_at = until.get("ends_at")
    assignment = Assignment(
        new_id("assignment"),
        case_id,
        north.account_id,
        north.account_id,
        NOW,
        ends_at,  # type: ignore[arg-type]
    )
    async with north.database.transaction() as tx:
        await cases.assign(tx, assignment)
    return assignment


async def running(north: Practice, case_id: str, hours: float) -> bool:
    async with north.database.reading() as connection:
        at = NOW + hours * HOUR
        found = await cases.running_assignment(connection, case_id, north.account_id, at)
    return found is not None


async def test_an_assignment_runs_from_its_start_until_its_end(north: Practice) -> None:
    case_id = await north.add_case()
    await assign(north, case_id, ends_at=NOW + HOUR)

    assert not await running(north, case_id, -0.01)
    assert await running(north, case_id, 0)
    assert await running(north, case_id, 0.99)
    assert not await running(north, case_id, 1)
    assert not await running(north, await north.add_case(), 0.5)


async def test_an_assignment_without_end_runs_until_it_is_ended(north: Practice) -> None:
    case_id = await north.add_case()
    first, second = await assign(north, case_id), await assign(north, case_id)
    async with north.database.transaction() as tx:
        await cases.end_assignments(tx, case_id, NOW + HOUR, assignment_id=first.id)
    assert await running(north, case_id, 2)
    async with north.database.transaction() as tx:
        await cases.end_assignments(tx, case_id, NOW + HOUR, account_id="another")
    assert await running(north, case_id, 2)
    async with north.database.transaction() as tx:
        await cases.end_assignments(tx, case_id, NOW + 3 * HOUR)

    assert not await running(north, case_id, 3)
    async with north.database.reading() as connection:
        ended = [a.ends_at for a in await cases.assignments_of(connection, case_id)]
    assert ended == [NOW + HOUR, NOW + 3 * HOUR]
    assert second.ends_at is None


async def test_a_list_holds_what_was_asked_for_newest_first(
    database: Database, north: Practice
) -> None:
    south = await practice(database)
    async with database.transaction() as tx:
        await cases.add_subject(tx, "SUBJECT", north.id, NOW)
    draft, submitted = await north.add_case(), await north.add_case("SUBJECT", "submitted")
    foreign, assigned = await south.add_case(), await north.add_case()
    await assign(north, assigned)
    await assign(north, draft, ends_at=NOW)

    async def found(**wanted: object) -> list[str]:
        async with database.reading() as connection:
            rows = await cases.list_cases(connection, NOW, **{"limit": 10, **wanted})  # type: ignore[arg-type]
        return [case.id for case in rows]

    assert await found() == [assigned, foreign, submitted, draft]
    assert await found(limit=2) == [assigned, foreign]
    assert await found(limit=2, before=foreign) == [submitted, draft]
    assert await found(controller_id=north.id) == [assigned, submitted, draft]
    assert await found(assigned_to=north.account_id) == [assigned]
    assert await found(pseudonyms=["SUBJECT"]) == [submitted]
    assert await found(pseudonyms=[]) == []
    assert await found(state="draft", controller_id=south.id) == [foreign]


async def test_a_subject_is_found_by_field_digest_and_controller(
    database: Database, north: Practice
) -> None:
    south = await practice(database)
    async with database.transaction() as tx:
        for pseudonym, controller in (("ONE", north.id), ("TWO", north.id), ("SIX", south.id)):
            await cases.add_subject(tx, pseudonym, controller, NOW)
            digests = [("name", b"same"), ("number", pseudonym.encode())]
            for _ in range(2):
                await cases.index_subject(tx, pseudonym, controller, digests)
    async with database.reading() as connection:
        assert await cases.find_subjects(connection, north.id, "name", b"same") == {"ONE", "TWO"}
        assert await cases.find_subjects(connection, north.id, "number", b"ONE") == {"ONE"}
        assert await cases.find_subjects(connection, south.id, "number", b"ONE") == frozenset()
        assert await cases.find_subjects(connection, north.id, "birth_date", b"same") == frozenset()


async def test_a_subject_is_forgotten_with_its_last_case(
    database: Database, north: Practice
) -> None:
    async with database.transaction() as tx:
        await cases.add_subject(tx, "SUBJECT", north.id, NOW)
        await cases.index_subject(tx, "SUBJECT", north.id, [("name", b"x")])
    case_id = await north.add_case("SUBJECT")
    for left in ({"SUBJECT"}, frozenset[str]()):
        async with database.transaction() as tx:
            if not left:
                await cases.change(tx, case_id, pseudonym=None)
            await cases.delete_subject_without_cases(tx, "SUBJECT")
            assert await cases.find_subjects(tx, north.id, "name", b"x") == left


async def test_who_locks_a_case_is_alone_with_it(database: Database, north: Practice) -> None:
    case_id, seen = await north.add_case(), []

    async def submit() -> None:
        async with database.transaction() as tx:
            case = await cases.lock(tx, case_id)
            assert case is not None
            seen.append(case.state)
            await asyncio.sleep(0)
            await cases.change(tx, case_id, state=f"{case.state}+")

    await asyncio.gather(*(submit() for _ in range(4)))
    assert seen == ["draft", "draft+", "draft++", "draft+++"]
    async with database.transaction() as tx:
        assert await cases.lock(tx, "nothing") is None
        case = await cases.lock(tx, case_id)
        assert case is not None
        assert await cases.known_keys(tx, [case.key_id, "nothing"]) == {case.key_id}


async def test_a_locked_case_and_its_controller_can_still_be_referred_to(
    database: Database, north: Practice
) -> None:
    case_id = await north.add_case()
    async with database.transaction() as tx:
        await accounts.lock_controller(tx, north.id)
        await cases.lock(tx, case_id)
        if not database.is_sqlite:  # of which one writes at a time
            async with asyncio.timeout(10):
                await north.add_file(case_id)


async def test_who_locks_a_controller_registers_alone(database: Database, north: Practice) -> None:
    async def register(number: int) -> bool:
        async with database.transaction() as tx:
            await accounts.lock_controller(tx, north.id)
            if await cases.find_subjects(tx, north.id, "number", b"x"):
                return False
            await cases.add_subject(tx, f"S{number}", north.id, NOW)
            await cases.index_subject(tx, f"S{number}", north.id, [("number", b"x")])
            return True

    assert sum(await asyncio.gather(*map(register, range(5)))) == 1
