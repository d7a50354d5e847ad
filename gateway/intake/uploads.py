"""Resumable uploads into quarantine: what tus needs, without its headers.

An upload's address is a capability: unguessable, stored hashed, good for this upload alone and
for its lifetime, so that a token which ends during a long upload does not kill it. Every request
is authorised anew as the person who began, so a disabled account or a frozen case ends it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target, require_still
from gateway.access.policy import Action
from gateway.access.sessions import Sessions
from gateway.errors import (
    InvalidInputError,
    NotFoundError,
    OffsetMismatchError,
    TooLargeError,
    UnavailableError,
    UploadGoneError,
    WrongStateError,
)
from gateway.ids import hash_secret, new_id, new_secret, now
from gateway.intake.parts import PartWriter, UploadBudget
from gateway.privacy.casekeys import CaseKeys
from gateway.privacy.completeness import SLOTS, guess
from gateway.settings import Settings
from storage import cases, files
from storage.blobs import Area, BlobStore
from storage.database import Database
from storage.files import File

NAME_LIMIT = 255


ENDED = frozenset({"expired", "cancelled", "removed"})


class Kind(StrEnum):
    """What a file is to the case."""

    SCAN = "scan"
    PHOTO = "photo"
    PLAN = "plan"


ACTIONS = {
    Kind.SCAN: Action.FILE_UPLOAD,
    Kind.PHOTO: Action.FILE_UPLOAD,
    Kind.PLAN: Action.PLAN_UPLOAD,
}


@dataclass(frozen=True, slots=True)
class Begun:
    """A new upload, the event that allowed it, and the secret of its address, told this once."""

    file: File
    event_id: str
    capability: str = field(repr=False)


class Uploads:
    """Takes bytes in, durably, and hands whole uploads to inspection by their state."""

    def __init__(
        self,
        main: Database,
        blobs: BlobStore,
        access: Access,
        sessions: Sessions,
        keys: CaseKeys,
        settings: Settings,
    ) -> None:
        """Limits come from `settings`."""
        self._main = main
        self._blobs = blobs
        self._access = access
        self._sessions = sessions
        self._keys = keys
        self._budget = UploadBudget(settings.upload_memory_bytes)
        self._lifetime = timedelta(hours=settings.upload_hours)
        self._files_per_case = settings.files_per_case
        self._limits = {
            Kind.SCAN: settings.scan_limit_bytes,
            Kind.PHOTO: settings.photo_limit_bytes,
            Kind.PLAN: settings.plan_limit_bytes,
        }
        self._writers: dict[str, PartWriter] = {}

    @property
    def largest_bytes(self) -> int:
        """The largest upload of any kind (tus: Tus-Max-Size)."""
        return max(self._limits.values())

    async def begin(
        self,
        actor: Actor,
        case_id: str,
        kind: Kind,
        length: int,
        name: str,
        slot: str | None = None,
    ) -> Begun:
        """Begin an upload of `length` bytes; where no slot is given, the name may tell it.

        Raises:
            TooLargeError: More than this kind may have.
            InvalidInputError: Empty, or the name is not one, or a slot of another kind.
            WrongStateError: The case takes no more files.
        """
        if length > self._limits[kind]:
            raise TooLargeError(limit=self._limits[kind])
        if length < 1:
            raise InvalidInputError(field="Upload-Length", reason="the file is empty")
        if not 1 <= len(name) <= NAME_LIMIT:
            raise InvalidInputError(field="filename", reason=f"take 1 to {NAME_LIMIT} characters")
        if slot is not None:
            _check_slot(kind, slot)
        file_id, capability, at = new_id(), new_secret(), now()
        grant = await self._access.authorise(
            actor, ACTIONS[kind], case_id, target=Target("file", file_id)
        )
        opened = await self._keys.open_case(grant)
        # A crash after this leaves an orphan key; the sweep removes it.
        await self._keys.create_upload_key(grant, file_id)
        file = File(
            id=file_id,
            case_id=case_id,
            controller_id=grant.case.controller_id,
            kind=kind.value,
            slot=guess(kind, name) if slot is None else slot,
            state="receiving",
            created_by=actor.id,
            created_at=at,
            length=length,
            capability_hash=hash_secret(capability),
            expires_at=at + self._lifetime,
            sealed_name=opened.seal(f"name/{file_id}", name.encode("utf-8", "replace")),
        )
        async with self._main.transaction() as tx:
            case = require_still(grant, await cases.lock(tx, case_id))
            if case.key_id != opened.key_id:
                raise UnavailableError  # the name is sealed under a key that goes
            if len(await files.of_case(tx, case_id)) >= self._files_per_case:
                limit = f"at most {self._files_per_case} files"
                raise WrongStateError(needed=limit, state="full")
            await files.add(tx, file)
            await self._access.outcome_in(tx, grant, Target("file", file_id), kind=kind.value)
        return Begun(file, grant.event_id, capability)

    async def find(self, visitor: Actor, capability: str) -> tuple[File, Grant]:
        """The upload of this address, authorised for the person who began it.

        What a running request holds in memory is made durable first, so that the offset told is
        all that arrived.

        Raises:
            NotFoundError: There is no such upload.
            UploadGoneError: It ended: expired, cancelled, or the case was erased.
        """
        digest = hash_secret(capability)
        async with self._main.reading() as connection:
            file = await files.find_by_capability(connection, digest)
        if file is None:
            await self._access.note(visitor, Action.FILE_UPLOAD, refused=True)
            raise NotFoundError
        actor = await self._sessions.by_account(visitor, file.created_by)
        if file.state in ENDED or (file.expires_at is not None and file.expires_at <= now()):
            await self._access.note(actor, Action.FILE_UPLOAD, refused=True, file=file.id)
            raise UploadGoneError
        grant = await self._access.authorise(
            actor, ACTIONS[Kind(file.kind)], file.case_id, target=Target("file", file.id)
        )
        if (running := self._writers.get(file.id)) is not None:
            await running.close_early()
            async with self._main.reading() as connection:
                file = await files.get(connection, file.id) or file
        return file, grant

    async def append(
        self, grant: Grant, file: File, offset: int, chunks: AsyncIterator[bytes]
    ) -> File:
        """Write what a request brings, from `offset` on; a break keeps what arrived.

        The newer request wins: one that still hangs on a dead connection can commit nothing more.

        Raises:
            OffsetMismatchError: `offset` is not the number of durable bytes.
            UploadTakenOverError, TooLargeError, TooManyPartsError, UnavailableError: See parts.
        """
        if offset != file.received:
            raise OffsetMismatchError(offset=file.received)
        if offset == file.length:
            return file  # the answer to its last bytes was lost, and it asks again
        async with self._main.transaction() as tx:
            turn = await files.take_over_writing(tx, file.id)
            written = await files.parts_of(tx, file.id)
            current = await files.get(tx, file.id)
        if current is None or current.state in ENDED:
            raise UploadGoneError
        if turn is None:
            raise OffsetMismatchError(offset=current.received)  # another request made it whole
        writer = PartWriter(
            main=self._main,
            blobs=self._blobs,
            budget=self._budget,
            file=file,
            key=await self._keys.upload_key(grant, file.id),
            writer=turn,
            next_number=len(written),
        )
        self._writers[file.id] = writer
        try:
            async for chunk in chunks:
                await writer.write(chunk)
        finally:
            try:
                await writer.close()
            finally:
                # Not before: who asks for the offset meanwhile waits for what is being written.
                if self._writers.get(file.id) is writer:
                    del self._writers[file.id]
        async with self._main.reading() as connection:
            return await files.get(connection, file.id) or file

    async def cancel(self, grant: Grant, file: File) -> None:
        """End an upload; nothing of it stays but that it was."""
        await self._end(grant, file, "cancelled")

    async def expire(self, grant: Grant, file: File) -> None:
        """End an upload whose time ran out."""
        await self._end(grant, file, "expired")

    async def remove(self, actor: Actor, case_id: str, file_id: str) -> None:
        """Take a file out of a draft, in whatever state it is.

        Raises:
            NotFoundError: There is no such file, or it was removed before.
        """
        grant = await self._access.authorise(
            actor, Action.FILE_REMOVE, case_id, target=Target("file", file_id)
        )
        async with self._main.transaction() as tx:
            file = await _of_draft(tx, grant, file_id)
            if file.state == "removed":
                raise NotFoundError
            await files.delete_thumbnail(tx, file_id)
            gone = {"sealed_name": None, "sealed_verdict": None, "blob_id": None}
            await files.change(
                tx, file_id, state="removed", finished_at=now(), capability_hash=None, **gone
            )
            blob_ids = [part.blob_id for part in await files.parts_of(tx, file_id)]
            await files.delete_parts(tx, file_id)
            await self._access.outcome_in(tx, grant, Target("file", file_id))
        if file.blob_id is not None:
            await self._keys.drop_file_key(file.blob_id)
            await self._blobs.delete(Area.VAULT, file.blob_id)
        await clear_quarantine(self._keys, self._blobs, file_id, blob_ids)

    async def place(self, actor: Actor, case_id: str, file_id: str, slot: str | None) -> None:
        """Say which place a file of a draft fills; None: none that it names.

        Raises:
            NotFoundError: There is no such file, or it did not come in.
            InvalidInputError: A slot of another kind.
        """
        grant = await self._access.authorise(
            actor, Action.FILE_PLACE, case_id, target=Target("file", file_id)
        )
        async with self._main.transaction() as tx:
            file = await _of_draft(tx, grant, file_id)
            if file.state in {*ENDED, "refused"}:
                raise NotFoundError
            if slot is not None:
                _check_slot(Kind(file.kind), slot)
            await files.change(tx, file_id, slot=slot)
            await self._access.outcome_in(tx, grant, Target("file", file_id), slot=slot or "none")

    async def _end(self, grant: Grant, file: File, state: str) -> None:
        async with self._main.transaction() as tx:
            # Who gives the case another key seals the name anew, under the same lock.
            await cases.lock(tx, file.case_id)
            if not await files.change_from(
                tx, file.id, "receiving", state=state, finished_at=now(), sealed_name=None
            ):
                raise UploadGoneError
            blob_ids = [part.blob_id for part in await files.parts_of(tx, file.id)]
            await files.delete_parts(tx, file.id)
            await self._access.outcome_in(tx, grant, Target("file", file.id), ended=state)
        await clear_quarantine(self._keys, self._blobs, file.id, blob_ids)


async def _of_draft(tx: AsyncConnection, grant: Grant, file_id: str) -> File:
    """A file whose case, now under its row lock, may still be changed."""
    require_still(grant, await cases.lock(tx, grant.case.id))
    file = await files.get(tx, file_id)
    if file is None or file.case_id != grant.case.id:
        raise NotFoundError
    return file


def _check_slot(kind: Kind, slot: str) -> None:
    if slot not in SLOTS[kind]:
        allowed = ", ".join(SLOTS[kind]) or "none for a plan"
        raise InvalidInputError(field="slot", reason=f"take {allowed}")


async def clear_quarantine(
    keys: CaseKeys, blobs: BlobStore, file_id: str, blob_ids: list[str]
) -> None:
    """Drop an upload's key, then its parts; what a crash leaves, the sweep removes."""
    await keys.drop_upload_key(file_id)
    for blob_id in blob_ids:
        await blobs.delete(Area.QUARANTINE, blob_id)
