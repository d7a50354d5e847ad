"""What moving keys costs, beside the least that it can cost: bare AES-GCM, and a bare client.

`make bench-keys` runs it and prints one table. Wrapped keys are made straight in the keystore; what
is measured is the real way of a rotation and of an erasure, on SQLite, durable at each step.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date
from pathlib import Path

from aiohttp import ClientError, ClientSession
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import insert

from gateway.access.actors import Actor, operator
from gateway.access.policy import Role
from gateway.app import initialise, open_rooms
from gateway.ids import new_id, now
from gateway.privacy.completeness import Treatment
from gateway.privacy.patients import Patient
from gateway.rooms import Rooms
from gateway.settings import Settings, load
from keys.context import Context, Purpose
from keys.providers.bao import BaoClient, TokenFile
from keys.providers.openbao import OpenBao
from keys.secret import SecretKey
from storage.schema import wrapped_keys

PASSPHRASE = "a passphrase of the benchmark alone"  # noqa: S105 - of a directory that is removed
OFFICER = "officer@bench.invalid"
BATCH = 200
ROWS = 5_000  # at a time while a keystore is filled
CALLERS = 16
TOKEN = "bench"  # noqa: S105 - of a server that lives for seconds, on loopback


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--living", type=int, default=10_000, help="cases beside an erased one")
    parser.add_argument("--cases", type=int, default=100_000, help="cases of a rotation")
    parser.add_argument("--calls", type=int, default=5_000, help="calls to the key server")
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kluis-bench-", dir=Path.cwd()))
    try:
        asyncio.run(_measure(directory, chosen.living, chosen.cases, chosen.calls))
    finally:
        shutil.rmtree(directory)


async def _measure(directory: Path, living: int, cases: int, calls: int) -> None:
    _say(f"load before: {os.getloadavg()[0]:.1f}")
    _say("| | per second | |")
    _say("|---|---|---|")
    bare = _bare_rewraps(cases)
    _row("bare AES-GCM, open and seal a key", cases, bare, "")
    settings = load(data=directory / "data")
    await initialise(settings, PASSPHRASE, OFFICER)
    async with _practice(settings, cases) as (rooms, practice):
        moved = await _rewraps(rooms, practice, cases)
        _row("re-wrap, local keyring", cases, moved, f"{moved / bare:.1f} times the time")
        took = await _rotation(rooms, practice)
        _row(f"rotation of a practice of {cases} cases", cases, took, f"{took:.1f} s in all")
    async with _practice(settings, living) as (rooms, practice):
        took = await _erasure(rooms, practice)
        _row(f"erasure beside {living} living cases", living, took, f"{took:.1f} s in all")
    binary = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
    if binary is None:
        _say("| OpenBao | | not installed |")
        return
    with _server(binary, directory) as address:
        alone = await _bare_calls(address, calls)
        _row(f"OpenBao, bare client, {CALLERS} callers", calls, alone, "")
        ours = await _calls(address, directory, calls)
        _row(f"OpenBao, wrap, {CALLERS} callers", calls, ours, f"{ours / alone:.2f} times the time")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _row(what: str, count: int, seconds: float, note: str) -> None:
    rate = f"{count / seconds:,.0f}".replace(",", " ")
    _say(f"| {what} | {rate} | {note} |")


def _bare_rewraps(count: int) -> float:
    """Seconds to open and seal so many keys, with nothing else around it."""
    old, new = AESGCM(os.urandom(32)), AESGCM(os.urandom(32))
    nonces = [os.urandom(12) for _ in range(count)]
    sealed = [old.encrypt(nonce, os.urandom(32), b"place") for nonce in nonces]
    began = time.perf_counter()
    for nonce, wrapped in zip(nonces, sealed, strict=True):
        new.encrypt(os.urandom(12), old.decrypt(nonce, wrapped, b"place"), b"place")
    return time.perf_counter() - began


@asynccontextmanager
async def _practice(settings: Settings, count: int) -> AsyncIterator[tuple[Rooms, str]]:
    """The rooms, and a practice with so many wrapped case keys."""
    async with open_rooms(settings, PASSPHRASE) as rooms:
        name = secrets.token_hex(4)
        practice = await rooms.accounts.add_controller(name=name, email="mail@bench.invalid")
        for start in range(0, count, ROWS):
            ids = [new_id() for _ in range(min(ROWS, count - start))]
            rows = [await _wrapped(rooms, practice.id, case_id) for case_id in ids]
            async with rooms.keystore.transaction() as tx:
                await tx.execute(insert(wrapped_keys), rows)
        yield rooms, practice.id


async def _wrapped(rooms: Rooms, practice: str, case_id: str) -> dict[str, object]:
    place = Context(Purpose.CASE_KEY, practice, case_id, case_id)
    return {
        "purpose": place.purpose,
        "object_id": case_id,
        "under": "",
        "controller_id": practice,
        "case_id": case_id,
        "version": 1,
        "wrapped": await rooms.keyring.wrap(1, SecretKey.generate(), place),
        "created_at": now(),
    }


async def _rewraps(rooms: Rooms, practice: str, count: int) -> float:
    """Seconds to re-wrap so many keys in batches, without a database."""
    place = Context(Purpose.CASE_KEY, practice, "case", "case")
    item = (await rooms.keyring.wrap(1, SecretKey.generate(), place), place)
    began = time.perf_counter()
    for _ in range(0, count, BATCH):
        await rooms.keyring.rewrap(1, 1, [item] * BATCH)
    return time.perf_counter() - began


async def _rotation(rooms: Rooms, practice: str) -> float:
    began = time.perf_counter()
    punctures = await rooms.rotations.request(operator(), [practice])
    while (await rooms.rotations.progress(punctures)).practices:
        await rooms.erasures.advance()
    return time.perf_counter() - began


async def _erasure(rooms: Rooms, practice: str) -> float:
    email = f"{secrets.token_hex(4)}@bench.invalid"
    account = await rooms.accounts.add_account(
        email=email, role=Role.DENTIST, controller_id=practice
    )
    dentist = Actor(account.id, Role.DENTIST, practice)
    patient = Patient("Benchmark", date(2000, 1, 1), "1")
    case = (await rooms.services.cases.create(dentist, patient, "", Treatment.ALIGNER)).case
    began = time.perf_counter()
    asked = rooms.services.instructions
    await asked.erase_cases(dentist, [case.id], "a benchmark")
    while (await asked.view(dentist, case.id)).step != "done":
        await rooms.erasures.advance()
        await rooms.sequencer.step()
    return time.perf_counter() - began


async def _calls(address: str, directory: Path, count: int) -> float:
    """Seconds for so many wraps by our provider."""
    (directory / "token").write_text(f"{TOKEN}\n")
    provider = OpenBao(BaoClient(address, TokenFile(directory / "token")), "kluis")
    try:
        await provider.create("practice", 1)
        secret, place = SecretKey.generate(), Context(Purpose.CASE_KEY, "practice", "case", "case")
        return await _timed(lambda: provider.wrap(1, secret, place), count)
    finally:
        await provider.close()


async def _bare_calls(address: str, count: int) -> float:
    """Seconds for so many encryptions by a client that does nothing else."""
    headers = {"X-Vault-Token": TOKEN}
    body = {"plaintext": base64.b64encode(bytes(32)).decode(), "associated_data": "cGxhY2U="}
    async with ClientSession(address, headers=headers) as session:
        await _is_there(session)
        await _post(session, "/v1/sys/mounts/kluis/transit", {"type": "transit"})
        kind = {"type": "kv", "options": {"version": "2"}}
        await _post(session, "/v1/sys/mounts/kluis/kv", kind)
        await _post(session, "/v1/kluis/transit/keys/bare", {})
        await asyncio.sleep(2)  # a new engine upgrades itself for a moment
        return await _timed(
            lambda: _post(session, "/v1/kluis/transit/encrypt/bare", {"batch_input": [body]}), count
        )


async def _is_there(session: ClientSession) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(ClientError):
                async with session.get("/v1/sys/health") as response:
                    if response.ok:
                        return
            await asyncio.sleep(0.1)


async def _post(session: ClientSession, path: str, body: object) -> bytes:
    async with session.post(path, json=body) as response:
        response.raise_for_status()
        return await response.read()


async def _timed(call: Callable[[], Awaitable[object]], count: int) -> float:
    async def caller() -> None:
        for _ in range(count // CALLERS):
            await call()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return (time.perf_counter() - began) * count / (count // CALLERS * CALLERS)


@contextmanager
def _server(binary: str, directory: Path) -> Iterator[str]:
    """A development server of OpenBao on loopback, its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listen = f"-dev-listen-address=127.0.0.1:{port}"
    command: Sequence[str] = [
        *(binary, "server", "-dev", f"-dev-root-token-id={TOKEN}", listen),
        "-dev-no-store-token",
    ]
    with (directory / "bao.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
