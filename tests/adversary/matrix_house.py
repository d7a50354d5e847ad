"""A whole Kluis in one directory, without a server: for the crash matrix and the inventory."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from gateway.access.actors import Actor, operator
from gateway.access.policy import Role
from gateway.app import initialise, open_rooms
from gateway.backup.errors import PlaceUnusableError
from gateway.backup.place import mark_place
from gateway.errors import UnavailableError
from gateway.inspection.inspect import inspect
from gateway.inspection.report import Limits, Result
from gateway.intake.uploads import Kind
from gateway.privacy.completeness import Treatment
from gateway.privacy.patients import Patient
from gateway.rooms import Rooms
from gateway.settings import Settings, load
from keys.providers.keyfile import ScryptCost
from keys.providers.local import LocalKeyring
from storage import erasures, files
from storage.errors import StorageError
from storage.schema import EPOCH, leases, nodes
from tests.adversary.search import Canaries
from tests.house import PASSPHRASE
from tests.scans import arch, binary_stl

TRIES = 3
# What a client sees as "try again": the disk, a database or the log could not serve.
AWAY = (UnavailableError, PlaceUnusableError, StorageError, SQLAlchemyError, OSError)
CORNER = (-1.7320508, 27.182818, -0.5772157)
PATIENT = Patient("Quirijn Kanariepiet", date(1987, 6, 5), "KZ-7719-canary")
CORRECTED = Patient("Quirina Sijsjesvink", date(1978, 5, 6), "KZ-7720-canary")
NOTES = "Kanarienotitie: lower left twelve"
WORDS = Canaries(
    {
        "geometry": struct.pack("<3f", *CORNER),
        "file name": b"kanarie-bovenkaak",
        "patient's name": b"Kanariepiet",
        "corrected name": b"Sijsjesvink",
        "birth date": b"1987-06-05",
        "notes": b"Kanarienotitie",
        "passphrase": PASSPHRASE.encode(),
    }
)


def _scan() -> bytes:
    shape = arch(300, seed=41)
    shape[7, 0] = np.array(CORNER, np.float32)
    return binary_stl(shape)


SCAN = _scan()
NAME = "kanarie-bovenkaak.stl"
Tell = Callable[..., None]
_Answer = TypeVar("_Answer")


@cache
def inspected() -> Result:
    return inspect("scan", SCAN, Limits())


class Inline:
    """In place of the pool of workers: the matrix is about the disk."""

    async def inspect(self, _kind: str, content: list[bytes], _limits: Limits) -> Result:
        assert b"".join(content) == SCAN
        return inspected()


@dataclass(frozen=True)
class Victim:
    """The rooms of one directory, and who acts in them."""

    rooms: Rooms
    dentist: Actor
    prepared: Mapping[str, Any]
    tell: Tell

    async def again(self, act: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Do it as a client does, who tries again when it is told to."""
        for _ in range(TRIES - 1):
            try:
                return await act()
            except AWAY:
                continue
        return await act()

    async def new_case(self) -> str:
        sight = await self.rooms.services.cases.create(
            self.dentist, PATIENT, NOTES, Treatment.ALIGNER
        )
        return sight.case.id

    async def upload(self, case_id: str, pieces: int, *, of: int | None = None) -> None:
        """Upload so many pieces of a scan; what is acknowledged is promised."""
        uploads = self.rooms.services.uploads
        begun = await self.again(
            lambda: uploads.begin(self.dentist, case_id, Kind.SCAN, len(SCAN), NAME)
        )
        promise = {"case": case_id, "file": begun.file.id, "capability": begun.capability}
        self.tell(promise={**promise, "received": 0})

        async def append(until: int) -> int:
            file, grant = await uploads.find(self.dentist, begun.capability)
            piece = chunks(SCAN[file.received : until])
            return (await uploads.append(grant, file, file.received, piece)).received

        for number in range(1, pieces + 1):
            until = len(SCAN) * number // (of or pieces)
            received = await self.again(lambda until=until: append(until))  # type: ignore[misc]
            self.tell(promise={**promise, "received": received})

    async def inspect(self) -> None:
        """Give every file that waits its verdict."""
        inspector = self.rooms.inspector
        while (file := await inspector._claim()) is not None:
            await inspector._slots.acquire()
            await inspector._work(file)
            async with self.rooms.main.reading() as connection:
                current = await files.get(connection, file.id)
            if current is not None and current.state == "accepted":
                self.tell(promise={"case": file.case_id, "file": file.id, "accepted": True})

    async def erase(self) -> None:
        """Carry out what is asked for, as far as it goes."""
        for _ in range(40):
            await self.rooms.erasures.advance()
            await self.rooms.heartbeat.beat()
            await self.rooms.sequencer.step()
            async with self.rooms.main.reading() as connection:
                left = await erasures.unfinished(connection)
                if not left and not await erasures.unfinished_punctures(connection):
                    return

    async def digest(self, case_id: str, file_id: str) -> str:
        """Read an accepted file; the SHA-256 of all its bytes."""
        release, digest = self.rooms.services.release, hashlib.sha256()
        content = await release.open_file(self.dentist, case_id, file_id)
        async for piece in release.read(content, 0, content.size):
            digest.update(piece)
        assert digest.hexdigest() == content.sha256
        return digest.hexdigest()


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


@asynccontextmanager
async def rooms_of(run: Path) -> AsyncIterator[Rooms]:
    """The rooms of a run, without the processes that inspect."""
    async with open_rooms(settings_of(run), PASSPHRASE) as rooms:
        rooms.inspector._pool = Inline()  # type: ignore[assignment]
        yield rooms


def settings_of(run: Path) -> Settings:
    """A data directory and places for back-ups, beside each other."""
    return load(
        data=run / "data",
        backup_directories=(run / "place",),
        backup_keep=1,
        key_backup_directories=(run / "keys",),
        inspection_workers=1,
        disk_reserve_bytes=64 * 1024,
        orphan_hours=1e-9,
    )


async def set_up(run: Path) -> str:
    """Make the directories and what `kluis init` makes; the words of the recovery key.

    The keyring unlocks at once.
    """
    settings = settings_of(run)
    for directory in (run, settings.data, run / "place", run / "keys"):
        directory.mkdir(mode=0o700)
    for place in (*settings.backup_directories, *settings.key_backup_directories):
        mark_place(place)
    LocalKeyring.init(settings.keyring_path, PASSPHRASE, ScryptCost(n=2**4))
    made = await initialise(settings, PASSPHRASE, "officer@people.invalid")
    return made.recovery.words


async def add_dentist(rooms: Rooms) -> Actor:
    """A practice, and who works there."""
    practice = await rooms.accounts.add_controller(name="Practice", email="p@north.invalid")
    account = await rooms.accounts.add_account(
        email="dentist@people.invalid", role="dentist", controller_id=practice.id
    )
    return Actor(account.id, Role.DENTIST, practice.id)


async def prepare(run: Path, tell: Tell) -> None:
    """Make a directory with something of everything in it."""
    words = await set_up(run)
    async with rooms_of(run) as rooms:
        dentist = await add_dentist(rooms)
        victim = Victim(rooms, dentist, {}, lambda **_: None)
        await rooms.heartbeat.beat()
        cases = [await victim.new_case() for _ in range(3)]
        for case_id in cases[1:]:
            await victim.upload(case_id, 1)
        await victim.inspect()
        await victim.upload(cases[1], 1)
        await rooms.sequencer.step()
        async with rooms.main.reading() as connection:
            accepted = (await files.of_case(connection, cases[2]))[0]
        await rooms.backups.write(operator(), rooms.backups.places.data[0], lambda _: None)
        await let_time_pass(rooms)
    tell(
        found={
            "words": words,
            "dentist": [dentist.id, dentist.controller_id],
            "empty": cases[0],
            "full": cases[1],
            "living": [cases[2], accepted.id],
        }
    )


async def let_time_pass(rooms: Rooms) -> None:
    """As if the ten seconds had passed after which a node is taken for dead."""
    async with rooms.main.transaction() as tx:
        await tx.execute(update(leases).values(expires_at=EPOCH))
        await tx.execute(update(nodes).values(expires_at=EPOCH))
