"""Room on the disk that is kept back, so that somebody can still sign in and make more.

A file holds the room while there is plenty. When the disk runs short the file goes, and what it
held is for those who can put things right; everybody else waits until there is plenty again. The
file itself is the state, so all processes on one data directory agree.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_LOOK_SECONDS = 1.0  # between two looks at the disk
_PLENTY = 4  # times the reserve: then it is taken (again)


def free_bytes(directory: Path) -> int:
    """What an ordinary user may still write to the disk of a directory."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


class DiskReserve:
    """The reserve of one data directory."""

    def __init__(self, path: Path, size: int) -> None:
        """Look at the disk on the first question, and then once a second at the most.

        Args:
            path: Of the file that holds the room.
            size: How much, in bytes.
        """
        self._path = path
        self._size = size
        self._look_at = 0.0
        self._short = False

    def is_short(self) -> bool:
        """Whether nothing but the reserve is left."""
        at = time.monotonic()
        if at >= self._look_at:
            self._look_at = at + _LOOK_SECONDS
            self._short = self._look()
        return self._short

    def _look(self) -> bool:
        free = free_bytes(self._path.parent)
        if self._path.exists():
            if free >= self._size:
                return False
            self._path.unlink(missing_ok=True)
            return True
        return free < _PLENTY * self._size or not self._take()

    def _take(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError:  # no room for a name
            return False
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:  # somebody else was faster
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)
        return True
