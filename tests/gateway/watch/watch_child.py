"""Watches a log without end; its parent kills it. Run as `python -m ... URL`."""

from __future__ import annotations

import asyncio
import sys

from gateway.watch.thresholds import Thresholds
from gateway.watch.watching import Watching
from storage.database import Database
from tests.storage.accesslog.log_ground import START


async def watch(url: str) -> None:
    watching = Watching(Database(url, "main"), Thresholds(), "child", lambda: START)
    while True:
        await watching.step()
        sys.stdout.write(".\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(watch(*sys.argv[1:]))
