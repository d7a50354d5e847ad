"""What this person did, line by line: XDG_STATE_HOME/kluis/receipts.jsonl, mode 0600.

`kluis upload`, `download`, `erase` and `audit` add to it; `kluis audit` demands that the log holds
an event for each line. There are ids in it, and no names.
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

from yarl import URL

from gateway.audit.receipts import Kind, Receipt, parse
from gateway.cli.journal import state_directory

# In an answer: the event that allowed it.
HEADER = "Kluis-Event"


class Receipts:
    """The file, only ever added to."""

    def __init__(self, directory: Path | None = None) -> None:
        """Use `directory`, or the one of this person's state."""
        self.path = (directory or state_directory()) / "receipts.jsonl"

    def keep(
        self,
        server: object,
        event: str | None,
        kind: Kind,
        *,
        case: str | None = None,
        file: str | None = None,
        sha256: str | None = None,
    ) -> list[Receipt]:
        """Keep a receipt, durably, and give it; nothing where the answer named no event."""
        if not event:
            return []
        at = datetime.now(UTC).isoformat()
        receipt = Receipt(_name(server), event, kind, at, case, file, sha256)
        line = f"{receipt.to_json()}\n"
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            end = os.fstat(descriptor).st_size
            # A crash in the middle of a line must not take the next one with it.
            torn = bool(end) and os.pread(descriptor, 1, end - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return [receipt]

    def of(self, server: object) -> list[Receipt]:
        """Those of one server, oldest first. Raises ReceiptsError: a line is damaged."""
        if not self.path.exists():
            return []
        with self.path.open("r", encoding="utf-8") as lines:
            return [receipt for receipt in parse(lines) if receipt.server == _name(server)]


def _name(server: object) -> str:
    """One name for each server, however its address was typed."""
    try:
        return str(URL(str(server))).rstrip("/")
    except ValueError:
        return str(server)  # whoever connects refuses it
