"""The house whose inventory is taken: one of everything, made once and copied for each test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.rooms import Rooms
from storage import files
from storage.blobs import Area
from storage.database import Database
from tests.adversary.matrix_house import Victim, add_dentist, rooms_of, set_up


@dataclass(frozen=True)
class Ids:
    """What is in the house."""

    practice: str
    dentist: str
    factor: str
    case: str
    file: str
    blob: str
    draft: str
    upload: str
    part: str
    erased: str


@dataclass(frozen=True)
class Kept:
    """A house with one of everything, in which nobody is at work."""

    rooms: Rooms
    ids: Ids

    async def main(self, statement: str, **values: object) -> None:
        await change(self.rooms.main, statement, values)

    async def keys(self, statement: str, **values: object) -> None:
        await change(self.rooms.keystore, statement, values)

    def blob(self, area: Area, blob_id: str) -> Path:
        return self.rooms.settings.data / "blobs" / area / blob_id[-2:] / blob_id


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ids]:
    """A directory to be copied, and what is in it."""
    run = tmp_path_factory.mktemp("inventory") / "run"
    with ThreadPoolExecutor(1) as thread:
        return run, thread.submit(asyncio.run, _furnish(run)).result()


async def _furnish(run: Path) -> Ids:
    await set_up(run)
    async with rooms_of(run) as rooms:
        dentist = await add_dentist(rooms)
        factor = await rooms.services.factors.enrol(dentist, "phone")
        victim = Victim(rooms, dentist, {}, lambda **_: None)
        full, draft, erased = [await victim.new_case() for _ in range(3)]
        for case_id in (full, erased):
            await victim.upload(case_id, 1)
        await victim.inspect()
        await victim.upload(draft, 2, of=3)
        instructions = rooms.services.instructions
        await instructions.erase_cases(dentist, [erased], "asked for it")
        await rooms.heartbeat.beat()
        await victim.erase()
        await rooms.heartbeat.leave()
        async with rooms.main.reading() as connection:
            (file,) = await files.of_case(connection, full)
            (upload,) = await files.of_case(connection, draft)
            _, part = await files.parts_of(connection, upload.id)
    return Ids(
        practice=dentist.controller_id or "",
        dentist=dentist.id,
        factor=factor.id,
        case=full,
        file=file.id,
        blob=file.blob_id or "",
        draft=draft,
        upload=upload.id,
        part=part.blob_id,
        erased=erased,
    )


@pytest.fixture
async def kept(furnished: tuple[Path, Ids], tmp_path: Path) -> AsyncIterator[Kept]:
    run, ids = furnished
    shutil.copytree(run, tmp_path / "run")
    async with rooms_of(tmp_path / "run") as rooms:
        yield Kept(rooms, ids)


async def change(database: Database, statement: str, values: dict[str, object]) -> None:
    async with database.transaction() as tx:
        changed = await tx.execute(text(statement), values)
        assert changed.rowcount > 0
