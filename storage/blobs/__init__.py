"""Blobs: ciphertext addressed by an id, written once, never changed.

The Protocol is shaped for an object store: a stream in, ranges out, no rename, no append. Every
implementation runs the contract suite in tests/contracts/test_blob_store.py.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

Bytes = bytes | bytearray | memoryview

_BLOB_ID = re.compile(r"[0-9a-z][0-9a-z-]{2,62}[0-9a-z]")


class Area(StrEnum):
    """Where a blob lies."""

    QUARANTINE = "quarantine"  # parts of uploads that nobody has looked at yet
    VAULT = "vault"  # accepted canonical files


@dataclass(frozen=True, slots=True)
class BlobStat:
    """What a listing tells: id, size in bytes of ciphertext, and when it was written (UTC)."""

    blob_id: str
    size: int
    modified: datetime


class BlobWriter(Protocol):
    """One blob on its way in; nobody else sees it before `commit`.

    Outside its block it is of no use: a ValueError.
    """

    async def write(self, piece: Bytes) -> None:
        """Append; the piece may be reused as soon as this returns."""

    async def commit(self) -> None:
        """Make the blob durable and visible, whole. When this returns, a power cut keeps it.

        Raises:
            BlobExistsError: The id is taken; what is there stays as it is.
            OSError: The disk refused. The blob is not there, and must be written anew.
        """


class BlobStore(Protocol):
    """Ciphertext addressed by area and id. Written once; never sees a key.

    An id is 4 to 64 of `0-9 a-z -`, not a dash at either end; anything else is a ValueError.
    """

    def writer(self, area: Area, blob_id: str) -> AbstractAsyncContextManager[BlobWriter]:
        """Begin a blob. Leaving the block without a completed commit leaves nothing behind."""

    async def read(self, area: Area, blob_id: str, start: int, stop: int) -> bytes:
        """Give exactly the bytes `[start, stop)`.

        Raises:
            BlobMissingError: There is no such blob, or it ends before `stop`.
        """

    async def size(self, area: Area, blob_id: str) -> int:
        """Give the size in bytes. Raises BlobMissingError."""

    async def delete(self, area: Area, blob_id: str) -> None:
        """Remove the blob; no error if it is gone already. A crash may bring it back."""

    def list(self, area: Area) -> AsyncIterator[BlobStat]:
        """Give every blob of an area, in no order; what comes or goes meanwhile may be missed."""

    async def sweep_unfinished(self, older_than: datetime) -> int:
        """Remove what crashed writers left and nobody has written to since; say how many."""


def check_blob_id(blob_id: str) -> None:
    """Refuse what could name anything but one blob in its own area. Raises ValueError."""
    if not _BLOB_ID.fullmatch(blob_id):
        raise ValueError("a blob id is 4 to 64 of 0-9, a-z and inner dashes")
