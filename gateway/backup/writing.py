"""Writing a generation to a place, while the house is at work.

The steps, and what a crash leaves:

1. the event `backup.write`. Nothing is written before it.
2. the main database, as one read transaction sees it, sealed. *Crash:* a directory without a
   manifest; the next run removes it.
3. the blobs that it names and the place lacks, each fsynced under its name. *Crash:* blobs that no
   generation names; retention removes them, or the next run finds them there.
4. the list of blobs.
5. the keystore and the provider's keys (places.py). Read after the data, so it holds the key of
   everything in them that was not erased meanwhile. *Crash:* newer ones than any generation; each
   generation before opens with them as well.
6. the manifest, signed. *Crash before:* as 2. *After:* the generation counts.
7. older generations go, manifest first, then blobs that none names.
8. the outcome of 1, with the hash of the manifest.

Only 6 makes a generation count, and everything that it names is durable by then.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action, Role
from gateway.backup.errors import PlaceUnusableError
from gateway.backup.parts import PartWriter, Sign, hash_of
from gateway.backup.place import (
    BlobEntry,
    Generation,
    LogState,
    Manifest,
    Part,
    Place,
)
from gateway.backup.places import Places, recovery_key
from gateway.ids import new_id, now
from gateway.settings import Settings
from keys.context import Purpose
from keys.keyring import Keyring
from keys.stream import ciphertext_size
from storage.accesslog.numbering import log_size
from storage.accesslog.publishing import newest
from storage.accesslog.tiles import tile_reader
from storage.accesslog.tree import Tree
from storage.blobs import Area, BlobStore
from storage.database import Database
from storage.dump import dump
from storage.durable import replace_file, sync_directory
from storage.errors import BlobExistsError, BlobMissingError
from storage.files import known_blobs, stored_blobs

PIECE = 1 << 20

Advanced = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """A generation that was written.

    Attributes:
        generation: As it lies at the place.
        copied: Blobs that the place lacked.
        damaged: Blobs that are not here or not as they were sealed, so they were left out; each
            may still lie at the place from before.
    """

    generation: Generation
    copied: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    at: str
    data: Part
    log: LogState
    blobs: list[BlobEntry]


class Backups:
    """Writes generations."""

    def __init__(
        self,
        settings: Settings,
        main: Database,
        blobs: BlobStore,
        access: Access,
        keyring: Keyring,
        places: Places,
    ) -> None:
        """Back up `main` and `blobs`; `places` renews keystore and keys."""
        self.places = places
        self._settings = settings
        self._main = main
        self._blobs = blobs
        self._access = access
        self._keyring = keyring

    async def write(self, actor: Actor, place: Place, advanced: Advanced) -> Backup:
        """Write a generation to one place.

        Args:
            actor: Who asked; an operator's word makes a place of a directory.
            place: Where.
            advanced: Told how many bytes of blobs were looked at since it was last told.

        Raises:
            RecoveryKeyMissingError: There is nothing to seal to.
            PlaceUnusableError: The place cannot be written to.
        """
        recovery_key(self._settings)
        if actor.role is Role.OPERATOR:
            self.places.mark(place.root)
        place.prepare()
        target = Target("generation", new_id())
        grant = await self._access.authorise(actor, Action.BACKUP_WRITE, target=target)
        try:
            async with place.writing():
                await asyncio.to_thread(place.sweep)
                backup = await self._generation(place, target.id, advanced)
                gone = await place.keep(self._settings.backup_keep)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise PlaceUnusableError(place=place.root, reason=reason) from error
        await self._access.outcome(
            grant,
            manifest_sha256=backup.generation.sha256,
            removed=gone,
            damaged=list(backup.damaged),
        )
        return backup

    async def _generation(self, place: Place, generation_id: str, advanced: Advanced) -> Backup:
        directory = place.generations / generation_id
        directory.mkdir(mode=0o700)
        sync_directory(place.generations)
        sign = await self.places.signer()
        snapshot = await self._dump(directory, sign)
        kept, copied, damaged = await self._copy(place, snapshot.blobs, advanced)
        listed = "".join(f"{each.sha256} {each.size} {each.blob_id}\n" for each in kept)
        replace_file(directory / "blobs.txt", listed.encode())
        keystore = await self.places.renew_keystore(place)
        manifest = Manifest(
            generation=generation_id,
            at=snapshot.at,
            version=version("kluis"),
            provider=self._keyring.name,
            data=snapshot.data,
            blobs=Part.of("blobs.txt", hash_of(directory / "blobs.txt")),
            keystore=Part.of(place.keystore.name, keystore),
            log=snapshot.log,
            public=_public_keys(self._settings),
        )
        raw = manifest.signed(sign)
        replace_file(directory / "manifest.json", raw)
        await self.places.note_head(place)
        return Backup(Generation(directory, manifest, raw), copied, tuple(damaged))

    async def _dump(self, directory: Path, sign: Sign) -> _Snapshot:
        part = f"data/{directory.name}"
        recovery = recovery_key(self._settings)
        writer = PartWriter(directory / "data.sealed", part, recovery, sign)
        try:
            async with self._main.reading() as connection:
                at = now()
                lines = dump(self._main, connection, at, but_purpose=Purpose.UPLOAD_KEY)
                async for line in lines:
                    await writer.write(line)
                size = await connection.run_sync(log_size)
                root = await connection.run_sync(lambda sync: Tree(tile_reader(sync)).root(size))
                head = await newest(connection)
                blobs = [
                    BlobEntry(blob_id, ciphertext_size(size), sha256.hex())
                    for blob_id, size, sha256 in await stored_blobs(connection)
                ]
            written = await writer.end()
            await writer.publish()
        finally:
            writer.discard()
        origin = self._settings.log_key_path.read_text("utf-8").partition("+")[0]
        log = LogState(origin, size, root.hex(), head.note if head else "")
        return _Snapshot(at.isoformat(), Part.of("data.sealed", written), log, blobs)

    async def _copy(
        self, place: Place, blobs: list[BlobEntry], advanced: Advanced
    ) -> tuple[list[BlobEntry], int, list[str]]:
        """What the place has by now of these, how many were copied, and which could not be."""
        store = place.store()
        await store.sweep_unfinished(now())
        kept, copied, damaged = [], 0, []
        for blob in blobs:
            if not await _is_whole(store, blob):
                if not await self._copy_one(store, blob):
                    if await self._is_named(blob.blob_id):
                        damaged.append(blob.blob_id)
                    continue
                copied += 1
            kept.append(blob)
            advanced(blob.size)
        return kept, copied, damaged

    async def _copy_one(self, store: BlobStore, blob: BlobEntry) -> bool:
        """Copy it if it is what was sealed; False where it is not."""
        digest = hashlib.sha256()
        try:
            async with store.writer(Area.VAULT, blob.blob_id) as writer:
                for start in range(0, blob.size, PIECE):
                    stop = min(start + PIECE, blob.size)
                    piece = await self._blobs.read(Area.VAULT, blob.blob_id, start, stop)
                    digest.update(piece)
                    await writer.write(piece)
                if digest.hexdigest() != blob.sha256:
                    return False
                await writer.commit()
        except BlobMissingError:
            return False
        except BlobExistsError:
            return True
        return True

    async def _is_named(self, blob_id: str) -> bool:
        """Whether a row still names it: else it went the ordinary way since the dump."""
        async with self._main.reading() as connection:
            return bool(await known_blobs(connection, [blob_id]))


async def _is_whole(store: BlobStore, blob: BlobEntry) -> bool:
    """Whether the place has it; one of another size was cut off, and goes."""
    try:
        if await store.size(Area.VAULT, blob.blob_id) == blob.size:
            return True
    except BlobMissingError:
        return False
    await store.delete(Area.VAULT, blob.blob_id)
    return False


def _public_keys(settings: Settings) -> dict[str, str]:
    paths = (settings.log_key_path, settings.certificate_key_path, settings.recovery_key_path)
    return {path.name: path.read_text("utf-8") for path in paths}
