"""Sends one file by tus 1.0.0 and does not give up at a broken connection.

Order: create, remember the address, send the rest in one PATCH; after any break ask for the
offset (HEAD) and go on there. Bytes count as sent when the server says they are durable.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedReader
from yarl import URL

from gateway.cli.client import BREAKS, Client, Patience, Pauses
from gateway.cli.errors import (
    ChangedFileError,
    ForeignAddressError,
    LocalFileError,
    RefusedError,
    UsageError,
)
from gateway.cli.journal import Journal, Place, key_of
from gateway.cli.receipts import HEADER, Receipts
from gateway.cli.texts import Words

PIECE = 1024 * 1024
STALL = 60.0  # seconds in which not one piece leaves: the connection is dead

_TUS = {"Tus-Resumable": "1.0.0"}
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
# States in which the server has every byte.
_ARRIVED = {"received", "accepted", "refused"}
_KINDS = {
    **dict.fromkeys((".stl", ".ply", ".obj"), "scan"),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".heic", ".heif"), "photo"),
    ".pdf": "plan",
}
_NO_KIND = Words(
    "What kind of file this is cannot be told from its name. Give --kind scan, photo or plan.",
    "Wat voor bestand dit is blijkt niet uit de naam. Geef --kind scan, photo of plan.",
)
_NOT_A_FILE = Words("there is no such file", "dit bestand bestaat niet")


class Outgoing(Protocol):
    """Something to send. Its bytes are the same each time they are asked for, or it says no."""

    @property
    def name(self) -> str:
        """Its name, as the practice knows it."""

    @property
    def kind(self) -> str:
        """scan, photo or plan."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    @property
    def version(self) -> str:
        """What tells it from every other file, and from itself after a change."""

    def is_same(self) -> bool:
        """Whether it still has the bytes it had."""

    def pieces(self, start: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open it for its bytes from `start` on, in pieces of 1 MiB at the most."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine as it was when the command began; sizes in bytes."""

    path: Path
    kind: str
    size: int
    changed_ns: int

    @property
    def name(self) -> str:
        """Its name without its directories."""
        return self.path.name

    @property
    def version(self) -> str:
        """Its place, size and time of change."""
        return f"{self.path.absolute()}\0{self.size}\0{self.changed_ns}"

    @classmethod
    def look(cls, path: Path, kind: str | None) -> LocalFile:
        """Look at a file on this machine.

        Raises:
            LocalFileError: It is not there, or not a file.
            UsageError: Its kind was not given and its name does not tell.
        """
        if not path.is_file():
            raise LocalFileError(path=path, reason=_NOT_A_FILE.say())
        kind = kind or _KINDS.get(path.suffix.lower())
        if kind is None:
            raise UsageError("kind", _NO_KIND)
        status = path.stat()
        return cls(path, kind, status.st_size, status.st_mtime_ns)

    def is_same(self) -> bool:
        """Whether it still is the file that was looked at."""
        status = self.path.stat()
        return (status.st_size, status.st_mtime_ns) == (self.size, self.changed_ns)

    @asynccontextmanager
    async def pieces(self, start: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open it for the bytes from `start` to the size it had.

        The iterator raises ChangedFileError if it has become shorter.
        """
        # Not opened by the iterator itself: nobody ends that one when a connection breaks.
        async with aiofiles.open(self.path, "rb") as file:
            await file.seek(start)
            yield self._read(file, self.size - start)

    async def _read(self, file: AsyncBufferedReader, missing: int) -> AsyncIterator[bytes]:
        while missing:
            piece = await file.read(min(PIECE, missing))
            if not piece:
                raise ChangedFileError(name=self.name)
            missing -= len(piece)
            yield piece


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends files of one case; with a slot, all of them into that one."""

    client: Client
    case_id: str
    journal: Journal
    patience: Patience
    slot: str | None = None

    async def send(self, file: Outgoing, arrived: Callable[[int], None]) -> str:
        """Return the file's id once the server has every byte of it.

        Args:
            file: What to send.
            arrived: Told how many bytes have arrived, as far as is known.

        Raises:
            RefusedError: The server does not take it.
            ChangedFileError: It changed under way; what was sent is cancelled.
            UnreachableError: Patience ran out; sending it again goes on where this ended.
        """
        pauses = Pauses(self.patience, self.client.server)
        while True:
            try:
                place = self.journal.find(self._key(file)) or await self._create(file)
                if await self._advance(place, file, pauses, arrived):
                    return place.file_id
            except RefusedError as error:
                if not error.passes:
                    raise
            except BREAKS:
                pass  # the next round asks for the offset
            await self._check_unchanged(file)
            await pauses.next()

    def keep_receipt(self, file: Outgoing, file_id: str, sha256: str | None) -> None:
        """Keep that the server accepted the file; before its address is forgotten."""
        place = self.journal.find(self._key(file))
        Receipts(self.journal.directory).keep(
            self.client.server,
            place.event if place else None,
            "upload",
            case=self.case_id,
            file=file_id,
            sha256=sha256,
        )

    def forget(self, file: Outgoing) -> None:
        """Drop the address: the file has its verdict."""
        self.journal.forget(self._key(file))

    def _key(self, file: Outgoing) -> str:
        return key_of(str(self.client.server), self.case_id, file.version)

    async def _advance(
        self, place: Place, file: Outgoing, pauses: Pauses, arrived: Callable[[int], None]
    ) -> bool:
        """Go on where the upload is; whether every byte has arrived."""
        offset = await self._offset(place)
        if offset is None:
            self.forget(file)
            return False
        pauses.note(offset)
        arrived(offset)
        if offset < file.size:
            offset = await self._append(place, file, offset, arrived)
        if offset < file.size:
            return False
        await self._check_unchanged(file)
        return True

    async def _create(self, file: Outgoing) -> Place:
        """Create the upload. A crash before it is remembered leaves one that expires."""
        name = file.name.encode("utf-8", "replace")
        told = {"filename": name, "kind": file.kind.encode()}
        if self.slot is not None:
            told["slot"] = self.slot.encode()
        metadata = ",".join(f"{k} {base64.b64encode(v).decode()}" for k, v in told.items())
        headers = _TUS | {"Upload-Length": str(file.size), "Upload-Metadata": metadata}
        address = self.client.address(f"cases/{self.case_id}/files")
        async with self.client.request("POST", address, headers=headers) as response:
            location = address.join(URL(response.headers["Location"], encoded=True))
            file_id = response.headers["Kluis-File"]
            event = response.headers.get(HEADER, "")
        if location.origin() != address.origin():
            raise ForeignAddressError
        place = Place(file_id, str(location), datetime.now(UTC).isoformat(), event)
        self.journal.remember(self._key(file), place)
        return place

    async def _offset(self, place: Place) -> int | None:
        """How many bytes are durable; None when the upload has ended without them."""
        address = URL(place.address, encoded=True)
        try:
            async with self.client.request("HEAD", address, headers=_TUS) as response:
                return int(response.headers["Upload-Offset"])
        except RefusedError as error:
            if error.status not in _GONE:
                raise
        # The address also ends when the last byte is in and the answer to it was lost.
        try:
            view = await self.client.get(f"cases/{self.case_id}/files/{place.file_id}")
        except RefusedError as error:
            if error.status not in _GONE:
                raise
            return None
        return int(view["length"]) if view["state"] in _ARRIVED else None

    async def _append(
        self, place: Place, file: Outgoing, start: int, arrived: Callable[[int], None]
    ) -> int:
        """Send everything from `start` in one PATCH; the server cuts it into parts."""
        headers = _TUS | {
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(file.size - start),
            "Upload-Offset": str(start),
        }
        address = URL(place.address, encoded=True)
        async with file.pieces(start) as pieces, asyncio.timeout(STALL) as limit:

            async def body() -> AsyncIterator[bytes]:
                sent = start
                async for piece in pieces:
                    yield piece
                    sent += len(piece)
                    arrived(sent)
                    limit.reschedule(asyncio.get_running_loop().time() + STALL)

            try:
                async with self.client.request(
                    "PATCH", address, headers=headers, content=body()
                ) as response:
                    return int(response.headers["Upload-Offset"])
            except RefusedError as error:
                if error.status not in _GONE:
                    raise
                return start  # it ended just now; the next HEAD tells what became of it

    async def _check_unchanged(self, file: Outgoing) -> None:
        """Take back what is neither the old file nor the new one. Raises ChangedFileError."""
        if file.is_same():
            return
        place = self.journal.find(self._key(file))
        self.forget(file)
        if place is not None:
            path = f"cases/{self.case_id}/files/{place.file_id}"
            # Where this fails, it expires, or the dentist removes the file from the draft.
            with suppress(RefusedError, *BREAKS):
                async with self.client.request("DELETE", self.client.address(path), headers={}):
                    pass
        raise ChangedFileError(name=file.name)
