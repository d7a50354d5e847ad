"""How the bytes of one upload become durable: cut into parts, each its own sealed stream.

A part is what one PATCH brought, cut every 8 MiB. It is bound to upload, number, offset and
attempt, and sealed under a key derived for it alone (keys/stream.py), so no nonce is used twice
whatever crashes or is sent again. The order: blob durable, then part row and offset together.
A crash in between leaves an orphan blob, which the sweep removes; the client asks for the offset
and sends those bytes again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import (
    GatewayError,
    TooLargeError,
    TooManyPartsError,
    UnavailableError,
    UploadTakenOverError,
)
from gateway.ids import new_id
from keys.context import Context, Purpose
from keys.secret import SecretKey
from keys.stream import Sealer
from storage import files
from storage.blobs import Area, BlobStore, BlobWriter
from storage.database import Database
from storage.files import File, Part

PART_SIZE = 8 * 1024 * 1024
MOST_PARTS = 4096


def part_context(file: File, part: Part) -> Context:
    """The place a part is bound to; the blob id is new at every attempt."""
    place = f"{file.id}/{part.number}/{part.start}/{part.blob_id}"
    return Context(Purpose.PART, file.controller_id, file.case_id, place)


@dataclass(slots=True)
class _OpenPart:
    """A part on its way to the disk. `taken` counts its plaintext sealed so far."""

    part: Part
    sealer: Sealer
    blob: BlobWriter
    stack: AsyncExitStack
    taken: int = 0


class UploadBudget:
    """Bounds the unsealed bytes of all uploads of this process together.

    Past the limit the fullest idle buffers are closed into parts early, so that a thousand slow
    clients cost no more memory than a few fast ones.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Keep `limit_bytes` for all writers together."""
        self._limit = limit_bytes
        self._writers: set[PartWriter] = set()

    def enter(self, writer: PartWriter) -> None:
        """Count this writer's buffer."""
        self._writers.add(writer)

    def leave(self, writer: PartWriter) -> None:
        """Count it no more."""
        self._writers.discard(writer)

    async def relieve(self) -> None:
        """Close the fullest idle buffers until the rest fits."""
        while sum(writer.pending for writer in self._writers) > self._limit:
            idle = [writer for writer in self._writers if writer.pending and not writer.is_busy]
            if not idle:
                return  # those at work are sealing what they hold
            await max(idle, key=lambda writer: writer.pending).close_early()


@dataclass(eq=False)
class PartWriter:
    """Writes what one request brings to an upload, until a newer request takes over."""

    main: Database
    blobs: BlobStore
    budget: UploadBudget
    file: File
    key: SecretKey = field(repr=False)
    writer: int
    next_number: int

    def __post_init__(self) -> None:
        self.offset = self.file.received  # durable bytes
        self.pending = 0  # unsealed bytes
        self._arrived = self.file.received
        self._chunks: deque[bytes] = deque()
        self._open: _OpenPart | None = None
        self._turn = asyncio.Lock()
        self._failure: GatewayError | None = None
        self.budget.enter(self)

    @property
    def is_busy(self) -> bool:
        """Whether it is sealing or writing at this moment."""
        return self._turn.locked()

    async def write(self, chunk: bytes) -> None:
        """Take bytes in; they are durable once `offset` has passed them.

        Raises:
            TooLargeError: More than the declared length. What came before is kept.
            TooManyPartsError, UploadTakenOverError, UnavailableError: This request ends here.
        """
        if self._arrived + len(chunk) > self.file.length:
            raise TooLargeError(limit=self.file.length)
        async with self._working():
            self._arrived += len(chunk)
            self._chunks.append(chunk)
            self.pending += len(chunk)
            await self._seal_what_is_full()
        await self.budget.relieve()

    async def flush(self) -> None:
        """Make everything that arrived durable."""
        async with self._working():
            await self._close_part()

    async def close_early(self) -> None:
        """Flush for the sake of others; what fails is told to this upload's own request."""
        with suppress(GatewayError):
            await self.flush()

    async def close(self) -> None:
        """Make durable what arrived, and end."""
        try:
            await self.flush()
        finally:
            self.budget.leave(self)

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """One at a time; after a failure nothing more is written."""
        async with self._turn:
            if self._failure is not None:
                raise self._failure
            try:
                yield
            except BaseException as error:
                # What the open part held was not acknowledged; the client sends it again.
                self._failure = error if isinstance(error, GatewayError) else UnavailableError()
                self._chunks.clear()
                self.pending = 0
                if self._open is not None:
                    await self._open.stack.aclose()
                if isinstance(error, OSError | SQLAlchemyError):
                    raise self._failure from error
                raise

    async def _seal_what_is_full(self) -> None:
        while self.pending:
            part = self._open or await self._begin_part()
            if self.pending >= PART_SIZE - part.taken:
                await self._close_part()
            elif self.pending > part.sealer.room:
                # A full segment waits until more follows: the last one is sealed as the last.
                await self._seal(part, part.sealer.room, last=False)
            else:
                return

    async def _begin_part(self) -> _OpenPart:
        if self.next_number >= MOST_PARTS:
            raise TooManyPartsError(limit=MOST_PARTS)
        part = Part(self.file.id, self.next_number, self.offset, 0, new_id())
        stack = AsyncExitStack()
        blob = await stack.enter_async_context(self.blobs.writer(Area.QUARANTINE, part.blob_id))
        self._open = _OpenPart(part, Sealer(self.key, part_context(self.file, part)), blob, stack)
        await blob.write(self._open.sealer.header)
        self.next_number += 1
        return self._open

    async def _seal(self, part: _OpenPart, size: int, *, last: bool) -> None:
        plaintext = self._take(size)
        segment = await asyncio.to_thread(part.sealer.seal, plaintext, last=last)
        await part.blob.write(segment)
        part.taken += size

    async def _close_part(self) -> None:
        if not self.pending:
            return  # an open part always holds back some bytes
        part = self._open or await self._begin_part()
        size = min(self.pending, PART_SIZE - part.taken)
        while size > part.sealer.room:
            size -= (room := part.sealer.room)
            await self._seal(part, room, last=False)
        await self._seal(part, size, last=True)
        await part.blob.commit()
        # A crash here leaves an orphan blob; the sweep removes it.
        self._open = None
        await part.stack.aclose()
        await self._acknowledge(replace(part.part, length=part.taken))

    async def _acknowledge(self, part: Part) -> None:
        """Let the part count: row and offset together, unless a newer request took over."""
        whole = part.start + part.length == self.file.length
        async with self.main.transaction() as tx:
            counted = await files.add_part(tx, part, self.writer)
            if counted and whole:
                await files.change(tx, part.file_id, state="received", expires_at=None)
        if not counted:
            await self.blobs.delete(Area.QUARANTINE, part.blob_id)
            raise UploadTakenOverError
        self.offset += part.length

    def _take(self, size: int) -> bytes:
        """The first `size` of the pending bytes."""
        self.pending -= size
        taken = []
        while size:
            chunk = self._chunks.popleft()
            if len(chunk) > size:
                self._chunks.appendleft(chunk[size:])
                chunk = chunk[:size]
            taken.append(chunk)
            size -= len(chunk)
        return b"".join(taken)
