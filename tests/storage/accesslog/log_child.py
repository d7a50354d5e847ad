"""Appends and sequences without end, tells of each acknowledged event; its parent kills it.

Run as `python -m tests.storage.accesslog.log_child URL DIRECTORY ROUND`.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from storage.accesslog.log import AccessLog
from storage.accesslog.sequencer import LIFETIME
from storage.database import Database
from tests.storage.accesslog.log_ground import Ground, event

CALLERS = 8


async def append_and_sequence(url: str, directory: str, round_: str) -> None:
    database = Database(url, "main")
    # The killed one before could not give its lease back; by this clock it has run out.
    now = datetime.now(UTC) + int(round_) * 2 * LIFETIME
    sequencer = Ground(database, Path(directory), time=now).sequencer()
    log, numbers = AccessLog(database), count(int(round_) * 1_000_000)
    log.start()

    async def call() -> None:
        for number in numbers:
            each = event(number, f"practice-{number % 5}")
            await log.append(each)
            sys.stdout.write(f"{each.id}\n")
            sys.stdout.flush()

    await asyncio.gather(
        sequencer.run(asyncio.Event(), log.appended), *(call() for _ in range(CALLERS))
    )


if __name__ == "__main__":
    asyncio.run(append_and_sequence(*sys.argv[1:]))
