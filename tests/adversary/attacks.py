"""What an attacker with the disk and the databases in hand can do, and what is seen of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError
from sqlalchemy import Table, func, select, update

from keys.stream import HEADER_SIZE, SEGMENT_SIZE, TAG_SIZE
from storage.blobs import Area
from storage.database import Database
from storage.schema import events, files
from tests.house import API, House, Person
from tests.scans import arch, binary_stl

LARGE = binary_stl(arch(48_000, seed=11))  # three segments in the vault
OTHER = binary_stl(arch(48_000, seed=12))
SMALL = binary_stl(arch(500, seed=13))
RANDOM_FLIPS = 24
NOTES = "rotated canine, keep the diastema"
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


@dataclass(frozen=True)
class Filed:
    """A file in the vault as its rows name it."""

    case_id: str
    file_id: str
    blob_id: str
    path: Path

    @property
    def content(self) -> str:
        """Where it is downloaded."""
        return f"{API}/cases/{self.case_id}/files/{self.file_id}/content"


@dataclass(frozen=True)
class Ground:
    """Two files in one case, one in another case, one in another practice's case."""

    house: House
    large: Filed
    sibling: Filed
    cousin: Filed
    foreign: Filed
    foreign_dentist: Person


async def filed(house: House, dentist: Person, case_id: str, content: bytes) -> Filed:
    file = await dentist.upload(case_id, content)
    assert file["state"] == "accepted", file
    stored = await row(house.rooms.main, files, id=file["id"])
    blob_id = stored["blob_id"]
    return Filed(case_id, file["id"], blob_id, blob(house, Area.VAULT, blob_id))


def altered_blobs(sealed: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Every kind of alteration; with nothing to alter, their names alone."""
    size, segment = len(sealed), SEGMENT_SIZE
    places = {
        "header length": 0,
        "salt": 1,
        "last of salt": 32,
        "nonce prefix": 33,
        "last of header": HEADER_SIZE - 1,
        "first segment, first byte": HEADER_SIZE,
        "first segment, middle": segment // 2,
        "first segment, tag": segment - TAG_SIZE,
        "first segment, last byte": segment - 1,
        "middle segment, first byte": segment,
        "middle segment, middle": segment + segment // 2,
        "middle segment, last byte": 2 * segment - 1,
        "last segment, first byte": 2 * segment,
        "last segment, middle": (2 * segment + size) // 2,
        "last segment, tag": size - TAG_SIZE,
        "last byte": size - 1,
    } | {f"random byte {n}": chance.randrange(size or 1) for n in range(RANDOM_FLIPS)}
    for name, at in places.items():
        yield name, flipped(sealed, at, chance.randrange(8)) if sealed else b""
    yield "one byte cut", sealed[:-1]
    yield "tag cut", sealed[:-TAG_SIZE]
    yield "cut in the middle segment", sealed[: segment + 7]
    yield "cut after the first segment", sealed[:segment]
    yield "cut after the middle segment", sealed[: 2 * segment]
    yield "header alone", sealed[:HEADER_SIZE]
    yield "cut in the header", sealed[:13]
    yield "empty", b""
    yield "one byte more", sealed + b"\0"
    yield "a tag more", sealed + bytes(TAG_SIZE)
    yield "the last segment twice", sealed + sealed[2 * segment :]
    yield "the middle segment twice", sealed[: 2 * segment] + sealed[segment:]
    yield "without the middle segment", sealed[:segment] + sealed[2 * segment :]
    yield "zeroes", bytes(size)


async def fault(house: House, attempt: Callable[[], Awaitable[Any]]) -> str | None:
    """What is wrong with the answer to a request that meets something altered."""
    before = await alarms(house)
    answer = await attempt()
    if answer.status != 500 or b'"integrity_failed"' not in answer.body:
        return f"{answer.status} {answer.body[:90]!r}"
    if NOTES.encode() in answer.body:
        return "plaintext"
    return None if await alarms(house) > before else "no integrity event"


async def download_fault(
    ground: Ground, plain: bytes, headers: Mapping[str, str] | None = None
) -> str | None:
    """What is wrong with the answer to a download of the large file."""
    before = await alarms(ground.house)
    taken = await take(ground.house.dentist, ground.large.content, headers)
    if taken.status in {200, 206}:
        if taken.whole:
            return "taken whole"
        if not plain.startswith(taken.body):
            return "bytes that are not authentic"
    elif taken.status != 500 or b'"integrity_failed"' not in taken.body:
        return f"{taken.status} {taken.body[:90]!r}"
    return None if await alarms(ground.house) > before else "no integrity event"


def altered_everywhere(document: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every place of a JSON document that holds a value, with a copy in which it is another."""
    for *path, last in _leaves(document):
        forged = json.loads(json.dumps(document))
        target = forged
        for step in path:
            target = target[step]
        target[last] = _other(target[last])
        yield (*path, last), forged


def _leaves(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for step, below in steps for leaf in _leaves(below, (*place, step))]
    return [place]


def _other(value: Any) -> Any:
    """Something else of the same kind; in a text, one letter in its middle."""
    if isinstance(value, str) and value:
        at = len(value) // 2
        return value[:at] + ("B" if value[at] != "B" else "C") + value[at + 1 :]
    return value + 1 if isinstance(value, int) else "something"
