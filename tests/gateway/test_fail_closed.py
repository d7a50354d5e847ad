"""When the log cannot be written nothing is shown: a full disk, a locked database, a dead signer.

The answer is 503 with a code and a time to try again, and what could not be logged did not happen.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from sqlalchemy import func, select

from gateway.access.actors import Actor
from gateway.access.grants import Grant
from gateway.access.policy import Action
from gateway.app import open_rooms
from gateway.settings import Settings
from keys.signing import Verifier
from storage.accesslog.checkpoint import Head
from storage.accesslog.verify import verify
from storage.database import Database
from storage.files import File
from storage.schema import cases, events, files
from tests.adversary.attacks import row
from tests.gateway.ground import SQLITE, logged, refused, session_of, until
from tests.house import (
    API,
    PASSPHRASE,
    PASSWORD,
    PATIENT,
    SCAN,
    TUS,
    Answer,
    House,
    Person,
    ServerProcess,
    open_house,
)

TRIES = 2_000


def closed(answer: Answer, *secrets: str) -> None:
    """The refusal, with a time to try again and nothing else."""
    refused(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert not [secret for secret in secrets if secret in answer.text]


async def case_count(house: House) -> int:
    async with house.rooms.main.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(cases)) or 0


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Another program holds SQLite's only lock for writing."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # Whoever writes at this moment needs the loop to finish.
    await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@SQLITE
async def test_while_the_database_is_locked_nothing_is_shown_or_changed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=1000")
    monkeypatch.setattr("storage.database.SQLITE_PRAGMAS", pragmas)
    async with open_house(settings) as house:
        case_id, file = await house.submitted_case()
        before = await case_count(house)
        seen = len(await logged(house, "case.view"))
        async with locked(Path(house.rooms.main.url.database or "")):
            of_case = f"{API}/cases/{case_id}"
            for path in (of_case, f"{of_case}/files/{file['id']}/content", f"{of_case}/archive"):
                closed(await house.dentist.ask("GET", path), case_id, file["id"])
            body = {"patient": dict(PATIENT)}
            closed(await house.dentist.ask("POST", f"{API}/cases", json=body))

        assert await case_count(house) == before
        assert len(await logged(house, "case.view")) == seen
        await house.dentist.get(of_case)


@SQLITE
async def test_on_a_full_disk_nothing_is_shown_and_what_was_shown_is_in_the_log(
    settings: Settings,
) -> None:
    async with open_rooms(settings, PASSPHRASE) as rooms:
        practice = await rooms.accounts.add_controller(name="North", email="mail@north.invalid")
        email = "dentist@north.invalid"
        await rooms.accounts.add_account(email=email, role="dentist", controller_id=practice.id)
        token = await rooms.accounts.create_token(email=email)
    server = await ServerProcess.start(settings)
    async with ClientSession() as session:
        dentist = Person(session, server.url, token)
        case_id = await dentist.new_case()
        pid, shown = server.process.pid, 0
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        # No file may grow beyond the largest of the database: as with a disk, writing just fails.
        path = Path(Database(settings.main_database, "main").url.database or "")
        largest = max(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, before[1]))
        for _ in range(TRIES):
            answer = await dentist.ask("GET", f"{API}/cases/{case_id}")
            if answer.status != 200:
                break
            shown += 1
        closed(answer, case_id, PATIENT["name"])
        closed(await dentist.ask("POST", f"{API}/cases", json={"patient": dict(PATIENT)}))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        await dentist.get(f"{API}/cases/{case_id}")
    assert await server.stop() == 0

    main = Database(settings.main_database, "main")
    async with main.reading() as connection:
        records = await connection.scalars(
            select(events.c.record).where(events.c.case_id == case_id)
        )
        views = [record for record in records if record and '"code":"case.view"' in record]
        assert await connection.scalar(select(func.count()).select_from(cases)) == 1
    verifier = Verifier.parse(settings.log_key_path.read_text().strip())
    found = await verify(main, verifier.open_note, Head.read(settings.log_head_path))
    await main.close()
    assert len(views) == shown + 1
    assert found.ok


@SQLITE
async def test_when_the_signer_is_gone_for_good_nothing_is_shown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_text: str) -> str:
        raise OSError("no signer")

    case_id = await house.dentist.new_case()
    monkeypatch.setattr(house.rooms.sequencer, "_sign", gone)
    monkeypatch.setattr("storage.accesslog.sequencer.PATIENCE", timedelta(0))

    async def is_closed() -> bool:
        return (await house.dentist.ask("GET", f"{API}/cases/{case_id}")).status != 200

    await until(is_closed)
    closed(await house.dentist.ask("GET", f"{API}/cases/{case_id}"), case_id)
    seen = len(await logged(house, "case.view"))
    closed(await house.dentist.ask("GET", f"{API}/cases/{case_id}"), case_id)
    assert len(await logged(house, "case.view")) == seen
    monkeypatch.undo()

    async def is_open() -> bool:
        return not await is_closed()

    await until(is_open)


@SQLITE
async def test_on_a_disk_that_is_full_but_for_its_reserve_an_officer_still_signs_in(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.reserve._LOOK_SECONDS", 0.0)
    async with open_house(settings) as house:
        for person in (house.dentist, house.officer):
            await house.rooms.accounts.set_password(email=person.email, password=PASSWORD)
        case_id = await house.dentist.new_case()
        assert settings.disk_reserve_path.exists()
        monkeypatch.setattr("storage.reserve.free_bytes", lambda _directory: 0)
        before = await case_count(house)
        for method, path, body in (
            ("GET", f"{API}/cases/{case_id}", None),
            ("POST", f"{API}/cases", {"patient": dict(PATIENT)}),
            ("POST", f"{API}/session", {"email": house.dentist.email, "password": PASSWORD}),
        ):
            answer = await house.dentist.ask(method, path, json=body)
            refused(answer, 503, "disk_full")
            assert int(answer.headers["Retry-After"]) > 0

        signing_in = {"email": house.officer.email, "password": PASSWORD}
        assert (await house.officer.ask("POST", f"{API}/session", json=signing_in)).status < 300
        await house.officer.get(f"{API}/log/events?controller={house.practice.id}")
        assert not settings.disk_reserve_path.exists()
        assert await case_count(house) == before

        monkeypatch.setattr("storage.reserve.free_bytes", lambda _directory: 1 << 40)
        await house.dentist.get(f"{API}/cases/{case_id}")
        assert settings.disk_reserve_path.exists()


@SQLITE
async def test_what_strangers_are_refused_takes_nothing_of_the_reserve_and_tells_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.reserve._LOOK_SECONDS", 0.0)
    async with open_house(settings) as house:
        for person in (house.dentist, house.officer):
            await house.rooms.accounts.set_password(email=person.email, password=PASSWORD)
        monkeypatch.setattr("storage.reserve.free_bytes", lambda _directory: 0)

        answers = [
            await house.stranger.ask(
                "POST", f"{API}/session", json={"email": email, "password": "not the password"}
            )
            for email in (house.officer.email, house.dentist.email, "nobody@people.invalid")
        ]
        answers += [
            await house.stranger.ask("GET", f"{API}/session"),
            await house.stranger.ask("HEAD", f"{API}/uploads/{'A' * 43}", headers=TUS),
        ]

        assert {answer.status for answer in answers} == {503}
        for answer in answers[:-1]:
            refused(answer, 503, "disk_full")
        for code in ("session.open", "session.use", "file.upload"):
            assert not await logged(house, code)

        officer = await session_of(house, house.officer.id)  # who has proved to be one
        wrong = {"password": "not the password"}
        answer = await officer.ask("POST", f"{API}/session/confirmation", json=wrong)
        assert answer.status == 401
        assert len(await logged(house, "session.confirm")) == 1


@SQLITE
async def test_on_the_reserve_no_file_is_inspected_and_none_loses_an_attempt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.reserve._LOOK_SECONDS", 0.0)
    monkeypatch.setattr("gateway.intake.inspector.PAUSE", timedelta(0))
    async with open_house(settings) as house:
        case_id = await house.dentist.new_case()
        address, file_id = await house.dentist.begin_upload(case_id, len(SCAN))
        given_back = asyncio.Event()
        inspector, give_back = house.rooms.inspector, house.rooms.inspector._give_back

        async def noted(file: File) -> None:
            await give_back(file)
            given_back.set()

        monkeypatch.setattr(inspector, "_give_back", noted)
        authorise = house.rooms.services.access.authorise

        async def fills_up(actor: Actor, action: Action, *args: Any, **more: Any) -> Grant:
            if action is Action.FILE_INSPECT and not given_back.is_set():
                monkeypatch.setattr("storage.reserve.free_bytes", lambda _directory: 0)
            return await authorise(actor, action, *args, **more)

        monkeypatch.setattr(house.rooms.services.access, "authorise", fills_up)
        await house.dentist.append(address, 0, SCAN)
        async with asyncio.timeout(30):
            await given_back.wait()
        waiting = await row(house.rooms.main, files, id=file_id)
        assert (waiting["state"], waiting["attempts"]) == ("received", 0)

        monkeypatch.setattr("storage.reserve.free_bytes", lambda _directory: 1 << 40)

        async def is_accepted() -> bool:
            state: str = (await row(house.rooms.main, files, id=file_id))["state"]
            return state == "accepted"

        await until(is_accepted)
