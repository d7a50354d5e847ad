"""Where unfinished uploads go on, over restarts of the command.

One small file of the person who uploads: XDG_STATE_HOME/kluis/uploads.json, mode 0600, because an
upload address is a capability: whoever has it may add bytes to that upload, though never read it.
Files are named in it by a hash of what tells them apart: their names may hold a patient's.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storage.durable import replace_file

# Longer than any server keeps an upload open.
LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Place:
    """An upload that was begun.

    Attributes:
        file_id: The file that it will become.
        address: Its capability.
        began: When, in ISO 8601.
        event: The event that allowed it, as the server named it; "" if it named none.
    """

    file_id: str
    address: str
    began: str
    event: str = ""


class Journal:
    """The file, read and replaced whole under a lock."""

    def __init__(self, directory: Path | None = None) -> None:
        """Use `directory`, or the one of this person's state."""
        self.directory = directory or state_directory()
        self._path = self.directory / "uploads.json"

    def find(self, key: str) -> Place | None:
        """Where the upload of this key goes on, or None."""
        return self._read().get(key)

    def remember(self, key: str, place: Place) -> None:
        """Keep the place until it is forgotten or a week old."""
        with self._changing() as places:
            places[key] = place

    def forget(self, key: str) -> None:
        """Drop the place; idempotent."""
        with self._changing() as places:
            places.pop(key, None)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Place]]:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self.directory / "uploads.lock", flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            places = self._read()
            yield places
            content = {key: asdict(place) for key, place in places.items()}
            replace_file(self._path, json.dumps(content).encode())
        finally:
            os.close(lock)

    def _read(self) -> dict[str, Place]:
        # A damaged file costs a second upload, nothing else: it is not worth an error.
        try:
            found = json.loads(self._path.read_bytes())
            places = {str(key): Place(**place) for key, place in found.items()}
            oldest = (datetime.now(UTC) - LIFETIME).isoformat()
            return {key: place for key, place in places.items() if place.began >= oldest}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}


def state_directory() -> Path:
    """Where this person's commands remember things (XDG base directory specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kluis"


def key_of(server: str, case_id: str, version: str) -> str:
    """What tells one upload from another, without telling the name of the file."""
    told_apart = f"{server}\0{case_id}\0{version}"
    return hashlib.sha256(told_apart.encode("utf-8", "surrogateescape")).hexdigest()
