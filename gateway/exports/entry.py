"""One event of the log as every export takes it, and what an export is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from storage.accesslog.event import AccessEvent


@dataclass(frozen=True, slots=True)
class Entry:
    """One event with its place in the log.

    Attributes:
        event: What happened.
        index: Its place in the tree; None within its first second.
        number: Its controller's running number; None as long.
        email: Address of the account that acted, where it is known.
    """

    event: AccessEvent
    index: int | None
    number: int | None
    email: str | None = None

    def to_record(self) -> dict[str, Any]:
        """Give the record with the fields of NEN 7513, the place, and the address."""
        record = self.event.to_record()
        if self.email is not None:
            record["user"]["email"] = self.email
        return {"index": self.index, "number": self.number, **record}

    def to_json(self) -> str:
        """Give the record as JSON in one line of ASCII: nothing in it can end or forge a line."""
        return json.dumps(self.to_record(), separators=(",", ":"))


class Export(Protocol):
    """Turns entries, one by one in the order of the log, into the bytes of one file."""

    def begin(self) -> bytes:
        """Give what stands before the first entry."""

    def add(self, entry: Entry) -> bytes:
        """Give the next piece of the file; empty where the form needs all entries first."""

    def end(self) -> bytes:
        """Give what stands behind the last entry."""
