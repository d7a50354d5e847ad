"""One case, held against the keystore and the blobs: its key opens, its files are what was sealed.

Keys are opened, content is not: what lies in a blob is compared by the hash of its ciphertext.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import accumulate

from gateway.inventory.tally import ASK, RESTORE_BLOB, RESTORE_KEYS, SEND_AGAIN, Fault
from gateway.privacy.casekeys import place_of
from keys.context import Context, Purpose
from keys.errors import UnknownKeyVersionError, UnsealError
from keys.keyring import Keyring
from keys.secret import SecretKey
from keys.stream import SEGMENT_SIZE, ciphertext_size
from storage import cases, erasures, files, inventory, keystore
from storage.blobs import Area, BlobStore
from storage.cases import Case
from storage.database import Database
from storage.erasures import Erasure
from storage.errors import BlobMissingError
from storage.files import File, Part

RESTORE = "system:restore"
ON_ITS_WAY = frozenset({"receiving", "received"})


class CaseExaminer:
    """Looks at cases, one at a time."""

    def __init__(
        self,
        main: Database,
        key_database: Database,
        keyring: Keyring,
        blobs: BlobStore,
        *,
        opened: Callable[[], None],
        advanced: Callable[[int], None],
    ) -> None:
        """`opened` is told of every file key that was tried, `advanced` of every byte read."""
        self._main = main
        self._keystore = key_database
        self._keyring = keyring
        self._blobs = blobs
        self._opened = opened
        self._advanced = advanced

    async def examine(self, case_id: str) -> frozenset[Fault]:
        """What is wrong with a case as it is now."""
        async with self._main.reading() as connection:
            case = await cases.get(connection, case_id)
            erasure = await erasures.of_case(connection, case_id)
            rows = await files.of_case(connection, case_id)
        where = f"case {case_id}"
        if case is None:
            return frozenset()
        if case.state == "erased":
            return await self._erased(where, case, erasure, rows)
        if case.frozen_at is not None:
            # Its erasure takes keys and blobs along, in steps; what is left then is looked at.
            wrong = Fault(where, "frozen, and nobody asked to erase it", ASK)
            return frozenset() if erasure is not None else frozenset({wrong})
        place = Context(Purpose.CASE_KEY, case.controller_id, case_id, case.key_id)
        key = await self.wrapped_key(place)
        if isinstance(key, Fault):
            return frozenset({key})
        found = [await self._file(row, case, key) for row in rows]
        return frozenset(fault for faults in found for fault in faults)

    async def wrapped_key(self, place: Context) -> SecretKey | Fault:
        """A key that is wrapped under its controller's, or what is wrong with it."""
        where = f"{place.purpose} {place.object_id}"
        async with self._keystore.reading() as connection:
            row = await keystore.get(connection, place.purpose, place.object_id)
        if row is None or row.version is None:
            return Fault(where, "the key is not there", RESTORE_KEYS)
        if place_of(row) != place:
            return Fault(where, "the key is of another place", RESTORE_KEYS)
        try:
            return await self._keyring.unwrap(row.version, row.wrapped, place)
        except (UnsealError, UnknownKeyVersionError):
            wrong = f"the key does not open under version {row.version}"
            return Fault(where, wrong, RESTORE_KEYS)

    async def _erased(
        self, where: str, case: Case, erasure: Erasure | None, rows: Sequence[File]
    ) -> frozenset[Fault]:
        async with self._keystore.reading() as connection:
            key = await keystore.get(connection, Purpose.CASE_KEY, case.key_id)
            entered = await inventory.is_in_ledger(connection, case.id)
        wrong = {
            "erased, and no erasure was asked for": erasure is None,
            "erased, and the ledger of erasures does not have it": not entered,
            "erased, and its key is there": key is not None,
            "erased, and its files are there": bool(rows),
            "erased, and its certificate is missing": erasure is not None
            and erasure.step == "done"
            # A restore erases again what was erased since the back-up: the certificate is out.
            and erasure.requested_by != RESTORE
            and erasure.certificate is None,
        }
        return frozenset(Fault(where, words, ASK) for words, is_so in wrong.items() if is_so)

    async def _file(self, row: File, case: Case, case_key: SecretKey) -> Sequence[Fault]:
        where = f"file {row.id}"
        async with self._main.reading() as connection:
            parts = await files.parts_of(connection, row.id)
        if row.state in ON_ITS_WAY:
            return await self._upload(where, row, parts)
        if parts:
            return [Fault(where, f"{row.state}, and its parts are there", ASK)]
        if row.state == "accepted":
            return [*await self._file_key(row, case, case_key), *await self._vault(where, row)]
        return [Fault(where, f"{row.state}, and it names a blob", ASK)] if row.blob_id else []

    async def _upload(self, where: str, row: File, parts: Sequence[Part]) -> Sequence[Fault]:
        found: list[Fault] = []
        place = Context(Purpose.UPLOAD_KEY, row.controller_id, row.case_id, row.id)
        if isinstance(key := await self.wrapped_key(place), Fault):
            found.append(Fault(where, key.wrong, SEND_AGAIN))
        starts = [0, *accumulate(part.length for part in parts)]
        if starts != [*(part.start for part in parts), row.received]:
            found.append(Fault(where, "its parts do not touch up to its offset", SEND_AGAIN))
        if row.state == "received" and row.received != row.length:
            found.append(Fault(where, "taken for whole, and it is not", SEND_AGAIN))
        for part in parts:
            size = await self._size(Area.QUARANTINE, part.blob_id)
            if size != ciphertext_size(part.length):
                found.append(Fault(where, f"part {part.number} is {_but(size)}", SEND_AGAIN))
        return found

    async def _file_key(self, row: File, case: Case, case_key: SecretKey) -> Sequence[Fault]:
        where, blob_id = f"file {row.id}", row.blob_id or ""
        async with self._keystore.reading() as connection:
            key = await keystore.get(connection, Purpose.FILE_KEY, blob_id, case.key_id)
        if key is None:
            return [Fault(where, "its key is not there", RESTORE_KEYS)]
        place = Context(Purpose.FILE_KEY, row.controller_id, row.case_id, blob_id)
        try:
            self._keyring.unwrap_file_key(case_key, key.wrapped, place)
        except UnsealError:
            return [Fault(where, "its key does not open", RESTORE_KEYS)]
        self._opened()
        return []

    async def _vault(self, where: str, row: File) -> Sequence[Fault]:
        blob_id, due = row.blob_id or "", ciphertext_size(row.size or 0)
        if (size := await self._size(Area.VAULT, blob_id)) != due:
            return [Fault(where, f"blob {blob_id} is {_but(size)}", RESTORE_BLOB)]
        digest = hashlib.sha256()
        try:
            for start in range(0, due, SEGMENT_SIZE):
                stop = min(start + SEGMENT_SIZE, due)
                digest.update(await self._blobs.read(Area.VAULT, blob_id, start, stop))
                self._advanced(stop - start)
        except (BlobMissingError, OSError) as error:
            wrong = f"blob {blob_id} cannot be read ({type(error).__name__})"
            return [Fault(where, wrong, RESTORE_BLOB)]
        if digest.digest() != row.sealed_sha256:
            return [Fault(where, f"blob {blob_id} is not what was sealed", RESTORE_BLOB)]
        return []

    async def _size(self, area: Area, blob_id: str) -> int | None:
        try:
            return await self._blobs.size(area, blob_id)
        except (BlobMissingError, ValueError):
            return None


def _but(size: int | None) -> str:
    return "not there" if size is None else "of another size"
