"""What an attacker with the disk and the databases in hand can do, and what is seen of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError
from sqlalchemy import Table, func, select, update

from storage.blobs import Area
from storage.database import Database
from storage.schema import events
from tests.house import House, Person

ALARM = '%"code":"integrity.alarm"%'


@dataclass(frozen=True)
class Taken:
    """What a request brought: its status, the bytes that came, and whether that was all."""

    status: int
    body: bytes
    whole: bool


@dataclass
class Tally:
    """Counts what was tried, and keeps what was not refused as it should be."""

    tried: int = 0
    missed: list[str] = field(default_factory=list)

    def count(self, name: str, fault: str | None) -> None:
        """One case more; `fault` says what was wrong with the answer."""
        self.tried += 1
        if fault is not None:
            self.missed.append(f"{name}: {fault}")

    def close(self, subject: str) -> None:
        """Print the figure, and fail on anything that was missed."""
        print(f"{subject}: {self.tried} cases tried, {len(self.missed)} missed")  # noqa: T201
        assert self.tried
        assert not self.missed, "\n".join(self.missed)


async def take(person: Person, path: str, headers: Mapping[str, str] | None = None) -> Taken:
    """A GET that keeps what came before a connection was cut."""
    sent = {"Authorization": f"Bearer {person.token}", **(headers or {})}
    body = bytearray()
    async with person.session.get(person.url + path, headers=sent) as response:
        try:
            async for chunk in response.content.iter_any():
                body += chunk
        except (ClientError, ConnectionError, asyncio.IncompleteReadError):
            return Taken(response.status, bytes(body), whole=False)
        return Taken(response.status, bytes(body), whole=True)


async def alarms(house: House) -> int:
    """How many integrity events the log holds."""
    async with house.rooms.main.reading() as connection:
        statement = select(func.count()).where(events.c.record.like(ALARM))
        return int(await connection.scalar(statement) or 0)


def blob(house: House, area: Area, blob_id: str) -> Path:
    """Where a blob lies on the disk."""
    return house.settings.data / "blobs" / area / blob_id[-2:] / blob_id


@asynccontextmanager
async def altered(
    database: Database, table: Table, where: Mapping[str, Any], **columns: Any
) -> AsyncIterator[None]:
    """A row with other values in it, and back again."""
    condition = [table.c[name] == value for name, value in where.items()]
    async with database.transaction() as tx:
        names = [table.c[name] for name in columns]
        before = (await tx.execute(select(*names).where(*condition))).mappings().one()
        await tx.execute(update(table).where(*condition).values(**columns))
    try:
        yield
    finally:
        back = [
            table.c[name] == value for name, value in {**where, **_keys(where, columns)}.items()
        ]
        async with database.transaction() as tx:
            await tx.execute(update(table).where(*back).values(**dict(before)))


async def row(database: Database, table: Table, **where: Any) -> dict[str, Any]:
    """The one row with these values."""
    condition = [table.c[name] == value for name, value in where.items()]
    async with database.reading() as connection:
        return dict((await connection.execute(select(table).where(*condition))).mappings().one())


def flipped(content: bytes, position: int, bit: int = 0) -> bytes:
    """The same bytes but for one bit."""
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


def _keys(where: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: columns[name] for name in where if name in columns}
