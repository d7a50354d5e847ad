"""How a file becomes durable: its bytes and its name, each by an fsync of its own.

An fsync that fails is never repeated: the kernel has dropped the pages by then, and a second one
would report a success that is none. The error goes up and the new file goes away.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_unfinished(directory: Path, older_than: datetime) -> int:
    """Remove what a killed `replace_file` left beside the file; say how many."""
    swept = 0
    for path in directory.glob("*.unfinished"):
        try:
            if path.lstat().st_mtime < older_than.timestamp():
                path.unlink()
                swept += 1
        except FileNotFoundError:  # its writer ended since the directory was read
            continue
    return swept


def replace_file(path: Path, content: bytes) -> None:
    """Put a private file (0600) in place whole: afterwards there is the old one or the new one."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}.unfinished")
    descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    # A crash here may bring the old file back, whole.
    sync_directory(path.parent)
