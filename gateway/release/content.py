"""Streams a file of the vault to somebody who holds a Grant for it.

The event is committed before the first byte (the Grant), the outcome after the last; a missing
outcome counts as everything sent. A segment that does not open ends the stream at once: what was
sent before it is authentic, and the length that was announced shows that the rest is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Detail, Grant, Target
from gateway.access.policy import Action
from gateway.errors import NotFoundError
from gateway.privacy.casekeys import CaseKeys, OpenCase, file_context
from gateway.privacy.verdict import Verdict
from keys.errors import UnsealError
from keys.stream import HEADER_SIZE, Cut, Unsealer, ciphertext_size, cut
from storage import cases, files
from storage.blobs import Area, BlobStore
from storage.database import Database
from storage.files import File


@dataclass(frozen=True, slots=True)
class Content:
    """An accepted file, its key at hand: ready to be read by whoever holds it."""

    grant: Grant
    file: File
    size: int
    sha256: str
    media_type: str
    blob_id: str
    unsealer: Unsealer = field(repr=False)

    @property
    def name(self) -> str:
        """What it is called on the way out: kind and number, never the original name."""
        return f"{self.file.kind}-{self.file.number}{SUFFIXES.get(self.media_type, '')}"


SUFFIXES = {
    "model/stl": ".stl",
    "application/ply": ".ply",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "application/pdf": ".pdf",
}


class Release:
    """Opens files of the vault."""

    def __init__(self, main: Database, blobs: BlobStore, access: Access, keys: CaseKeys) -> None:
        """Rows in `main`, ciphertext in `blobs`."""
        self._main = main
        self._blobs = blobs
        self._access = access
        self._keys = keys

    async def open_file(self, actor: Actor, case_id: str, file_id: str) -> Content:
        """Open one accepted file.

        Raises:
            NotFoundError: There is none, or it is not accepted (any more).
            IntegrityFailedError: Blob or wrapped key are not what was sealed; logged.
        """
        grant = await self._access.authorise(
            actor, Action.FILE_DOWNLOAD, case_id, target=Target("file", file_id)
        )
        async with self._main.reading() as connection:
            grant = await _as_it_is(connection, grant)
            file = await files.get(connection, file_id)
        if file is None or file.case_id != case_id or file.blob_id is None:
            await self._access.outcome(grant, refusal=NotFoundError.code)
            raise NotFoundError
        return await self._open(grant, await self._keys.open_case(grant), file)

    async def open_case(self, actor: Actor, case_id: str) -> tuple[Grant, list[Content]]:
        """Open every accepted file of a case, for one archive."""
        grant = await self._access.authorise(actor, Action.FILE_DOWNLOAD, case_id)
        async with self._main.reading() as connection:
            grant = await _as_it_is(connection, grant)
            rows = await files.of_case(connection, case_id)
        accepted = [row for row in rows if row.state == "accepted"]
        if not accepted:
            await self._access.outcome(grant, refusal=NotFoundError.code)
            raise NotFoundError
        opened = await self._keys.open_case(grant)
        return grant, [await self._open(grant, opened, row) for row in accepted]

    async def thumbnail(self, actor: Actor, case_id: str, file_id: str) -> tuple[Grant, bytes]:
        """The small picture of an accepted file, a JPEG.

        Raises:
            NotFoundError: There is no such file, or none of it could be made.
        """
        target = Target("file", file_id)
        grant = await self._access.authorise(actor, Action.FILE_THUMBNAIL, case_id, target=target)
        async with self._main.reading() as connection:
            grant = await _as_it_is(connection, grant)
            file = await files.get(connection, file_id)
            sealed = await files.thumbnail_of(connection, file_id)
        if file is None or file.case_id != case_id or sealed is None:
            await self._access.outcome(grant, refusal=NotFoundError.code)
            raise NotFoundError
        opened = await self._keys.open_case(grant)
        async with self._access.watching(grant, target):
            return grant, opened.unseal(f"thumbnail/{file_id}", sealed)

    async def read(self, content: Content, start: int, stop: int) -> AsyncIterator[bytes]:
        """Plaintext [start, stop), a segment at a time.

        Raises:
            IntegrityFailedError: A segment is not what was sealed; logged, and nothing follows.
        """
        for piece in cut(start, stop, content.size):
            yield await self._unseal(content, piece)

    async def check(self, content: Content, start: int, stop: int) -> None:
        """Open the first segment of a range and throw it away.

        So that what was altered is answered with an error while there is still an answer to give.
        """
        for piece in cut(start, stop, content.size)[:1]:
            await self._unseal(content, piece)

    async def ended(
        self, grant: Grant, sent: int, *, whole: bool, files: Sequence[str] | None = None
    ) -> None:
        """Log what really went out; of an archive, which files were begun."""
        begun: dict[str, Detail] = {} if files is None else {"files": list(files)}
        await self._access.outcome(grant, controller_id=None, bytes=sent, ended=whole, **begun)

    async def _open(self, grant: Grant, opened: OpenCase, file: File) -> Content:
        if file.blob_id is None or file.size is None or file.sealed_verdict is None:
            raise NotFoundError
        place = file_context(file.controller_id, file.case_id, file.id, file.blob_id)
        async with self._access.watching(grant, Target("file", file.id)):
            if await self._blobs.size(Area.VAULT, file.blob_id) != ciphertext_size(file.size):
                raise UnsealError
            key = await self._keys.file_key(opened, file.blob_id)
            header = await self._blobs.read(Area.VAULT, file.blob_id, 0, HEADER_SIZE)
            unsealer = Unsealer(key, place, header)
            verdict = opened.unseal(f"verdict/{file.id}", file.sealed_verdict)
        return Content(
            grant=grant,
            file=file,
            size=file.size,
            sha256=Verdict.from_bytes(verdict).sha256,
            media_type=file.media_type or "application/octet-stream",
            blob_id=file.blob_id,
            unsealer=unsealer,
        )

    async def _unseal(self, content: Content, piece: Cut) -> bytes:
        async with self._access.watching(content.grant, Target("file", content.file.id)):
            sealed = await self._blobs.read(Area.VAULT, content.blob_id, piece.start, piece.stop)
            plain = await asyncio.to_thread(
                content.unsealer.unseal, piece.number, sealed, last=piece.last
            )
        return plain[piece.wanted]


async def _as_it_is(connection: AsyncConnection, grant: Grant) -> Grant:
    """The Grant with its case as it is now: its key sealed the rows that are read with it."""
    return replace(grant, subject=await cases.get(connection, grant.case.id) or grant.case)
