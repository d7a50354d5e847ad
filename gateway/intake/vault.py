"""Sealing an accepted file: a fresh key for one stored object, blob durable before its key row."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

from gateway.ids import new_id
from gateway.privacy.casekeys import CaseKeys, OpenCase, file_context
from keys.secret import SecretKey
from keys.stream import Sealer
from storage.blobs import Area, BlobStore


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed object in the vault; hashes of the canonical file and of its ciphertext."""

    blob_id: str
    size: int
    sha256: bytes
    sealed_sha256: bytes


async def seal_into_vault(
    keys: CaseKeys, blobs: BlobStore, opened: OpenCase, file_id: str, clean: bytes
) -> Sealed:
    """Seal `clean` under a fresh file key into a fresh blob, durably.

    The blob's id is new at every attempt, so that two nodes which inspect the same file never
    touch each other's. Whichever commits no row leaves an orphan for the sweep.
    """
    blob_id, key = new_id(), SecretKey.generate()
    sealer = Sealer(key, file_context(opened.controller_id, opened.id, file_id, blob_id))
    view, taken, digest = memoryview(clean), 0, hashlib.sha256(sealer.header)
    async with blobs.writer(Area.VAULT, blob_id) as blob:
        await blob.write(sealer.header)
        last = False
        while not last:
            piece = view[taken : taken + sealer.room]
            taken += len(piece)
            last = taken == len(view)
            segment = await asyncio.to_thread(_seal, sealer, digest, piece, last)
            await blob.write(segment)
        await blob.commit()
    await keys.add_file_key(opened, blob_id, key)
    whole = await asyncio.to_thread(lambda: hashlib.sha256(clean).digest())
    return Sealed(blob_id, len(clean), whole, digest.digest())


def _seal(sealer: Sealer, digest: hashlib._Hash, piece: memoryview, last: bool) -> bytes:
    segment = sealer.seal(piece, last=last)
    digest.update(segment)
    return segment
