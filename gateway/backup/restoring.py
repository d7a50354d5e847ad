"""Making a house of a back-up, in an empty place.

The steps, once everything was read and checked (sources.py), and what a crash leaves:

1. the marker `restoring` in the directory. From here on nothing but a restore of the same
   generation goes on here, and it does all of this again.
2. keystore and main database, in one transaction each, brought together (replay.py).
3. the blobs that a row still names, each durable under its name.
4. the log: its tree is the one that was signed.
5. who restores, and the second person, as events; the signatures of the old name go.
6. the keyring under the new passphrase, with a new key for the log; then the public keys, those of
   the log last. Before them nobody can serve from here.
7. the marker goes. Until then nobody may.

A log that lost published entries must not go on under its name: whoever knew those entries would
see two trees under it. So it goes on under another one, `<origin>/restored-<n>`, signed by another
key; the public keys from before stay in log.pub, behind the new one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, delete, func, inspect, select

from gateway.access.actors import operator
from gateway.access.grants import Access, Target
from gateway.access.passwords import Passwords
from gateway.access.policy import Action, Role
from gateway.access.second import Credentials, SecondPerson
from gateway.access.throttle import Throttle
from gateway.backup.errors import BackupDamagedError, LogContradictsError, NotEmptyError
from gateway.backup.place import BlobEntry
from gateway.backup.replay import Replay, Replayed
from gateway.backup.sources import Found
from gateway.ids import new_id
from gateway.settings import Settings
from keys.providers.keyfile import ScryptCost
from keys.providers.local import LocalKeyring
from keys.secret import SecretKey
from keys.signing import SigningKey
from storage.accesslog.log import AccessLog
from storage.accesslog.numbering import log_size
from storage.accesslog.tiles import tile_reader
from storage.accesslog.tree import Tree
from storage.accesslog.verify import verify
from storage.blobs import Area, BlobStore
from storage.blobs.local import LocalBlobStore
from storage.database import Database, Room
from storage.dump import METADATA, load
from storage.durable import replace_file, sync_directory
from storage.errors import BlobMissingError
from storage.files import stored_blobs
from storage.reserve import DiskReserve
from storage.schema import cases, checkpoints, cosignatures, files

PIECE = 1 << 20
KEPT = "kluis.toml"  # settings may be there before anything else
_RESTORED = re.compile(r"(.*)/restored-(\d+)")

Advanced = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LogAfter:
    """What became of the access log.

    Attributes:
        origin: Its new name.
        entries: How many it has.
        missing: How many more are known to have been published: at least so many are lost.
        since: The moment of the back-up; RFC 3339.
        until: When the newest known checkpoint was noted, or None where that is not known.
        proven: Whether the newest known checkpoint is shown to extend this log.
    """

    origin: str
    entries: int
    missing: int
    since: str
    until: str | None
    proven: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore made, and everything that it could not bring back."""

    generation: str
    cases: int
    files: int
    changed: Replayed
    log: LogAfter


class Restore:
    """One restore into one place."""

    def __init__(
        self,
        settings: Settings,
        found: Found,
        passphrase: str,
        cost: ScryptCost | None = None,
    ) -> None:
        """Restore what was `found`.

        Args:
            settings: Of the place; its directory and databases are empty.
            found: What was read and checked.
            passphrase: Unlocks the keyring that is made; nothing where a server keeps the keys.
            cost: Of the passphrase; for tests and trials.
        """
        self._settings = settings
        self._found = found
        self._passphrase = passphrase
        self._cost = cost
        self._origin = next_origin(found.generation.manifest.log.origin)

    async def run(
        self,
        second: Credentials | None,
        advanced: Advanced,
        *,
        two_people: bool,
        with_blobs: bool = True,
    ) -> Restored:
        """Do all of it, from the beginning or once more.

        Args:
            second: A privacy officer of the house as it was.
            advanced: Told how many bytes of blobs were copied since it was last told.
            two_people: Whether that officer is needed.
            with_blobs: False for a trial, which reads them where they lie.

        Raises:
            NotEmptyError: Something is there.
            LogContradictsError: The log is not the one that was signed.
            InvalidInputError, LoginFailedError: The second person.
        """
        await self._begin()
        main = Database(self._settings.main_database, "main")
        keystore = Database(self._settings.keystore_database, "keystore")
        try:
            await main.migrate()
            await keystore.migrate()
            changed = await self._load(main, keystore)
            if with_blobs:
                await self._copy_blobs(main, advanced)
            log = await self._check_log(main)
            await self._enter(main, second, changed, log, two_people=two_people)
            async with main.reading() as connection:
                living = select(func.count()).where(cases.c.state != "erased")
                stored = select(func.count()).where(files.c.blob_id.is_not(None))
                counts = (await connection.scalar(living), await connection.scalar(stored))
        finally:
            await main.close()
            await keystore.close()
        await self._publish()
        generation = self._found.generation.id
        return Restored(generation, counts[0] or 0, counts[1] or 0, changed, log)

    async def _begin(self) -> None:
        data, marker = self._settings.data, self._settings.restoring_path
        mark = self._found.generation.id.encode()
        if marker.exists() and marker.read_bytes() == mark:
            self._settings.keyring_path.unlink(missing_ok=True)
            self._settings.log_key_path.unlink(missing_ok=True)
            return
        if data.exists() and not all(map(self._is_nothing, data.iterdir())):
            raise NotEmptyError(place=data)
        rooms: dict[Room, str] = {
            "main": self._settings.database_url,
            "keystore": self._settings.keystore_url,
        }
        for room, url in rooms.items():
            if url and not await _is_empty(Database(url, room)):
                raise NotEmptyError(place=f"{room} database")
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        data.chmod(0o700)
        replace_file(marker, mark)

    def _is_nothing(self, path: Path) -> bool:
        """Settings, and what a crash leaves of the marker, are no house."""
        return path.name == KEPT or path.name.startswith(f"{self._settings.restoring_path.name}.")

    async def _load(self, main: Database, keystore: Database) -> Replayed:
        listed = {blob.blob_id for blob in self._found.generation.blobs()}
        async with keystore.transaction() as keys, main.transaction() as tx:
            await load(keys, keystore, self._found.keys())
            await load(tx, main, self._found.data())
            replay = Replay(
                main=tx,
                keystore=keys,
                versions=self._found.house.versions,
                ledger=self._found.keystore.ledger,
                blobs=listed - self._found.missing_blobs,
            )
            return await replay.run()

    async def _copy_blobs(self, main: Database, advanced: Advanced) -> None:
        store, source = LocalBlobStore(self._settings.data / "blobs"), self._found.place.store()
        listed = {blob.blob_id: blob for blob in self._found.generation.blobs()}
        async with main.reading() as connection:
            wanted = [listed[blob_id] for blob_id, _, _ in await stored_blobs(connection)]
        for blob in wanted:
            if not await _is_there(store, blob):
                await _copy_blob(source, store, blob)
            advanced(blob.size)

    async def _check_log(self, main: Database) -> LogAfter:
        found, said = self._found, self._found.generation.manifest.log
        known = {said.size: bytes.fromhex(said.root)}
        if found.head is not None and found.head.checkpoint.size < said.size:
            known[found.head.checkpoint.size] = found.head.checkpoint.root
        async with main.reading() as connection:
            for size, root in known.items():
                if await connection.run_sync(_root, size) != root:
                    raise LogContradictsError(place=found.generation.directory)
        recomputed = await verify(main, found.log_keys.open_note, None)
        if not recomputed.ok:
            raise LogContradictsError(place=found.generation.directory)
        return LogAfter(
            origin=self._origin,
            entries=said.size,
            missing=found.missing_entries,
            since=found.generation.manifest.at,
            until=found.head.at.isoformat() if found.head and found.head.at else None,
            proven=found.proven,
        )

    async def _enter(
        self,
        main: Database,
        second: Credentials | None,
        changed: Replayed,
        log: LogAfter,
        *,
        two_people: bool,
    ) -> None:
        reserve = DiskReserve(self._settings.disk_reserve_path, self._settings.disk_reserve_bytes)
        access_log = AccessLog(main)
        access_log.start()
        try:
            access = Access(main, access_log, reserve, new_id())
            actor, action = operator(), Action.HOUSE_RESTORE
            target = Target("generation", self._found.generation.id)
            grant = await access.authorise(actor, action, target=target)
            throttle = Throttle(main, access)
            people = SecondPerson(main, access, Passwords(), throttle, needed=two_people)
            agreed = await people.agree(actor, action, second, Role.PRIVACY_OFFICER)
            async with main.transaction() as tx:
                # Signed under the old name; under the new one they would be forgeries.
                await tx.execute(delete(cosignatures))
                await tx.execute(delete(checkpoints))
                await access.outcome_in(
                    tx,
                    grant,
                    manifest_sha256=self._found.generation.sha256,
                    second="" if agreed is None else agreed.id,
                    origin_before=self._found.generation.manifest.log.origin,
                    origin=log.origin,
                    entries=log.entries,
                    entries_missing=log.missing,
                    proven=log.proven,
                    erased=len(changed.erased),
                    closed=changed.closed,
                    accounts_closed=len(changed.accounts),
                    lost=len(changed.lost),
                    unreadable=len(changed.unreadable),
                    uploads_lost=len(changed.uploads),
                    files_removed=len(changed.removed),
                )
        finally:
            await access_log.close()

    async def _publish(self) -> None:
        """Make the keys last: until they are there nobody can serve from here."""
        house, settings = self._found.house, self._settings
        public = self._found.generation.manifest.public
        seed = house.log.seed
        if house.contents is not None:
            seed = SecretKey.generate()
            contents = replace(
                house.contents,
                generation=house.contents.generation + 1,
                signing={"certificate": house.certificate.seed, "log": seed},
            )
            await asyncio.to_thread(
                LocalKeyring.restore, settings.keyring_path, self._passphrase, contents, self._cost
            )
        origin = self._found.generation.manifest.log.origin
        own, before = SigningKey(self._origin, seed), SigningKey(origin, house.log.seed)
        certificates = (house.certificate.verifier, *public["certificate.pub"].split())
        keys = (own.verifier, before.verifier, *public["log.pub"].split())
        replace_file(settings.recovery_key_path, _listed(self._found.recovery.public.line))
        replace_file(settings.certificate_key_path, _listed(*certificates))
        replace_file(settings.log_key_path, _listed(*keys))
        settings.restoring_path.unlink()
        sync_directory(settings.data)


def next_origin(origin: str) -> str:
    """The log's name after a restore: no two trees go by one name."""
    match = _RESTORED.fullmatch(origin)
    name, count = (match[1], int(match[2])) if match else (origin, 0)
    return f"{name}/restored-{count + 1}"


def _listed(*keys: str) -> bytes:
    """Public keys in a file: each once, the newest first."""
    return "".join(f"{key}\n" for key in dict.fromkeys(keys)).encode()


def _root(connection: Connection, size: int) -> bytes | None:
    """The root of the first entries, or None where there are fewer."""
    if log_size(connection) < size:
        return None
    return Tree(tile_reader(connection)).root(size)


async def _is_there(store: BlobStore, blob: BlobEntry) -> bool:
    try:
        return await store.size(Area.VAULT, blob.blob_id) == blob.size
    except BlobMissingError:
        return False


async def _copy_blob(source: BlobStore, store: BlobStore, blob: BlobEntry) -> None:
    digest = hashlib.sha256()
    async with store.writer(Area.VAULT, blob.blob_id) as writer:
        for start in range(0, blob.size, PIECE):
            stop = min(start + PIECE, blob.size)
            piece = await source.read(Area.VAULT, blob.blob_id, start, stop)
            digest.update(piece)
            await writer.write(piece)
        if digest.hexdigest() != blob.sha256:
            raise BackupDamagedError(part=f"blob {blob.blob_id}")
        await writer.commit()


async def _is_empty(database: Database) -> bool:
    """Whether no table of ours holds anything; tables may be there."""
    try:
        async with database.reading() as connection:
            there = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
            for table in METADATA[database.room].sorted_tables:
                if table.name in there:
                    row = await connection.execute(select(table).limit(1))
                    if row.first() is not None:
                        return False
        return True
    finally:
        await database.close()
