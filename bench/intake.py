"""A scan on its way through the whole gateway: upload over HTTP, report, verdict.

    python -m bench.intake

A gateway of its own serves each row, with its databases and blobs below TMPDIR, fsync and all. The
same gateway with trimesh for the report says what the report is worth in the whole.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from bench.peers import ours_in_full
from gateway import app, serve
from gateway.cli import sample
from gateway.inspection.workers.pool import WorkerPool
from gateway.settings import Settings, load

API = "/api/v1"
TRIANGLES = 400_000  # 20 MB
VERDICT_GOAL, RATE_GOAL = 3.0, 8.0
CLIENTS = 1, 8
MEMORY_BYTES = 8 << 30  # of an inspection: trimesh needs more than ours may
PIECE_BYTES = 1 << 20
BY_TRIMESH = (sys.executable, "-I", str(Path(__file__).with_name("by_trimesh.py")))


@dataclass(frozen=True, slots=True)
class Client:
    """A dentist with a case."""

    session: ClientSession
    case: str

    async def send(self, scan: bytes) -> float:
        """Upload a scan and wait for its verdict.

        Returns:
            The seconds from its last byte to the verdict.
        """
        ended = 0.0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal ended
            for start in range(0, len(scan), PIECE_BYTES):
                yield scan[start : start + PIECE_BYTES]
            ended = time.perf_counter()

        kind = base64.b64encode(b"scan").decode()
        name = base64.b64encode(b"arch.stl").decode()
        tus = {"Tus-Resumable": "1.0.0"}
        begin = {"Upload-Length": str(len(scan)), "Upload-Metadata": f"filename {name},kind {kind}"}
        async with self.session.post(f"{self.case}/files", headers=tus | begin) as created:
            created.raise_for_status()
            place, file = created.headers["Location"], created.headers["Kluis-File"]
        body = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        async with self.session.patch(place, headers=tus | body, data=pieces()) as sent:
            sent.raise_for_status()
        while True:
            path = f"{self.case}/files/{file}"
            async with self.session.get(path, headers={"Prefer": "wait=10"}) as found:
                state = (await found.json())["state"]
            if state == "accepted":
                return time.perf_counter() - ended
            if state == "refused":
                raise ValueError(state)


@asynccontextmanager
async def gateway(folder: Path, program: str) -> AsyncIterator[Client]:
    """A gateway whose report is by `program`, and somebody to use it."""
    settings = _settings(folder)
    passphrase = secrets.token_hex()
    await app.initialise(settings, passphrase, "officer@bench.invalid")
    async with app.open_rooms(settings, passphrase) as rooms:
        practice = await rooms.accounts.add_controller(name="Bench", email="mail@bench.invalid")
        email = "dentist@bench.invalid"
        await rooms.accounts.add_account(email=email, role="dentist", controller_id=practice.id)
        token = await rooms.accounts.create_token(email=email)
    command = (sys.executable, "-m", "bench.intake", program, str(folder))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "BENCH_PASSPHRASE": passphrase},
    )
    try:
        if process.stdout is None:
            raise RuntimeError
        address = (await process.stdout.readline()).decode().strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with ClientSession(address, headers=headers) as session:
            yield await _client(session)
    finally:
        process.terminate()
        await process.wait()


def _settings(folder: Path) -> Settings:
    return load(
        data=folder,
        port=0,
        inspection_workers=os.cpu_count(),
        inspection_memory_bytes=MEMORY_BYTES,
        inspection_seconds=60.0,
        files_per_case=1000,
    )


async def _client(session: ClientSession) -> Client:
    patient = {"name": "Bench", "birth_date": "2000-01-01", "number": "1"}
    async with session.post(f"{API}/cases", json={"patient": patient, "notes": ""}) as created:
        case: dict[str, Any] = await created.json()
        created.raise_for_status()
    return Client(session, f"{API}/cases/{case['id']}")


async def verdict_seconds(scan: bytes, rounds: int) -> tuple[float, float]:
    """The bare report, and from the last byte to the verdict on an idle gateway: medians.

    They take turns, so that a machine that slows down slows down both.
    """
    bare, verdicts = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "arch.stl")
        path.write_bytes(scan)
        async with gateway(Path(folder, "gateway"), "ours") as client:
            await client.send(scan)
            for _ in range(rounds):
                begin = time.perf_counter()
                ours_in_full(path)
                bare.append(time.perf_counter() - begin)
                verdicts.append(await client.send(scan))
    return statistics.median(bare), statistics.median(verdicts)


async def rates(scan: bytes, program: str, each: int) -> list[float]:
    """Scans per second for every number of clients in CLIENTS, each of whom sends `each`."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder), program) as client:

            async def sender(count: int) -> None:
                for _ in range(count):
                    await client.send(scan)

            for clients in CLIENTS:
                begin = time.perf_counter()
                await asyncio.gather(*(sender(each) for _ in range(clients)))
                found.append(each * clients / (time.perf_counter() - begin))
    return found


def rows(rounds: int) -> Iterator[str]:
    """The table's part about the whole gateway."""
    scan = sample.scan(TRIANGLES, seed=1)
    bare, verdict = asyncio.run(verdict_seconds(scan, rounds))
    yield f"the bare report on {len(scan) / 1e6:.1f} MB: {bare * 1000:.0f} ms"
    times = f"{verdict / bare:.1f}x (goal <= {VERDICT_GOAL})"
    yield f"last byte to verdict over HTTP: {verdict * 1000:.0f} ms  {times}"
    ours = asyncio.run(rates(scan, "ours", 4))
    theirs = asyncio.run(rates(scan, "trimesh", 1))
    for clients, fast, slow in zip(CLIENTS, ours, theirs, strict=True):
        yield (
            f"scans per second, {clients} at once: ours {fast:.1f}, on trimesh {slow:.2f}"
            f"  {fast / slow:6.1f}x (goal >= {RATE_GOAL})"
        )


def main() -> None:
    """Print the rows; or be one of the gateways."""
    if len(sys.argv) == 1:
        for row in rows(7):
            _say(row)
        return
    program, folder = sys.argv[1:]
    if program == "trimesh":
        vars(app)["WorkerPool"] = partial(WorkerPool, command=BY_TRIMESH)
    serve.run_server(_settings(Path(folder)), os.environ["BENCH_PASSPHRASE"], _say)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
