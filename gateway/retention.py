"""The end of the access log's legal term: records go, every proof stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from gateway.access.actors import Actor, system
from gateway.access.grants import Access
from gateway.access.policy import Action
from gateway.ids import now
from storage.accesslog.pruning import prune, scrub
from storage.database import Database

INTERVAL = timedelta(days=1)  # between two looks
YEAR = timedelta(days=365.2425)

log = structlog.get_logger()


class Retention:
    """Prunes the access log."""

    def __init__(self, main: Database, access: Access, years: float) -> None:
        """Prune records in `main` that are older than so many years."""
        self._main = main
        self._access = access
        self._term = years * YEAR

    async def prune(self, actor: Actor | None = None) -> int:
        """Delete the records whose term ended, for good; how many there were.

        Raises:
            UnavailableError: The log cannot be written, so nothing was deleted.
            TimeoutError: They are deleted, but a copy is left in SQLite's write-ahead log.
        """
        grant = await self._access.authorise(actor or system("retention"), Action.LOG_PRUNE)
        pruned = await prune(self._main, now() - self._term)
        if pruned:
            await scrub(self._main)
        await self._access.outcome(grant, records=pruned)
        return pruned

    async def run(self) -> None:
        """Prune once a day, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL.total_seconds())
            try:
                await self.prune()
            except Exception as error:  # noqa: BLE001 - what it leaves, the next one finds
                log.error("pruning_failed", error=type(error).__name__)
