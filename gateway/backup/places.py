"""The registered places, kept as new as erasure needs them (docs/design.md, Erasure, 4 and 6).

Renewing the keystore at one place, and what a crash leaves:

1. under the place's lock: read the keystore as it is, seal it beside its name. *Crash:* a leftover.
2. renew the provider's keys at every place for keys. *Crash:* keys that nothing needs yet.
3. put the keystore in place of the old one. *Crash after:* done.

So no keystore ever lies at a place that the keys at the places for keys do not open: whatever
version it names was made before it was read, hence before the keys were. And no older one ever
takes the place of a newer: both are read under the lock under which they are written. A version
that is destroyed in between has left this keystore already, or waits for this lock with step 4.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from gateway.backup.errors import BackupError, PlaceUnusableError, RecoveryKeyMissingError
from gateway.backup.parts import PartWriter, Sign, Written
from gateway.backup.place import KEYS, Place, alone, check_place, mark_place
from gateway.ids import now
from gateway.privacy.puncture import Renewed
from gateway.settings import Settings
from keys.context import Purpose
from keys.errors import KeysError, RecoveryKeyFormatError
from keys.keyring import Keyring
from keys.providers.wholefile import replace_whole
from keys.recovery import RecoveryKey, RecoveryPublicKey
from storage.accesslog.publishing import consistency_proof, newest
from storage.database import Database
from storage.dump import dump
from storage.durable import replace_file
from storage.errors import StorageError

log = structlog.get_logger()


def recovery_key(settings: Settings) -> RecoveryPublicKey:
    """The public half that back-ups are sealed to. Raises RecoveryKeyMissingError."""
    try:
        return RecoveryPublicKey.parse(settings.recovery_key_path.read_text("ascii"))
    except (FileNotFoundError, UnicodeDecodeError, RecoveryKeyFormatError):
        raise RecoveryKeyMissingError from None


def keep_recovery_key(settings: Settings, recovery: RecoveryKey) -> None:
    """Keep the public half, durably; from here on back-ups are sealed to this one."""
    replace_file(settings.recovery_key_path, f"{recovery.public.line}\n".encode())


class Places:
    """Every registered place, of both kinds."""

    def __init__(
        self,
        settings: Settings,
        main: Database,
        key_database: Database,
        keyring: Keyring,
    ) -> None:
        """Write what `settings` ask for; keys are backed up where they are ours."""
        self.data = [Place(path) for path in settings.backup_directories]
        own = keyring.sealed_contents is not None
        self.keys: Sequence[Path] = settings.key_backup_directories if own else ()
        self._settings = settings
        self._main = main
        self._keystore = key_database
        self._keyring = keyring

    def keep_recovery_key(self, recovery: RecoveryKey) -> None:
        """From here on seal to this pair."""
        keep_recovery_key(self._settings, recovery)

    async def signer(self) -> Sign:
        """The house's signature."""
        return (await self._keyring.signing_key("certificate")).sign

    def mark(self, data: Path) -> None:
        """Make places of this directory and of those for keys, on an operator's word.

        Only once each: where a mark is missing later, the disk is not mounted, and what is written
        there would be taken for its word that an old key is gone.

        Raises:
            PlaceUnusableError: It cannot be marked, or was before and is not now.
        """
        path = self._settings.places_path
        known = set(json.loads(path.read_bytes())) if path.exists() else set()
        for directory in (data, *self.keys):
            if str(directory.absolute()) in known:
                check_place(directory)
            else:
                mark_place(directory)
        marked = known | {str(directory.absolute()) for directory in (data, *self.keys)}
        if marked != known:
            replace_file(path, json.dumps(sorted(marked), indent=1).encode() + b"\n")

    async def renew(self) -> Renewed:
        """Make the keystore's back-up, and the keys that open it, durable at every place."""
        return await _each([place.root for place in self.data], self._renew_at)

    async def renew_keys(self) -> Renewed:
        """Replace the back-up of the provider's keys at every place for keys."""
        return await _each(self.keys, self._replace_keys)

    async def renew_keystore(self, place: Place) -> Written:
        """Renew the keystore at one place, as the module says.

        Raises:
            PlaceUnusableError: The place, or one for keys, cannot be written to.
        """
        recovery, sign = recovery_key(self._settings), await self.signer()
        async with place.renewing():
            for leftover in place.root.glob("*.unfinished"):
                leftover.unlink()
            writer = PartWriter(place.keystore, "keystore", recovery, sign)
            try:
                async with self._keystore.reading() as connection:
                    lines = dump(self._keystore, connection, now(), but_purpose=Purpose.UPLOAD_KEY)
                    async for line in lines:
                        await writer.write(line)
                written = await writer.end()
                failed = (await self.renew_keys()).failed
                if failed:
                    raise PlaceUnusableError(place=failed[0], reason="see the log")
                await writer.publish()
            finally:
                writer.discard()
            await self._note_head(place)
        return written

    async def note_head(self, place: Place) -> None:
        """Keep the newest checkpoint once more: now a generation counts that did not before."""
        async with place.renewing():
            await self._note_head(place)

    async def _renew_at(self, directory: Path) -> None:
        place = Place(directory)
        place.prepare()
        await self.renew_keystore(place)

    async def _replace_keys(self, directory: Path) -> None:
        check_place(directory)
        recovery = recovery_key(self._settings)
        path = directory / KEYS
        async with alone(directory / f"{KEYS}.lock"):
            # Read under the lock, so that destroyed keys never come back over a newer file.
            if self._keyring.sealed_contents is not None:
                sealed = await self._keyring.sealed_contents(recovery)
                await asyncio.to_thread(replace_whole, path, sealed)

    async def _note_head(self, place: Place) -> None:
        """Keep the newest checkpoint, and that every generation here is the beginning of it."""
        async with self._main.reading() as connection:
            head = await newest(connection)
            if head is None:
                return
            proofs = {}
            for size in {generation.manifest.log.size for generation in place.whole()}:
                if 0 < size <= head.size:
                    proof = await consistency_proof(connection, size, head.size)
                    proofs[str(size)] = [node.hex() for node in proof]
        said = {"at": now().isoformat(), "checkpoint": head.note, "proofs": proofs}
        await asyncio.to_thread(replace_file, place.head, json.dumps(said).encode() + b"\n")


async def _each(directories: Sequence[Path], renew: Callable[[Path], Awaitable[None]]) -> Renewed:
    confirmed, failed = [], []
    for directory in directories:
        try:
            await renew(directory)
        except (BackupError, KeysError, StorageError, OSError) as error:
            code = getattr(error, "code", type(error).__name__)
            log.error("backup_place_failed", place=str(directory), error=code)
            failed.append(str(directory))
        else:
            confirmed.append(str(directory))
    return Renewed(confirmed, failed)
