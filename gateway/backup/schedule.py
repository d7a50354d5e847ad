"""Back-ups by themselves, while serving: one node at a time, as often as the setting says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from gateway.access.actors import system
from gateway.backup.errors import BackupError
from gateway.backup.place import Place
from gateway.backup.writing import Backups
from gateway.ids import now
from storage import erasures, leases
from storage.database import Database

LEASE = "backup"
LEASE_TIME = timedelta(seconds=60)
RENEW_SECONDS = 20.0
LOOK_SECONDS = 60.0

log = structlog.get_logger()


class Schedule:
    """Writes a generation to every registered place whose newest one is old enough.

    Or lacks something: a file that was erased by itself, or a corrected identity, gave its case
    another key, and what the newest generation holds of that case opens under nothing any more.
    """

    def __init__(self, backups: Backups, main: Database, node_id: str, hours: float) -> None:
        """Work as node `node_id`; 0 hours: never."""
        self._backups = backups
        self._main = main
        self._node_id = node_id
        self._age = timedelta(hours=hours)

    async def run(self) -> None:
        """Look once a minute, until cancelled."""
        while True:
            if self._age:
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Back up what is due, if it is this node's turn; what fails is logged, and due again."""
        for place in self._backups.places.data:
            try:
                if await self._is_due(place):
                    await self._write(place)
            except Exception as error:  # noqa: BLE001 - a back-up that fails must not end serving
                code = getattr(error, "code", type(error).__name__)
                log.error("backup_failed", place=str(place.root), error=code)

    async def _is_due(self, place: Place) -> bool:
        try:
            newest = (await asyncio.to_thread(place.newest)).at
        except BackupError:
            return True  # there is none, or it cannot be read
        if newest <= now() - self._age:
            return True
        # A case that was given another key since does not open from the newest back-up.
        async with self._main.reading() as connection:
            return await erasures.any_rekeyed(connection, newest)

    async def _write(self, place: Place) -> None:
        holder = f"{self._node_id}/backup"
        lease = await leases.acquire(self._main, LEASE, holder, LEASE_TIME, now())
        if lease is None:
            return
        async with self._renewing(holder):
            backup = await self._backups.write(system("backup"), place, lambda _: None)
        await leases.release(self._main, lease)
        log.info(
            "backup_written",
            place=str(place.root),
            generation=backup.generation.id,
            damaged=len(backup.damaged),
        )

    @asynccontextmanager
    async def _renewing(self, holder: str) -> AsyncIterator[None]:
        """Keep the lease while a back-up takes as long as it takes.

        Should it be lost all the same, the lock at the place lets only one write there.
        """

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEW_SECONDS)
                await leases.acquire(self._main, LEASE, holder, LEASE_TIME, now())

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing
