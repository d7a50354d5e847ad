"""A server that is killed again and again, and what it had promised by then."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from sqlalchemy import select, update

from gateway.app import log_verifier, open_rooms
from gateway.settings import Settings
from keys.context import Purpose
from storage.accesslog.checkpoint import Head
from storage.accesslog.verify import verify
from storage.blobs import Area
from storage.database import Database
from storage.schema import EPOCH, cases, erasures, files, leases, nodes, parts, wrapped_keys
from tests.adversary.nonces import repeated
from tests.house import API, PASSPHRASE, Person

PROJECT = Path(__file__).parents[2]
WAIT_SECONDS = 30.0


@dataclass
class Upload:
    """An upload and how much of it was acknowledged."""

    case_id: str
    file_id: str
    address: str
    content: bytes
    acknowledged: int = 0
    sha256: str | None = None


@dataclass
class Promises:
    """What a server acknowledged before it was killed."""

    cases: set[str] = field(default_factory=set)
    uploads: list[Upload] = field(default_factory=list)
    asked_to_erase: set[str] = field(default_factory=set)
    erasing: set[str] = field(default_factory=set)

    async def case(self, dentist: Person) -> str:
        """Make one; it is promised."""
        case_id = await dentist.new_case(notes="of a server that dies")
        self.cases.add(case_id)
        return case_id

    async def upload(self, dentist: Person, case_id: str, content: bytes, pieces: int) -> Upload:
        """Upload in so many requests; each acknowledged offset is promised."""
        address, file_id = await dentist.begin_upload(case_id, len(content))
        upload = Upload(case_id, file_id, address, content)
        self.uploads.append(upload)
        for number in range(1, pieces + 1):
            start, stop = upload.acknowledged, len(content) * number // pieces
            answer = await dentist.append(address, start, content[start:stop])
            assert answer.status == 204, answer.text
            upload.acknowledged = int(answer.headers["Upload-Offset"])
        return upload

    async def erase(self, dentist: Person, case_id: str) -> None:
        """Ask for an erasure; once taken it is promised."""
        self.asked_to_erase.add(case_id)
        body = {"reason": "asked for in a test", "confirm": case_id}
        await dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)
        self.erasing.add(case_id)

    async def are_kept(self, dentist: Person) -> None:
        """Check all of them against a server that has started again, and complete what is left."""
        for case_id in self.cases:
            case = await dentist.get(f"{API}/cases/{case_id}")
            if case_id in self.asked_to_erase and (case["frozen"] or case["state"] == "erased"):
                self.erasing.add(case_id)
            else:
                assert not case["frozen"]
                assert case["patient"]["name"] == "Wilhelmina Proefpersoon"
        for upload in self.uploads:
            if upload.case_id not in self.erasing:
                await _is_kept(dentist, upload)
        for case_id in self.erasing:
            await _is_erased(dentist, case_id)


@dataclass
class Victim:
    """One data directory whose server is killed and started again."""

    settings: Settings
    process: asyncio.subprocess.Process
    told: asyncio.Queue[dict[str, Any]]
    dentist: Person
    main: Database
    keystore: Database
    pid: int = 0
    promises: Promises = field(default_factory=Promises)

    @property
    def countdown(self) -> Path:
        """While it holds a number, the server dies after so many durable steps."""
        return _countdown(self.settings)

    async def start(self) -> None:
        """Start it and wait until it listens. Leases and claims of the killed one have run out."""
        self.countdown.unlink(missing_ok=True)
        await self._let_time_pass()
        data = str(self.settings.data)
        line = json.dumps(["serve", "--data", data, "--port", "0", "--json"])
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.pid = (await self._next())["pid"]
        url = (await self._next())["listening"]
        self.dentist = replace(self.dentist, url=url)

    async def run(self, *arguments: str) -> int:
        """Run a command to its end, or to the step at which it dies; its wait status."""
        await self._let_time_pass()
        line = json.dumps([*arguments, "--data", str(self.settings.data), "--json"])
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        while "ended" not in (told := await self._next()):
            pass  # what the command itself says
        return int(told["ended"])

    async def kill(self) -> None:
        """kill -9."""
        os.kill(self.pid, signal.SIGKILL)
        await self.ended()

    async def ended(self) -> None:
        """Wait for its end."""
        assert (await self._next()) == {"ended": signal.SIGKILL}

    async def is_whole(self) -> list[str]:
        """What is wrong with the stores as the killed server left them; to be empty."""
        verifier = log_verifier(self.settings.log_key_path)
        head = Head.read(self.settings.log_head_path)
        found = await verify(self.main, verifier.open_note, head)
        wrong = [] if found.ok else [f"log: {found.problem}"]
        return wrong + await self._dangling()

    async def _next(self) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.told.get()

    async def _let_time_pass(self) -> None:
        """As if the ten seconds had passed after which a node is taken for dead."""
        async with self.main.transaction() as tx:
            await tx.execute(update(leases).values(expires_at=EPOCH))
            await tx.execute(update(nodes).values(expires_at=EPOCH))

    async def _dangling(self) -> list[str]:
        """Rows that point at a blob or key that is not there, but for cases on their way out."""
        async with self.main.reading() as connection:
            whole = erasures.c.kind == "case"
            going = set(await connection.scalars(select(erasures.c.case_id).where(whole)))
            stored = (await connection.execute(select(files))).mappings().all()
            pieces = (await connection.execute(select(parts))).mappings().all()
            rows = await connection.execute(select(cases.c.id, cases.c.key_id))
            known = {row.id: row.key_id for row in rows}
        async with self.keystore.reading() as connection:
            columns = (wrapped_keys.c.purpose, wrapped_keys.c.object_id, wrapped_keys.c.under)
            keys = {tuple(key) for key in await connection.execute(select(*columns))}
        wrong = [
            f"case {case_id}: no key"
            for case_id, key_id in known.items()
            if case_id not in going and (Purpose.CASE_KEY, key_id, "") not in keys
        ]
        for row in stored:
            if row["case_id"] in going:
                continue
            if row["state"] in {"receiving", "received"}:
                if (Purpose.UPLOAD_KEY, row["id"], "") not in keys:
                    wrong.append(f"upload {row['id']}: no key")
                held = [piece for piece in pieces if piece["file_id"] == row["id"]]
                wrong += [f"{p}: no blob" for p in held if not self._has("quarantine", p)]
                if sum(piece["length"] for piece in held) != row["received"]:
                    wrong.append(f"upload {row['id']}: parts are not its offset")
            elif row["blob_id"] is not None:
                if (Purpose.FILE_KEY, row["blob_id"], known[row["case_id"]]) not in keys:
                    wrong.append(f"file {row['id']}: no key")
                if not self._has("vault", row):
                    wrong.append(f"file {row['id']}: no blob")
        return wrong

    def _has(self, area: str, row: Any) -> bool:
        blob_id: str = row["blob_id"]
        path = self.settings.data / "blobs" / Area(area) / blob_id[-2:] / blob_id
        return path.exists()


async def _is_kept(dentist: Person, upload: Upload) -> None:
    durable = await dentist.offset(upload.address)
    assert durable >= upload.acknowledged
    if durable < len(upload.content):
        answer = await dentist.append(upload.address, durable, upload.content[durable:])
        assert answer.status == 204, answer.text
        upload.acknowledged = len(upload.content)
    file = await dentist.verdict(upload.case_id, upload.file_id)
    assert file["state"] == "accepted", file
    assert upload.sha256 in {None, file["sha256"]}
    upload.sha256 = file["sha256"]
    content = await dentist.download(upload.case_id, upload.file_id)
    assert hashlib.sha256(content).hexdigest() == upload.sha256


async def _is_erased(dentist: Person, case_id: str) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            erasure = await dentist.get(f"{API}/cases/{case_id}/erasure")
            if erasure["step"] == "done":
                break
            await asyncio.sleep(0.1)
    assert erasure["certificate"]["body"]["case_id"] == case_id
    assert (await dentist.get(f"{API}/cases/{case_id}"))["state"] == "erased"


def said(settings: Settings) -> Path:
    """The file of everything that its servers said on standard error."""
    return settings.data.with_suffix(".stderr")


def twin(settings: Settings, main_url: str, keystore_url: str) -> Settings:
    """Another data directory with the same keyring, on databases of its own."""
    data = settings.data.with_name("twin")
    shutil.copytree(settings.data, data)
    return settings.model_copy(
        update={"data": data, "database_url": main_url, "keystore_url": keystore_url}
    )


@asynccontextmanager
async def victim(settings: Settings) -> AsyncIterator[Victim]:
    """A practice with a dentist, and a server to be started; what it says goes to a file."""
    async with ClientSession() as session, _forking(settings) as process:
        dentist = await _dentist(settings, session)
        main = Database(settings.main_database, "main")
        keystore = Database(settings.keystore_database, "keystore")
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        reading = asyncio.create_task(_read(process, told))
        try:
            yield Victim(settings, process, told, dentist, main, keystore)
            assert repeated(_countdown(settings).with_suffix(".nonces")) == []
        finally:
            reading.cancel()
            await main.close()
            await keystore.close()


async def _dentist(settings: Settings, session: ClientSession) -> Person:
    async with open_rooms(settings, PASSPHRASE) as rooms:
        practice = await rooms.accounts.add_controller(name="Practice", email="p@north.invalid")
        # Dozens are erased in a row; none is to wait for a second person.
        await rooms.accounts.change_controller(practice.id, second_from=10_000)
        email = f"dentist-{os.urandom(4).hex()}@people.invalid"
        await rooms.accounts.add_account(email=email, role="dentist", controller_id=practice.id)
        return Person(session, "", await rooms.accounts.create_token(email=email))


@asynccontextmanager
async def _forking(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **{name: value for name, value in os.environ.items() if name == "PATH"},
        "KLUIS_PASSPHRASE": PASSPHRASE,
        "KLUIS_DATABASE_URL": settings.database_url,
        "KLUIS_KEYSTORE_URL": settings.keystore_url,
        "KLUIS_INSPECTION_WORKERS": "1",
    }
    with said(settings).open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.adversary.victim", str(_countdown(settings))),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=PROJECT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _countdown(settings: Settings) -> Path:
    return settings.data.with_suffix(".steps")


async def _read(process: asyncio.subprocess.Process, told: asyncio.Queue[dict[str, Any]]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        await told.put(json.loads(line))
