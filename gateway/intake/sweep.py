"""Removes what crashes and time leave: expired uploads, and blobs and keys that no row names.

An orphan is old before it is taken for one: between a durable blob and its row lies a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.access.actors import Actor, system
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.errors import UploadGoneError
from gateway.ids import now
from gateway.intake.uploads import Uploads
from gateway.settings import Settings
from keys.context import Purpose
from storage import (
    accounts,
    cases,
    files,
    incidents,
    inventory,
    keystore,
    links,
    signins,
    throttles,
)
from storage.blobs import Area, BlobStore
from storage.database import Database
from storage.durable import sweep_unfinished

BATCH = 500
TRIES_KEPT = timedelta(days=2)
DEVICES_KEPT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Swept:
    """How much was removed."""

    expired_uploads: int
    orphan_blobs: int
    orphan_keys: int
    unfinished_blobs: int
    unfinished_files: int


class Sweeper:
    """Sweeps all stores; safe at any time, on any node, in parallel."""

    def __init__(
        self,
        *,
        main: Database,
        key_database: Database,
        blobs: BlobStore,
        access: Access,
        uploads: Uploads,
        settings: Settings,
    ) -> None:
        """Orphans are what is older than the settings say."""
        self._main = main
        self._keystore = key_database
        self._blobs = blobs
        self._access = access
        self._uploads = uploads
        self._data = settings.data
        self._age = timedelta(hours=settings.orphan_hours)

    async def sweep(self, actor: Actor | None = None) -> Swept:
        """Sweep once."""
        grant = await self._access.authorise(actor or system("sweep"), Action.ORPHANS_SWEEP)
        before = now() - self._age
        swept = Swept(
            expired_uploads=await self._expire(),
            orphan_blobs=await self._orphan_blobs(before),
            orphan_keys=await self._orphan_keys(before),
            unfinished_blobs=await self._blobs.sweep_unfinished(before),
            unfinished_files=await asyncio.to_thread(sweep_unfinished, self._data, before),
        )
        await self._note_closed()
        async with self._main.transaction() as tx:
            await accounts.delete_expired_sessions(tx, now())
            await signins.delete_expired(tx, now())
            await links.delete_expired(tx, now())
            await throttles.delete_old(tx, now() - TRIES_KEPT)
            await throttles.delete_devices(tx, now() - DEVICES_KEPT)
        await self._access.outcome(
            grant,
            expired_uploads=swept.expired_uploads,
            orphan_blobs=swept.orphan_blobs,
            orphan_keys=swept.orphan_keys,
        )
        return swept

    async def _expire(self) -> int:
        async with self._main.reading() as connection:
            late = await files.expired(connection, now())
        for file in late:
            target = Target("file", file.id)
            grant = await self._access.authorise(
                system("sweep"), Action.FILE_INSPECT, file.case_id, target=target
            )
            try:
                await self._uploads.expire(grant, file)
            except UploadGoneError:
                continue  # it ended by itself in between
        return len(late)

    async def _orphan_blobs(self, before: datetime) -> int:
        removed = 0
        for area in Area:
            old = [stat.blob_id async for stat in self._blobs.list(area) if stat.modified < before]
            for batch in _batches(old):
                async with self._main.reading() as connection:
                    known = await files.known_blobs(connection, batch)
                for blob_id in set(batch) - known:
                    await self._blobs.delete(area, blob_id)
                    removed += 1
        return removed

    async def _orphan_keys(self, before: datetime) -> int:
        removed = 0
        known = {
            Purpose.UPLOAD_KEY: files.known_uploads,
            Purpose.FILE_KEY: files.known_blobs,
            Purpose.CASE_KEY: cases.known_keys,
            Purpose.ACCOUNT_KEY: inventory.open_accounts,
            Purpose.INCIDENT_KEY: incidents.known,
        }
        for purpose, names in known.items():
            async with self._keystore.reading() as connection:
                old = await keystore.objects(connection, purpose, before)
            for batch in _batches(old):
                async with self._main.reading() as connection:
                    named = await names(connection, batch)
                for object_id in set(batch) - named:
                    async with self._keystore.transaction() as tx:
                        await keystore.remove(tx, purpose, object_id)
                    removed += 1
        return removed

    async def _note_closed(self) -> None:
        """Tell the keystore of every closed account: those of a client too, or after a crash."""
        async with self._main.reading() as connection:
            closed = await accounts.closed_accounts(connection)
        async with self._keystore.transaction() as tx:
            await keystore.enter_closed(tx, closed)


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
