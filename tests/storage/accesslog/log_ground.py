"""Ground of the log's tests: a signer of notes, events, and a log that is written and signed.

The signer is Ed25519 over C2SP signed notes, made here from `cryptography` alone: storage is handed
callables, and does not care whose.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from storage.accesslog.checkpoint import Head, Sign
from storage.accesslog.event import AccessEvent
from storage.accesslog.log import AccessLog
from storage.accesslog.sequencer import Sequencer
from storage.accesslog.verify import Verification, verify
from storage.database import Database

ORIGIN = "log.example/test"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class NoteKey:
    """Signs and opens notes."""

    def __init__(self, seed: bytes = b"k" * 32) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._hash = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]

    def sign(self, text: str) -> str:
        signature = base64.b64encode(self._hash + self._key.sign(text.encode())).decode()
        return f"{text}\n\N{EM DASH} {ORIGIN} {signature}\n"

    def open(self, note: str) -> str:
        text, line = note.split("\n\n")
        decoded = base64.b64decode(line.removeprefix(f"\N{EM DASH} {ORIGIN} ").rstrip("\n"))
        if decoded[:4] != self._hash:
            raise ValueError("not this key")
        self._key.public_key().verify(decoded[4:], f"{text}\n".encode())
        return f"{text}\n"


def event(number: int, controller_id: str | None = "practice-1", **changes: object) -> AccessEvent:
    """The event of this number; ids sort as the numbers do."""
    values: dict[str, object] = {
        "id": f"event-{number:08}",
        "at": START + timedelta(seconds=number),
        "code": "case.view",
        "action": "R",
        "stage": "authorised",
        "actor_id": "account-1",
        "actor_role": "dentist",
        "ground": "own_practice",
        "request_id": f"request-{number}",
        "access_point": "api",
        "source": "node-1",
        "controller_id": controller_id,
        "case_id": f"case-{number % 3}",
    }
    return AccessEvent(**(values | changes))  # type: ignore[arg-type]


@dataclass
class Ground:
    """One log on one database, with its signer and its head file."""

    database: Database
    directory: Path
    key: NoteKey = field(default_factory=NoteKey)
    time: datetime = START

    @property
    def head_path(self) -> Path:
        return self.directory / "log-head.json"

    def sequencer(
        self, node_id: str = "node-1", head_path: Path | None = None, sign: Sign | None = None
    ) -> Sequencer:
        return Sequencer(
            self.database,
            sign=sign or self.key.sign,
            open_note=self.key.open,
            origin=ORIGIN,
            head_path=head_path or self.head_path,
            node_id=node_id,
            clock=lambda: self.time,
        )

    async def write(self, events: Sequence[AccessEvent]) -> None:
        """Append as many callers at once."""
        log = AccessLog(self.database)
        log.start()
        await asyncio.gather(*map(log.append, events))
        await log.close()

    async def verify(self, *, with_head: bool = True) -> Verification:
        head = Head.read(self.head_path) if with_head else None
        return await verify(self.database, self.key.open, head)
