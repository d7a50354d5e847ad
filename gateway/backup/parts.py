"""One sealed file of lines: written by whoever has the public half, read with the recovery words.

    head (keys.recovery) ‖ stream of: lines ‖ {"signature": base64} and a newline

The signature is of the house, over place and SHA-256 of the lines before it: sealing proves no
author. A reader gives lines as they open and checks the signature behind the last one, so what it
gave counts only once it has ended; a restore loads them in one transaction.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from gateway.backup.errors import BackupDamagedError, BackupForeignError
from keys.context import Context, Purpose
from keys.errors import SignatureError, UnsealError
from keys.recovery import HEAD_SIZE, RecoveryKey, RecoveryPublicKey
from keys.secret import SecretKey
from keys.signing import Verifiers
from keys.stream import HEADER_SIZE, Sealer, Unsealer, cut, plaintext_size
from storage.durable import sync_directory

SIGNED = b"kluis/backup-part/1\n"
PIECE = 1 << 20

Sign = Callable[[bytes], bytes]


def place_of(part: str) -> Context:
    """What a part is bound to, such as "keystore" or "data/<generation>"."""
    return Context(Purpose.BACKUP, "", object_id=part)


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it lies on the disk: its size in bytes and SHA-256."""

    size: int
    sha256: bytes


class PartWriter:
    """A part on its way: nothing under its name until `publish`, and then all of it."""

    def __init__(self, path: Path, part: str, recovery: RecoveryPublicKey, sign: Sign) -> None:
        """Begin the file beside its name. Leave through `publish` or `discard`."""
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}.unfinished")
        self._place = place_of(part)
        self._sign = sign
        key = SecretKey.generate()
        self._sealer = Sealer(key, self._place)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        self._file = FileIO(os.open(self._unfinished, flags, 0o600), "w")
        self._lines, self._digest, self._size = hashlib.sha256(), hashlib.sha256(), 0
        self._waiting = bytearray()
        self._put(recovery.head(key, self._place) + self._sealer.header)

    async def write(self, line: bytes) -> None:
        """Take one line, with its newline."""
        self._lines.update(line)
        self._waiting += line
        if len(self._waiting) > self._sealer.room:
            await asyncio.to_thread(self._seal, last=False)

    async def end(self) -> Written:
        """Sign, and make the bytes durable; the name follows with `publish`."""
        signature = self._sign(SIGNED + self._place.encode() + b"\n" + self._lines.digest())
        trailer = {"signature": base64.b64encode(signature).decode()}
        self._waiting += json.dumps(trailer).encode() + b"\n"
        await asyncio.to_thread(self._seal, last=True)
        return Written(self._size, self._digest.digest())

    async def publish(self) -> None:
        """Put the whole part in place of what was there, durably."""
        await asyncio.to_thread(self._publish)

    def discard(self) -> None:
        """Leave nothing behind; after `publish` there is nothing left to discard."""
        self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def _seal(self, *, last: bool) -> None:
        while last or len(self._waiting) > self._sealer.room:
            room = self._sealer.room
            ends = last and len(self._waiting) <= room
            segment = self._sealer.seal(bytes(self._waiting[:room]), last=ends)
            del self._waiting[:room]
            self._put(segment)
            if ends:
                os.fsync(self._file.fileno())
                return

    def _put(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._size += len(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _publish(self) -> None:
        self._unfinished.replace(self._path)
        sync_directory(self._path.parent)


async def read_part(
    path: Path, part: str, recovery: RecoveryKey, signers: Verifiers
) -> AsyncGenerator[bytes, None]:
    """Give the lines of a part, each with its newline.

    Raises:
        BackupDamagedError: It does not open.
        BackupForeignError: None of `signers` signed it; known only behind the last line.
    """
    place = place_of(part)
    digest, last = hashlib.sha256(), b""
    try:
        async for piece in _opened(path, place, recovery):
            # The last line so far is held back: it may go on, or be the signature.
            *lines, last = (last + piece).splitlines(keepends=True) or [b""]
            for line in lines:
                digest.update(line)
                yield line
    except UnsealError:
        raise BackupDamagedError(part=path) from None
    message = SIGNED + place.encode() + b"\n" + digest.digest()
    if not is_signed(message, last, signers):
        raise BackupForeignError(part=path)


def is_signed(message: bytes, document: bytes, signers: Verifiers) -> bool:
    """Whether the `signature` in a JSON document is one of these signers' over a message."""
    try:
        signers.verify(message, base64.b64decode(json.loads(document)["signature"], validate=True))
    except (ValueError, LookupError, TypeError, SignatureError):
        return False
    return True


async def _opened(path: Path, place: Context, recovery: RecoveryKey) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        size = plaintext_size(os.fstat(file.fileno()).st_size - HEAD_SIZE)
        key = recovery.open_head(file.read(HEAD_SIZE), place)
        unsealer = Unsealer(key, place, file.read(HEADER_SIZE))
        for piece in cut(0, size, size):
            sealed = await asyncio.to_thread(file.read, piece.stop - piece.start)
            yield await asyncio.to_thread(unsealer.unseal, piece.number, sealed, last=piece.last)


def hash_of(path: Path) -> Written:
    """Read a file whole, a piece at a time; blocks."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            size += len(piece)
    return Written(size, digest.digest())
