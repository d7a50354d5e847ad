"""Writes blobs without end and tells of each that is durable; its parent kills it.

Run as `python -m tests.contracts.blob_child KIND PLACE`.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import uuid
from pathlib import Path

from storage.blobs import Area, BlobStore
from storage.blobs.local import LocalBlobStore

SIZE = 300_000
PIECE = 70_001


def open_store(kind: str, place: str) -> BlobStore:
    """Every implementation of BlobStore, by name."""
    return {"local": LocalBlobStore}[kind](Path(place))


def content(blob_id: str) -> bytes:
    """What the blob of this id holds: whoever reads it can tell whether it is whole."""
    return hashlib.shake_128(blob_id.encode()).digest(SIZE)


async def write_blobs(store: BlobStore) -> None:
    while True:
        blob_id = str(uuid.uuid4())
        whole = content(blob_id)
        async with store.writer(Area.VAULT, blob_id) as writer:
            for start in range(0, SIZE, PIECE):
                await writer.write(whole[start : start + PIECE])
            await writer.commit()
        sys.stdout.write(f"{blob_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write_blobs(open_store(*sys.argv[1:])))
