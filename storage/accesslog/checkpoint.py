"""Checkpoints (C2SP tlog-checkpoint), and the signer's own memory of the last one.

A checkpoint is the text `origin`, `size`, `base64(root)`, one per line, in a signed note. The head
is the last signed checkpoint, kept in a file outside the database: a database that was rolled back
no longer extends it, and is never signed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storage.accesslog.tree import HASH_SIZE
from storage.durable import replace_file
from storage.errors import LogInconsistentError

Sign = Callable[[str], str]
OpenNote = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's size and root under its name."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read what `text` gives; extension lines, which no log of ours writes, are refused.

        Raises:
            LogInconsistentError: It is no checkpoint.
        """
        try:
            origin, size, root = text.splitlines()[:3]
            checkpoint = cls(origin, int(size), base64.b64decode(root, validate=True))
        except (ValueError, binascii.Error) as problem:
            raise LogInconsistentError("a signed note is no checkpoint") from problem
        # Whatever int() and base64 forgive would give one checkpoint several texts.
        if checkpoint.text() != text or checkpoint.size < 0 or len(checkpoint.root) != HASH_SIZE:
            raise LogInconsistentError("a signed note is no checkpoint")
        return checkpoint

    def text(self) -> str:
        """Give the body that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def open_checkpoint(note: str, open_note: OpenNote) -> Checkpoint:
    """Read a signed checkpoint.

    Args:
        note: The signed note.
        open_note: Gives the text of a note whose signature is right, and raises otherwise.

    Raises:
        LogInconsistentError: The signature is not ours, or the text is no checkpoint.
    """
    try:
        text = open_note(note)
    except Exception as problem:
        raise LogInconsistentError("a checkpoint's signature is wrong") from problem
    return Checkpoint.parse(text)


@dataclass(frozen=True, slots=True)
class Head:
    """The last checkpoint this signer gave out: size in entries, root, signed note."""

    size: int
    root: bytes
    note: str

    @classmethod
    def read(cls, path: Path) -> Head | None:
        """Read the head file, or None where nothing was ever signed.

        Raises:
            LogInconsistentError: The file is there and is not a head.
        """
        try:
            fields = json.loads(path.read_bytes())
            return cls(int(fields["size"]), bytes.fromhex(fields["root"]), str(fields["note"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as problem:
            raise LogInconsistentError(f"{path.name} is damaged") from problem

    def write(self, path: Path) -> None:
        """Replace the head file, durably and whole."""
        fields = {"size": self.size, "root": self.root.hex(), "note": self.note}
        replace_file(path, json.dumps(fields, indent=1).encode() + b"\n")
