"""`kluis serve` as processes: several share one address, and all of them end without loss."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession
from sqlalchemy import select

from gateway import serve as serving_module
from gateway.app import open_rooms
from gateway.errors import InvalidInputError
from gateway.serve import serve
from gateway.settings import Settings
from storage.database import Database
from storage.schema import events
from tests.gateway.ground import PATIENCE_SECONDS, SQLITE, until
from tests.house import API, BYTES, PASSPHRASE, SCAN, TUS, Person, ServerProcess


async def dentist_of(settings: Settings) -> str:
    """A dentist's token, made beside the server as the operator does."""
    async with open_rooms(settings, PASSPHRASE) as rooms:
        practice = await rooms.accounts.add_controller(name="North", email="mail@north.invalid")
        email = "dentist@north.invalid"
        await rooms.accounts.add_account(email=email, role="dentist", controller_id=practice.id)
        return await rooms.accounts.create_token(email=email)


@asynccontextmanager
async def running(settings: Settings, *arguments: str) -> AsyncIterator[ServerProcess]:
    """A server as a process, which does not outlive the test whatever happens."""
    server = await ServerProcess.start(settings, *arguments)
    try:
        yield server
    finally:
        if server.process.returncode is None:
            await server.kill()


async def nodes_that_answered(settings: Settings) -> set[str]:
    database = Database(settings.main_database, "main")
    async with database.reading() as connection:
        rows = await connection.execute(
            select(events.c.record).where(events.c.record.contains("case.list"))
        )
        sources = {record.partition('"source":{"id":"')[2][:36] for record in rows.scalars()}
    await database.close()
    return sources


def children(process: asyncio.subprocess.Process) -> list[int]:
    """The serving processes of a supervisor, not what Python starts besides."""
    started = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [
        int(child)
        for child in started
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


async def test_several_processes_share_the_work_and_end_cleanly(settings: Settings) -> None:
    token = await dentist_of(settings)
    async with running(settings, "--workers", "2") as server, ClientSession() as session:
        dentist = Person(session, server.url, token)
        case_id = await dentist.new_case()
        files = await asyncio.gather(*(dentist.upload(case_id, SCAN) for _ in range(4)))
        assert {file["state"] for file in files} == {"accepted"}
        assert sorted(file["number"] for file in files) == [1, 2, 3, 4]

        async def have_both_answered() -> bool:
            # A connection of its own each: whoever is free takes it.
            alone, path = {"Connection": "close"}, f"{API}/cases"
            await asyncio.gather(*(dentist.ask("GET", path, headers=alone) for _ in range(8)))
            return len(await nodes_that_answered(settings)) == 2

        await until(have_both_answered)
        certificate = await dentist.erase(case_id)
        assert certificate["body"]["case_id"] == case_id

        assert await server.stop() == 0


@SQLITE
async def test_a_process_that_is_killed_is_replaced(settings: Settings) -> None:
    token = await dentist_of(settings)
    async with running(settings, "--workers", "2") as server, ClientSession() as session:
        first = children(server.process)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)

        async def is_replaced() -> bool:
            return len(set(children(server.process)) - {first[0]}) == 2

        await until(is_replaced)
        now = children(server.process)
        dentist = Person(session, server.url, token)
        case_id = await dentist.new_case()
        file = await dentist.upload(case_id, SCAN)
        assert file["state"] == "accepted"

        assert await server.stop() == 0
        assert not [pid for pid in now if Path(f"/proc/{pid}").exists()]


@SQLITE
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_running_upload_is_answered_before_the_server_ends(
    settings: Settings, number: signal.Signals
) -> None:
    token = await dentist_of(settings)
    async with running(settings) as server, ClientSession() as session:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield b"some"
            begun.set()
            await go_on.wait()
            yield b"more"

        dentist = Person(session, server.url, token)
        address, _ = await dentist.begin_upload(await dentist.new_case(), 12)
        headers = {**TUS, **BYTES, "Upload-Offset": "0"}
        patch = asyncio.create_task(dentist.ask("PATCH", address, headers=headers, data=slowly()))
        await begun.wait()
        await until(lambda: is_at(dentist, address, 4))
        server.process.send_signal(number)
        await until(lambda: is_closed(server.url))
        go_on.set()
        answer = await patch
        assert answer.status == 204, answer.text
        acknowledged = int(answer.headers["Upload-Offset"])
        assert acknowledged in {4, 8}  # durably parked, or finished
        assert await server.process.wait() == 0

    async with running(settings) as again, ClientSession() as session:
        assert await Person(session, again.url).offset(address) == acknowledged


async def is_at(person: Person, address: str, offset: int) -> bool:
    return await person.offset(address) == offset


async def is_closed(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return True
    writer.close()
    return False


@SQLITE
async def test_an_upload_that_outlasts_the_grace_keeps_what_arrived(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_module, "GRACE_SECONDS", 0.2)
    token = await dentist_of(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ready, begun = asyncio.Event(), asyncio.Event()
    server = asyncio.create_task(serve(settings, PASSPHRASE, listener, ready.set))
    await ready.wait()

    async def forever() -> AsyncIterator[bytes]:
        yield b"some"
        begun.set()
        await asyncio.Event().wait()

    async with ClientSession() as session:
        dentist = Person(session, url, token)
        address, _ = await dentist.begin_upload(await dentist.new_case(), 12)
        headers = {**TUS, **BYTES, "Upload-Offset": "0"}
        patch = asyncio.create_task(dentist.ask("PATCH", address, headers=headers, data=forever()))
        await begun.wait()
        await until(lambda: is_at(dentist, address, 4))
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await server
        patch.cancel()
        await asyncio.gather(patch, return_exceptions=True)
    loop = asyncio.get_running_loop()
    loop.remove_signal_handler(signal.SIGTERM)
    loop.remove_signal_handler(signal.SIGINT)

    async with running(settings) as again, ClientSession() as session:
        assert await Person(session, again.url).offset(address) == 4


@SQLITE
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_server_that_cannot_start_says_so_by_its_exit_code(
    settings: Settings, workers: str
) -> None:
    settings.keyring_path.unlink()
    with pytest.raises(AssertionError, match=r"the server ended with [1-9]"):
        await ServerProcess.start(settings, "--workers", workers)


@SQLITE
@pytest.mark.parametrize("host", ["::", "192.0.2.1"])
async def test_plain_http_stays_on_loopback(settings: Settings, host: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        serving_module._listen(settings.model_copy(update={"host": host, "port": 0}))

    assert caught.value.field == "host"
