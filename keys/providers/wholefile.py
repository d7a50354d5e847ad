"""Replace one private file whole, durably, under a lock that processes share.

The new bytes go to `<path>.new` (0600), are fsynced, renamed over `path`, and the directory is
fsynced. Killed at any point, this leaves the old file or the new one; a `.new` left behind is
removed by the next who replaces or opens the file under the lock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PRIVATE = 0o600


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock on `<path>.lock`: alone, or with others who only read."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    # flock belongs to the open file, so threads exclude each other just as processes do.
    descriptor = os.open(path.with_name(path.name + ".lock"), flags, _PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_whole(path: Path, content: bytes) -> None:
    """Make `content` the whole file, durably. The caller holds the lock alone.

    Raises:
        OSError: The disk failed. The file is the old or the new one, and perhaps not durable.
    """
    remove_leftover(path)
    fresh = _fresh(path)
    try:
        _write(fresh, content)
    except OSError:
        remove_leftover(path)
        raise
    with _held(path) as old:
        fresh.rename(path)
        _fsync(path.parent)
        if old is not None:
            # Replaced and durable: what fails from here on takes nothing back.
            with suppress(OSError):
                _overwrite(old)


def remove_leftover(path: Path) -> None:
    """Remove what a killed `replace_whole` left. The caller holds the lock alone."""
    fresh = _fresh(path)
    with _held(fresh) as leftover:
        if leftover is not None:
            with suppress(OSError):
                _overwrite(leftover)
            fresh.unlink()


def sync(path: Path) -> None:
    """Make what the file holds durable, whoever wrote it."""
    _fsync(path)
    _fsync(path.parent)


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".new")


@contextmanager
def _held(path: Path) -> Iterator[int | None]:
    # While the file is open its blocks are not given to anyone, whatever becomes of its name.
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, _PRIVATE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _overwrite(descriptor: int) -> None:
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(bytes(os.fstat(descriptor).st_size))
        file.flush()
        os.fsync(file.fileno())


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
