"""What is killed by the crash matrix: one act of a Kluis, in one thread, on a directory of its own.

Run as `python -m tests.adversary.matrix_victim SOCKET NONCES`. For each line on the socket, a JSON
object, it forks a process that does what `do` says in the directory `run`, and tells:

    {"pid": n}                 of the fork; where `traced`, it goes on once somebody traces it
    {"promise": {...}}         what a client was told
    {"found": {...}}           what `prepare` made, or what is `wrong` in what `check` saw
    {"failed": "..."}          what should never have happened
    {"ended": status}          it is gone

All is imported ahead. Everything of the disk happens in the one thread, so that the same act takes
the same calls to the kernel each time, in the same order.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import hashlib
import json
import os
import socket
import struct
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite.core
import numpy as np
import structlog
from argon2 import PasswordHasher
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from gateway.access.actors import Actor, operator
from gateway.access.policy import Role
from gateway.app import Rooms, initialise, open_rooms
from gateway.backup.errors import PlaceUnusableError
from gateway.backup.sources import Sources
from gateway.errors import UnavailableError
from gateway.inspection.inspect import inspect
from gateway.inspection.report import Limits, Result
from gateway.intake.uploads import Kind
from gateway.privacy.completeness import Treatment
from gateway.privacy.patients import Patient
from gateway.settings import Settings, load
from gateway.trial import try_restore
from keys.providers.keyfile import ScryptCost
from keys.providers.local import LocalKeyring
from keys.recovery import RecoveryKey
from storage import erasures, files
from storage.errors import StorageError
from storage.schema import EPOCH, leases, nodes
from tests.adversary import nonces
from tests.adversary.search import Canaries
from tests.house import PASSPHRASE
from tests.scans import arch, binary_stl

PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
PATIENCE_SECONDS = 20.0
TRIES = 3
# What a client sees as "try again": the disk, a database or the log could not serve.
AWAY = (UnavailableError, PlaceUnusableError, StorageError, SQLAlchemyError, OSError)
CORNER = (-1.7320508, 27.182818, -0.5772157)
PATIENT = Patient("Quirijn Kanariepiet", date(1987, 6, 5), "KZ-7719-canary")
NOTES = "Kanarienotitie: lower left twelve"
WORDS = Canaries(
    {
        "geometry": struct.pack("<3f", *CORNER),
        "file name": b"kanarie-bovenkaak",
        "patient's name": b"Kanariepiet",
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


class InThisThread:
    """In place of aiosqlite's queue and its thread: what is put in is done at once."""

    def __init__(self, **_: object) -> None:
        self.daemon = True

    def start(self) -> None:
        """There is no thread."""

    def put_nowait(self, work: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = work
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits it
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


def _at_once(
    loop: asyncio.AbstractEventLoop, _executor: object, function: Callable[..., Any], *given: Any
) -> asyncio.Future[Any]:
    future = loop.create_future()
    InThisThread().put_nowait((future, lambda: function(*given)))
    return future


@cache
def _inspected() -> Result:
    return inspect("scan", SCAN, Limits())


class Inline:
    """In place of the pool of workers: the matrix is about the disk."""

    async def inspect(self, _kind: str, content: list[bytes], _limits: Limits) -> Result:
        assert b"".join(content) == SCAN
        return _inspected()


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
            piece = _chunks(SCAN[file.received : until])
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


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
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
        await _let_time_pass(rooms)
    tell(
        found={
            "words": words,
            "dentist": [dentist.id, dentist.controller_id],
            "empty": cases[0],
            "full": cases[1],
            "living": [cases[2], accepted.id],
        }
    )


async def upload(victim: Victim) -> None:
    """A case, and a scan in three requests."""
    case_id = await victim.again(victim.new_case)
    victim.tell(promise={"case": case_id})
    await victim.upload(case_id, 3)
    await victim.again(victim.rooms.sequencer.step)


async def promotion(victim: Victim) -> None:
    """From quarantine to the vault."""
    await victim.inspect()
    await victim.again(victim.rooms.sequencer.step)


async def erasure(victim: Victim) -> None:
    """A case with a file in the vault and one in quarantine, to its certificate."""
    erased = victim.prepared["full"]
    instructions = victim.rooms.services.instructions
    await victim.again(lambda: instructions.erase_cases(victim.dentist, [erased], "asked for it"))
    victim.tell(promise={"erased": erased})
    await victim.again(victim.erase)


async def rotation(victim: Victim) -> None:
    """Another key for the practice, and everything moved to it."""
    await victim.again(lambda: victim.rooms.rotations.request(operator(), None))
    victim.tell(promise={"rotated": True})
    await victim.again(victim.erase)


async def backup(victim: Victim) -> None:
    """Two generations, of which one is kept."""
    rooms = victim.rooms
    for _ in range(2):
        written = await victim.again(
            lambda: rooms.backups.write(operator(), rooms.backups.places.data[0], lambda _: None)
        )
        victim.tell(promise={"generation": written.generation.id})


ACTS = {
    "upload": upload,
    "promotion": promotion,
    "erasure": erasure,
    "rotation": rotation,
    "backup": backup,
}


async def act(name: str, run: Path, prepared: Mapping[str, Any], tell: Tell) -> None:
    """One act, on a directory that was prepared; what the disk refuses for good ends it."""
    try:
        async with rooms_of(run) as rooms:
            victim = Victim(rooms, Actor(*_dentist(prepared)), prepared, tell)
            await rooms.heartbeat.beat()
            await ACTS[name](victim)
    except AWAY as error:
        tell(gave_up=type(error).__name__)


def _dentist(prepared: Mapping[str, Any]) -> tuple[str, Role, str]:
    account_id, practice_id = prepared["dentist"]
    return account_id, Role.DENTIST, practice_id


async def check(
    run: Path,
    prepared: Mapping[str, Any],
    promises: list[Mapping[str, Any]],
    tell: Tell,
    *,
    tried: bool,
) -> None:
    """Open what a crash left, look, let it finish, look again; restore on trial if `tried`."""
    wrong = [f"plaintext: {hit}" for hit in WORDS.found_under([run]).items()]
    async with rooms_of(run) as rooms:
        victim = Victim(rooms, Actor(*_dentist(prepared)), prepared, lambda **_: None)
        await _let_time_pass(rooms)
        await rooms.heartbeat.beat()
        wrong += await _unexplained(rooms, "as it was left")
        if tried:
            wrong += await _lost_by_restoring(victim, promises)
        await rooms.sequencer.step()
        await victim.erase()
        await victim.inspect()
        wrong += await _broken(victim, promises)
        await rooms.sweeper.sweep()
        if any((run / "place").rglob("*.unfinished")):  # the next back-up removes them
            await rooms.backups.write(operator(), rooms.backups.places.data[0], lambda _: None)
        await rooms.sequencer.step()
        wrong += await _unexplained(rooms, "at the end", left=True)
    wrong += [f"plaintext: {hit}" for hit in WORDS.found_under([run]).items()]
    wrong += [f"left: {path.name}" for path in run.rglob("*.unfinished")]
    tell(found={"wrong": wrong})


async def _let_time_pass(rooms: Rooms) -> None:
    """As if the ten seconds had passed after which a node is taken for dead."""
    async with rooms.main.transaction() as tx:
        await tx.execute(update(leases).values(expires_at=EPOCH))
        await tx.execute(update(nodes).values(expires_at=EPOCH))


async def _unexplained(rooms: Rooms, when: str, *, left: bool = False) -> list[str]:
    tallies = await rooms.inventory.take(lambda _: None)
    await rooms.heartbeat.beat()
    wrong = [f"{when}: {fault}" for tally in tallies for fault in tally.faults]
    # Events wait for their place while somebody looks.
    over = [tally for tally in tallies if left and tally.left and tally.name != "access log"]
    return wrong + [f"{when}: {tally.left} of {tally.name} left over" for tally in over]


async def _broken(victim: Victim, promises: list[Mapping[str, Any]]) -> list[str]:
    """Promises that are not kept; an upload that is not whole is sent to its end."""
    wrong, last = [], {promise.get("file", promise.get("case")): promise for promise in promises}
    erased = {promise["erased"] for promise in promises if "erased" in promise}
    for promise in last.values():
        if "file" in promise:
            wrong += await _is_kept(victim, promise, erased)
        elif "case" in promise:
            sight = await victim.rooms.services.cases.view(victim.dentist, promise["case"])
            if sight.patient != PATIENT:
                wrong.append(f"case {promise['case']} has another patient")
    await victim.digest(*victim.prepared["living"])
    for case_id in erased:
        view = await victim.rooms.services.instructions.view(victim.dentist, case_id)
        if view.step != "done" or view.certificate is None:
            wrong.append(f"erasure of {case_id} ended at {view.step}")
    return wrong


async def _lost_by_restoring(victim: Victim, promises: list[Mapping[str, Any]]) -> list[str]:
    """Restore the newest back-up on trial: it is whole, and the one that was acknowledged."""
    place = victim.rooms.backups.places.data[0]
    words = RecoveryKey.from_words(victim.prepared["words"])
    keys = victim.rooms.settings.key_backup_directories
    trial = await try_restore(victim.rooms, Sources([place], keys, words), lambda _: None)
    newest = trial.restored.generation
    wrong = [f"restored: {fault}" for tally in trial.looked_at for fault in tally.faults]
    later = [it for it in (promise.get("generation", "") for promise in promises) if it > newest]
    return wrong + [f"generation {generation} is lost" for generation in later]


async def _is_kept(victim: Victim, promise: Mapping[str, Any], erased: set[str]) -> list[str]:
    case_id, file_id = promise["case"], promise["file"]
    if case_id in erased:
        return []
    uploads = victim.rooms.services.uploads
    if "capability" in promise:
        file, grant = await uploads.find(victim.dentist, promise["capability"])
        if file.received < promise["received"]:
            return [f"{file.received} of {promise['received']} acknowledged bytes are left"]
        await uploads.append(grant, file, file.received, _chunks(SCAN[file.received :]))
        await victim.inspect()
    async with victim.rooms.main.reading() as connection:
        kept = await files.get(connection, file_id)
    if kept is None or kept.state != "accepted":
        return [f"file {file_id} is {kept and kept.state}"]
    await victim.digest(case_id, file_id)
    return []


async def _do(asked: Mapping[str, Any], tell: Tell) -> None:
    run = Path(asked["run"])
    async with asyncio.timeout(PATIENCE_SECONDS):
        if asked["do"] == "prepare":
            await prepare(run, tell)
        elif asked["do"] == "check":
            await check(run, asked["prepared"], asked["promises"], tell, tried=asked["tried"])
        else:
            await act(asked["do"], run, asked["prepared"], tell)


def _child(asked: Mapping[str, Any], tell: Tell) -> None:
    if asked.get("traced"):
        # Where only ancestors may trace (Yama), anybody may trace this one.
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
        while "TracerPid:\t0" in Path("/proc/self/status").read_text():
            time.sleep(0.001)
    try:
        asyncio.run(_do(asked, tell))
    except BaseException:  # noqa: BLE001 - told to the test, which fails
        tell(failed=traceback.format_exc())


def main(descriptor: int, nonces_path: Path) -> None:
    """Fork for each line, and wait for its end."""
    vars(aiosqlite.core).update(SimpleQueue=InThisThread, Thread=InThisThread)
    asyncio.base_events.BaseEventLoop.run_in_executor = _at_once  # type: ignore[method-assign,assignment]
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    # Nobody signs in; the stand-in hash of every opening would cost more than the act.
    PasswordHasher.hash = lambda *_: ""  # type: ignore[method-assign]
    nonces.recorded(nonces_path)
    _inspected()
    gc.freeze()
    line = socket.socket(fileno=descriptor)

    def tell(**words: Any) -> None:
        # Not write(2): see nonces.
        line.sendall(json.dumps(words).encode() + b"\n")

    for asked in line.makefile():
        if (pid := os.fork()) == 0:
            _child(json.loads(asked), tell)
            os._exit(0)
        tell(pid=pid)
        _, status = os.waitpid(pid, 0)
        tell(ended=status)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
