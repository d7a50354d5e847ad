"""Blobs as files in one private directory tree.

    <root>/<area>/<last two letters of the id>/<id>     one blob
    <root>/unfinished/<random>                          one blob on its way in

The fan-out is by the id's tail: the head of a UUIDv7 is the time, the tail is random. Directories
are 0700, files 0600. All work on the disk happens in threads, one hop per operation.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from storage.blobs import Area, BlobStat, Bytes, check_blob_id
from storage.durable import sync_directory
from storage.errors import BlobExistsError, BlobMissingError


class LocalBlobStore:
    """A BlobStore on a local file system that has hard links and honours fsync."""

    def __init__(self, root: Path) -> None:
        """Open the store, and make its directories where they are missing."""
        self._root = root
        self._unfinished = root / "unfinished"
        for directory in (root, self._unfinished, *(root / area for area in Area)):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(root)
        sync_directory(root.parent)
        # Fan-out directories whose own name this process knows to be durable.
        self._durable: set[Path] = set()

    @asynccontextmanager
    async def writer(self, area: Area, blob_id: str) -> AsyncIterator[_LocalWriter]:
        """Begin a blob; see BlobStore."""
        writer = _LocalWriter(self._path(area, blob_id), self._unfinished, self._durable)
        try:
            yield writer
        finally:
            await asyncio.to_thread(writer.end)

    async def read(self, area: Area, blob_id: str, start: int, stop: int) -> bytes:
        """Give exactly the bytes `[start, stop)`; see BlobStore."""
        if not 0 <= start <= stop:
            raise ValueError(f"not a range: {start} to {stop}")
        return await asyncio.to_thread(_read, self._path(area, blob_id), start, stop)

    async def size(self, area: Area, blob_id: str) -> int:
        """Give the size in bytes; see BlobStore."""
        try:
            stat = await asyncio.to_thread(self._path(area, blob_id).stat)
        except FileNotFoundError:
            raise BlobMissingError(f"blob {blob_id} is not there") from None
        return stat.st_size

    async def delete(self, area: Area, blob_id: str) -> None:
        """Remove the blob; see BlobStore."""
        # No fsync: what a crash brings back has no row any more, and is swept as an orphan.
        await asyncio.to_thread(self._path(area, blob_id).unlink, missing_ok=True)

    async def list(self, area: Area) -> AsyncIterator[BlobStat]:
        """Give every blob of an area; see BlobStore. One hop per fan-out directory."""
        for directory in await asyncio.to_thread(_entries, self._root / area):
            for entry in await asyncio.to_thread(_stats, directory):
                yield entry

    async def sweep_unfinished(self, older_than: datetime) -> int:
        """Remove what crashed writers left; see BlobStore."""
        return await asyncio.to_thread(_sweep, self._unfinished, older_than)

    def _path(self, area: Area, blob_id: str) -> Path:
        check_blob_id(blob_id)
        return self._root / area / blob_id[-2:] / blob_id


class _LocalWriter:
    """One unfinished file. The lock keeps `end` away from a thread whose caller was cancelled."""

    def __init__(self, path: Path, unfinished: Path, durable: set[Path]) -> None:
        self._path = path
        self._unfinished = unfinished / secrets.token_hex(16)
        self._durable = durable
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._linked = False
        self._acknowledged = False
        self._ended = False

    async def write(self, piece: Bytes) -> None:
        await asyncio.to_thread(self._write, piece)

    async def commit(self) -> None:
        await asyncio.to_thread(self._commit)
        self._acknowledged = True

    def end(self) -> None:
        """Close; take back everything unless the caller has heard of its success."""
        with self._lock:
            self._ended = True
            if self._file is not None:
                self._file.close()
                self._unfinished.unlink(missing_ok=True)
            if self._linked and not self._acknowledged:
                self._path.unlink()

    def _opened(self) -> FileIO:
        if self._ended:  # a thread that a cancelled caller left behind comes too late
            raise ValueError("this blob was given up")
        if self._file is None:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            self._file = FileIO(os.open(self._unfinished, flags, 0o600), "w")
        return self._file

    def _write(self, piece: Bytes) -> None:
        with self._lock:
            file = self._opened()
            rest = memoryview(piece).cast("B")
            while rest:
                rest = rest[file.write(rest) :]

    def _commit(self) -> None:
        with self._lock:
            os.fsync(self._opened().fileno())
            # A crash up to here leaves an unfinished file; sweep_unfinished() removes it.
            self._make_directory()
            try:
                # link, unlike rename, refuses to replace what is there.
                os.link(self._unfinished, self._path)
            except FileExistsError:
                raise BlobExistsError(f"blob {self._path.name} is there already") from None
            self._linked = True
            # A crash here leaves a whole blob that nobody was told of: an orphan, swept by age.
            sync_directory(self._path.parent)

    def _make_directory(self) -> None:
        directory = self._path.parent
        if directory not in self._durable:
            directory.mkdir(mode=0o700, exist_ok=True)
            # Also when another process has just made it: its fsync may still be to come.
            sync_directory(directory.parent)
            self._durable.add(directory)


def _read(path: Path, start: int, stop: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            content = file.read(stop - start)
    except FileNotFoundError:
        raise BlobMissingError(f"blob {path.name} is not there") from None
    if len(content) != stop - start:
        raise BlobMissingError(f"blob {path.name} ends before byte {stop}")
    return content


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)


def _stats(directory: os.DirEntry[str]) -> list[BlobStat]:
    found = []
    for entry in _entries(Path(directory)):
        try:
            stat = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # deleted since the directory was read
            continue
        modified = datetime.fromtimestamp(stat.st_mtime, UTC)
        found.append(BlobStat(entry.name, stat.st_size, modified))
    return found


def _sweep(directory: Path, older_than: datetime) -> int:
    swept = 0
    for entry in _entries(directory):
        try:
            if entry.stat(follow_symlinks=False).st_mtime < older_than.timestamp():
                Path(entry).unlink()
                swept += 1
        except FileNotFoundError:  # its writer ended since the directory was read
            continue
    return swept
