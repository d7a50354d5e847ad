"""Somebody alters what waits to be inspected: it never reaches a worker, and is logged."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from storage.blobs import Area
from storage.schema import parts
from tests.adversary.attacks import (
    LARGE,
    Ground,
    Tally,
    alarms,
    altered_blobs,
    blob,
)
from tests.house import API, House


@pytest.fixture
def backend() -> str:
    """An attacker's SQL is the same on both; one of them is enough."""
    return "sqlite"


async def test_an_altered_part_in_quarantine_is_refused_before_inspection_and_logged(
    ground: Ground,
) -> None:
    tally, house = Tally(), ground.house
    attacks = list(altered_blobs(b"", random.Random(5)))
    for number, name in enumerate(name for name, _ in attacks):
        if name.startswith("random"):
            continue  # of these a blob in the vault had its share

        async def attack(waiting: Waiting, number: int = number) -> None:
            sealed = waiting.paths[0].read_bytes()
            changed = [c for _, c in altered_blobs(sealed, random.Random(5))][number]
            waiting.paths[0].write_bytes(changed)

        tally.count(name, await _quarantine_fault(house, ground.large.case_id, attack))
    tally.close("altered part")


async def test_a_part_moved_swapped_or_taken_away_is_refused_before_inspection_and_logged(
    ground: Ground,
) -> None:
    tally, house = Tally(), ground.house

    async def missing(waiting: Waiting) -> None:
        waiting.paths[0].unlink()

    async def swapped(waiting: Waiting) -> None:
        first, second = (path.read_bytes() for path in waiting.paths[:2])
        waiting.paths[0].write_bytes(second)
        waiting.paths[1].write_bytes(first)

    async def of_another_upload(waiting: Waiting) -> None:
        other = await _wait_in_quarantine(house, waiting.case_id)
        waiting.paths[0].write_bytes(other.paths[0].read_bytes())

    async def rows_swapped(waiting: Waiting) -> None:
        async with house.rooms.main.transaction() as tx:
            found = (await tx.execute(_parts_of(waiting.file_id))).mappings().all()
            await tx.execute(delete(parts).where(parts.c.file_id == waiting.file_id))
            first, second = dict(found[0]), dict(found[1])
            first["blob_id"], second["blob_id"] = second["blob_id"], first["blob_id"]
            await tx.execute(insert(parts), [first, second])

    async def numbers_swapped(waiting: Waiting) -> None:
        async with house.rooms.main.transaction() as tx:
            found = (await tx.execute(_parts_of(waiting.file_id))).mappings().all()
            await tx.execute(delete(parts).where(parts.c.file_id == waiting.file_id))
            first, second = dict(found[0]) | {"number": 1}, dict(found[1]) | {"number": 0}
            await tx.execute(insert(parts), [first, second])

    async def row_taken_away(waiting: Waiting) -> None:
        async with house.rooms.main.transaction() as tx:
            gone = (parts.c.file_id == waiting.file_id) & (parts.c.number == 1)
            await tx.execute(delete(parts).where(gone))

    async def row_doubled(waiting: Waiting) -> None:
        # The same bytes twice: the second row names a copy of the first one's blob.
        async with house.rooms.main.transaction() as tx:
            first = (await tx.execute(_parts_of(waiting.file_id))).mappings().all()[0]
            copied = first["blob_id"][:-4] + "0000"
            target = blob(house, Area.QUARANTINE, copied)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(waiting.paths[0].read_bytes())
            await tx.execute(insert(parts), [dict(first) | {"number": 7, "blob_id": copied}])

    for attack in (
        missing,
        swapped,
        of_another_upload,
        rows_swapped,
        numbers_swapped,
        row_taken_away,
        row_doubled,
    ):
        fault = await _quarantine_fault(house, ground.large.case_id, attack)
        tally.count(attack.__name__, fault)
    tally.close("moved part")


@dataclass(frozen=True)
class Waiting:
    """An upload in quarantine, all but its last bytes there, in two parts."""

    case_id: str
    file_id: str
    address: str
    received: int
    paths: tuple[Path, ...]


async def _wait_in_quarantine(house: House, case_id: str) -> Waiting:
    dentist, cut = house.dentist, len(LARGE) - 5_000
    address, file_id = await dentist.begin_upload(case_id, len(LARGE))
    assert (await dentist.append(address, 0, LARGE[:cut])).status == 204
    assert (await dentist.append(address, cut, LARGE[cut : cut + 4_000])).status == 204
    async with house.rooms.main.reading() as connection:
        found = (await connection.execute(_parts_of(file_id))).mappings().all()
    paths = tuple(blob(house, Area.QUARANTINE, part["blob_id"]) for part in found)
    assert len(paths) == 2
    return Waiting(case_id, file_id, address, cut + 4_000, paths)


async def _quarantine_fault(
    house: House, case_id: str, attack: Callable[[Waiting], Awaitable[None]]
) -> str | None:
    """What is wrong with the verdict on an upload that was altered while it waited."""
    before = await alarms(house)
    waiting = await _wait_in_quarantine(house, case_id)
    await attack(waiting)
    rest = LARGE[waiting.received :]
    assert (await house.dentist.append(waiting.address, waiting.received, rest)).status == 204
    file = await house.dentist.verdict(case_id, waiting.file_id)
    await house.dentist.ask("DELETE", f"{API}/cases/{case_id}/files/{waiting.file_id}")
    if file["state"] != "refused" or file["problem"]["code"] != "integrity_failed":
        return f"{file['state']} {file['problem']}"
    return None if await alarms(house) > before else "no integrity event"


def _parts_of(file_id: str) -> Any:
    return select(parts).where(parts.c.file_id == file_id).order_by(parts.c.number)
