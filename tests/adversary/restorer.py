"""Forks back-ups and restores again and again, each to be killed; see `victim`.

Run as `python -m tests.adversary.restorer FILE`. For each line on its input, a job as JSON, it
forks a process that does it and dies at the durable step that FILE counts, and tells its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from gateway.access.actors import operator
from gateway.app import open_rooms
from gateway.backup.house import house_of
from gateway.backup.place import Place
from gateway.backup.restoring import Restore
from gateway.backup.sources import Sources, examine
from gateway.settings import load
from keys.providers.keyfile import ScryptCost
from keys.recovery import RecoveryKey
from tests.adversary.victim import Countdown
from tests.house import PASSPHRASE


async def back_up(job: dict[str, Any]) -> None:
    """Write a generation."""
    place, keys = Path(job["place"]), Path(job["keys"])
    settings = load(
        data=Path(job["data"]),
        disk_reserve_bytes=64 * 1024,
        backup_directories=[place],
        key_backup_directories=[keys],
    )
    async with open_rooms(settings, PASSPHRASE) as rooms:
        await rooms.backups.write(operator(), Place(place), lambda _: None)


async def restore(job: dict[str, Any]) -> None:
    """Restore the newest generation into another directory."""
    settings = load(data=Path(job["target"]), disk_reserve_bytes=64 * 1024)
    recovery = RecoveryKey.from_words(job["words"])
    sources = Sources([Place(Path(job["place"]))], [Path(job["keys"])], recovery)
    async with house_of(settings, sources) as house:
        found = await examine(sources, house, lambda _: None)
        work = Restore(settings, found, PASSPHRASE, ScryptCost(n=2**10, r=8, p=1))
        await work.run(None, lambda _: None, two_people=False)


def main(path: Path) -> None:
    """Fork a process for each line, and wait for its end."""
    jobs = {"backup": back_up, "restore": restore}
    for line in sys.stdin:
        job = json.loads(line)
        if (pid := os.fork()) == 0:
            Countdown(path).install()
            asyncio.run(jobs[job["do"]](job))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{status}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
