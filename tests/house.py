"""A whole Kluis to test against: real rooms, real HTTP, on SQLite and on PostgreSQL.

`house` runs in the test's own loop, so a test can look into the rooms. `ServerProcess` is
`kluis serve` as a process of its own, so a test can kill it. People talk to either by HTTP.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import ClientSession, web

from gateway.access import duty
from gateway.api.server import make_runner
from gateway.app import open_rooms
from gateway.ids import now
from gateway.rooms import Rooms
from gateway.serve import working
from gateway.settings import Settings, load
from gateway.web.pages import pages
from keys.providers.keyfile import ScryptCost
from keys.providers.local import LocalKeyring
from keys.signing import SigningKey
from storage.accounts import Controller, confirm_confidentiality
from tests.leaks import heard, planted
from tests.scans import arch, binary_stl

PASSPHRASE = planted("the passphrase", "a passphrase for tests alone")
PASSWORD = planted("the password", "a long password for tests")
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
API = "/api/v1"
PATIENT = {"name": "Wilhelmina Proefpersoon", "birth_date": "2001-02-03", "number": "PX-40917"}
planted("the patient's name", PATIENT["name"])
planted("the patient's number", PATIENT["number"])
WAIT_SECONDS = 90.0


@dataclass(frozen=True)
class Answer:
    """What a server answered, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Person:
    """Somebody with a token (or none), who speaks HTTP to a server."""

    session: ClientSession
    url: str
    token: str | None = field(default=None, repr=False)
    id: str = ""
    email: str = ""

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:
        """One request; nothing is raised for a status."""
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        async with self.session.request(
            method, self.url + path, headers=sent, allow_redirects=False, **more
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, status: int = 200) -> Any:
        """The JSON at an address, with this status."""
        return await self._json("GET", path, status)

    async def post(self, path: str, body: object = None, status: int = 200) -> Any:
        """The JSON that answers a POST, with this status."""
        return await self._json("POST", path, status, json=body if body is not None else {})

    async def new_case(self, patient: Mapping[str, str] = PATIENT, notes: str = "") -> str:
        """A draft; its id."""
        case = await self.post(f"{API}/cases", {"patient": dict(patient), "notes": notes}, 201)
        return str(case["id"])

    async def begin_upload(
        self, case_id: str, length: int, kind: str = "scan", name: str = "upper.stl"
    ) -> tuple[str, str]:
        """Begin a tus upload: its address and the file's id."""
        headers = {
            **TUS,
            "Upload-Length": str(length),
            "Upload-Metadata": f"filename {_base64(name)},kind {_base64(kind)}",
        }
        response = await self.ask("POST", f"{API}/cases/{case_id}/files", headers=headers)
        assert response.status == 201, response.text
        return response.headers["Location"], response.headers["Kluis-File"]

    async def append(self, address: str, offset: int, content: bytes) -> Answer:
        """One PATCH."""
        headers = {**TUS, **BYTES, "Upload-Offset": str(offset)}
        return await self.ask("PATCH", address, headers=headers, data=io.BytesIO(content))

    async def offset(self, address: str) -> int:
        """How many bytes are durable."""
        response = await self.ask("HEAD", address, headers=TUS)
        assert response.status == 200
        return int(response.headers["Upload-Offset"])

    async def verdict(self, case_id: str, file_id: str) -> Any:
        """The file once it is accepted or refused."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                file = await self.get(f"{API}/cases/{case_id}/files/{file_id}")
                if file["state"] not in {"receiving", "received"}:
                    return file
                await asyncio.sleep(0.02)

    async def upload(
        self, case_id: str, content: bytes, kind: str = "scan", name: str = "upper.stl"
    ) -> Any:
        """Upload a file whole and wait for its verdict."""
        address, file_id = await self.begin_upload(case_id, len(content), kind, name)
        response = await self.append(address, 0, content)
        assert response.status == 204, response.text
        return await self.verdict(case_id, file_id)

    async def download(self, case_id: str, file_id: str) -> bytes:
        """A file, whole."""
        path = f"{API}/cases/{case_id}/files/{file_id}/content"
        response = await self.ask("GET", path)
        assert response.status == 200, response.text
        return response.body

    async def erase(self, case_id: str) -> Any:
        """Have a case erased; the certificate."""
        body = {"reason": "asked for in a test", "confirm": case_id}
        await self.post(f"{API}/cases/{case_id}/erasure", body, 202)
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                erasure = await self.get(f"{API}/cases/{case_id}/erasure")
                if erasure["step"] == "done":
                    return erasure["certificate"]
                await asyncio.sleep(0.05)

    async def _json(self, method: str, path: str, status: int, **more: Any) -> Any:
        response = await self.ask(method, path, **more)
        assert response.status == status, f"{response.status}: {response.text}"
        return response.json() if response.body else None


@dataclass
class House:
    """A running Kluis with one practice, and somebody of each role."""

    settings: Settings
    rooms: Rooms
    url: str
    session: ClientSession
    practice: Controller
    dentist: Person
    coordinator: Person
    planner: Person
    officer: Person

    @property
    def stranger(self) -> Person:
        """Somebody who has not signed in."""
        return Person(self.session, self.url)

    async def add_practice(self, name: str = "Practice South") -> tuple[Controller, Person]:
        """Another practice and its dentist."""
        practice = await self.rooms.accounts.add_controller(name=name, email="mail@south.invalid")
        return practice, await self.add_person("dentist", practice.id)

    async def add_person(self, role: str, controller_id: str | None = None) -> Person:
        """Somebody with a token."""
        return await _person(self.rooms, self.session, self.url, role, controller_id)

    async def submitted_case(self, scan: bytes | None = None) -> tuple[str, Any]:
        """A submitted case with one scan; its id and the scan."""
        case_id = await self.dentist.new_case(notes="crowding of the lower front")
        file = await self.dentist.upload(case_id, scan if scan is not None else SCAN)
        assert file["state"] == "accepted", file
        await self.dentist.post(f"{API}/cases/{case_id}/submission")
        return case_id, file

    async def planned_case(self) -> tuple[str, Any]:
        """The same, assigned to the planner."""
        case_id, file = await self.submitted_case()
        body = {"email": self.planner.email}
        await self.coordinator.post(f"{API}/cases/{case_id}/assignments", body, 201)
        return case_id, file


SCAN = binary_stl(arch(2_000, seed=7))


@pytest.fixture(scope="session")
def keyring_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keyring that unlocks fast, to be copied."""
    path = tmp_path_factory.mktemp("keyring") / "keyring.json"
    LocalKeyring.init(path, PASSPHRASE, ScryptCost(n=2**10, r=8, p=1))
    return path


@pytest.fixture
async def settings(
    data_directory: Path, main_url: str, keystore_url: str, keyring_template: Path
) -> Settings:
    """A data directory that is set up, on a database of each kind."""
    shutil.copyfile(keyring_template, data_directory / "keyring.json")
    (data_directory / "keyring.json").chmod(0o600)
    chosen = load(
        data=data_directory,
        database_url=main_url,
        keystore_url=keystore_url,
        inspection_workers=1,
        code_clock_steps=1,  # a busy machine may take longer than what is left of a half minute
        digest_hour=-1,
        disk_reserve_bytes=64 * 1024,
    )
    keyring = LocalKeyring.open(chosen.keyring_path, PASSPHRASE)
    log_key = SigningKey(chosen.log_origin, (await keyring.signing_key("log")).seed)
    chosen.log_key_path.write_text(f"{log_key.verifier}\n")
    certificate_key = await keyring.signing_key("certificate")
    chosen.certificate_key_path.write_text(f"{certificate_key.verifier}\n")
    return chosen


@asynccontextmanager
async def serving(
    settings: Settings, port: int = 0
) -> AsyncIterator[tuple[Rooms, str, ClientSession]]:
    """The rooms at work and answering HTTP in this loop: rooms, address, a client session."""
    async with open_rooms(settings, PASSPHRASE) as rooms, working(rooms):
        runner = make_runner(rooms.services, 1, pages())
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            port = runner.addresses[0][1]
            async with ClientSession() as session:
                yield rooms, f"http://127.0.0.1:{port}", session
        finally:
            await runner.cleanup()


@asynccontextmanager
async def open_house(settings: Settings, port: int = 0) -> AsyncIterator[House]:
    """A running Kluis with fresh people in a fresh practice; may be opened again later."""
    async with serving(settings, port) as (rooms, url, session):
        practice = await rooms.accounts.add_controller(
            name="Practice North", email="mail@north.invalid"
        )
        yield House(
            settings=settings,
            rooms=rooms,
            url=url,
            session=session,
            practice=practice,
            dentist=await _person(rooms, session, url, "dentist", practice.id),
            coordinator=await _person(rooms, session, url, "coordinator"),
            planner=await _person(rooms, session, url, "planner"),
            officer=await _person(rooms, session, url, "privacy_officer"),
        )


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    """A running Kluis, on SQLite and on PostgreSQL."""
    async with open_house(settings) as opened:
        yield opened


async def _person(
    rooms: Rooms, session: ClientSession, url: str, role: str, controller_id: str | None = None
) -> Person:
    email = f"{role}-{os.urandom(4).hex()}@people.invalid"
    account = await rooms.accounts.add_account(email=email, role=role, controller_id=controller_id)
    await keep_confidential(rooms, account.id)
    token = planted("a token", await rooms.accounts.create_token(email=email))
    return Person(session, url, token, account.id, email)


async def keep_confidential(rooms: Rooms, account_id: str) -> None:
    """Have somebody's duty of confidentiality confirmed, as everybody of the house does first."""
    async with rooms.main.transaction() as tx:
        await confirm_confidentiality(tx, account_id, duty.VERSION, now())


@dataclass
class ServerProcess:
    """`kluis serve` as a process, to be killed."""

    settings: Settings
    process: asyncio.subprocess.Process
    url: str

    @classmethod
    async def start(cls, settings: Settings, *arguments: str) -> Self:
        """Start it and wait until it listens."""
        environment = {
            **{name: value for name, value in os.environ.items() if name == "PATH"},
            "KLUIS_PASSPHRASE": PASSPHRASE,
            "KLUIS_DATABASE_URL": settings.database_url,
            "KLUIS_KEYSTORE_URL": settings.keystore_url,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--data", str(settings.data)),
            *("--port", "0", "--json", *arguments),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        line = await process.stdout.readline()
        assert line, f"the server ended with {await process.wait()}"
        return cls(settings, process, json.loads(line)["listening"])

    async def kill(self) -> None:
        """kill -9, and nothing else gets a chance."""
        self.process.kill()
        await self._ended()

    async def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self._ended()

    async def _ended(self) -> int:
        assert self.process.stdout is not None
        heard(await self.process.stdout.read())  # standard error is captured with the test's own
        return await self.process.wait()


def _base64(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
