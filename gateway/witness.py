"""A witness: remembers the last checkpoint it saw of each log, and cosigns only what extends it.

For a practice that wants to be one (c2sp.org/tlog-witness). It needs no trust in the log and no
access to it: the log comes and proves that its new checkpoint extends the last one. What it has
cosigned is durable before the log gets the signature, so no crash makes it sign two histories.

Its directory: `witness.key` (the seed, base64), `witness.pub` (verifier key), `logs` (verifier keys
of the logs it knows, one a line), `checkpoints/` (the last cosigned one of each log).
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from gateway.errors import InvalidInputError
from keys.errors import KeysError, SignatureError
from keys.secret import SecretKey
from keys.signing import Cosigner, CosigningKey, Verifier, Verifiers
from storage.accesslog.checkpoint import Checkpoint
from storage.accesslog.proof import Submission
from storage.accesslog.tree import EMPTY_ROOT, verify_consistency
from storage.durable import replace_file
from storage.errors import LogInconsistentError

_log = structlog.get_logger(__name__)


class RefusedError(Exception):
    """The checkpoint is not cosigned; the status is the one that tlog-witness asks for."""

    def __init__(self, status: int, reason: str) -> None:
        """Keep the HTTP status, and the body of the answer without its newline."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Witnessing:
    """The rules of a witness over its directory.

    Attributes:
        key: Signs.
        logs: The logs it knows: public keys by origin.
        directory: What it remembers.
        clock: POSIX seconds.
    """

    key: CosigningKey
    logs: Mapping[str, Verifiers]
    directory: Path
    clock: Callable[[], int]
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def add_checkpoint(self, body: bytes) -> str:
        """Cosign a checkpoint that extends the last one.

        Args:
            body: Of the request, see `Submission`.

        Returns:
            The signature line; what it states is durable by now.

        Raises:
            RefusedError: Whatever tlog-witness wants refused, each with its status.
            LogInconsistentError, SignatureError: What is remembered here was altered.
        """
        try:
            submission = Submission.parse(body.decode())
        except (UnicodeDecodeError, LogInconsistentError):
            raise RefusedError(400, "not a request for a cosignature") from None
        verifier = self.logs.get(submission.note.partition("\n")[0])
        if verifier is None:
            raise RefusedError(404, "unknown log")
        try:
            checkpoint = Checkpoint.parse(verifier.open_note(submission.note))
        except SignatureError:
            raise RefusedError(403, "not signed by the log") from None
        except LogInconsistentError:
            raise RefusedError(400, "not a checkpoint") from None
        # Two requests at once: the later one must see what the earlier one left.
        with self._turn:
            return self._extend(checkpoint, submission, verifier.own_part(submission.note))

    def latest(self, name: str) -> str | None:
        """Give the last checkpoint cosigned of a log, both signatures on it.

        Args:
            name: SHA-256 of the log's origin, in hex.
        """
        try:
            return (self.directory / "checkpoints" / name).read_text("utf-8")
        except FileNotFoundError:
            return None

    def _extend(self, checkpoint: Checkpoint, submission: Submission, note: str) -> str:
        if submission.old_size > checkpoint.size:
            raise RefusedError(400, "the old size is larger than the new one")
        last = self._last(checkpoint.origin)
        if submission.old_size != last.size:
            raise RefusedError(409, str(last.size))
        if not verify_consistency(
            last.size, checkpoint.size, submission.hashes, last.root, checkpoint.root
        ):
            # Signed by the log, and not what it signed before, or not shown to be: keep the words.
            _log.error("inconsistent", known=last.text(), offered=submission.text())
            raise RefusedError(422, "it does not extend the last one")
        line = self.key.cosign(checkpoint.text(), self.clock())
        # A crash behind this leaves a checkpoint whose line nobody got: the log asks again.
        replace_file(self._path(checkpoint.origin), (note + line).encode())
        _log.info("cosigned", origin=checkpoint.origin, size=checkpoint.size)
        return line

    def _last(self, origin: str) -> Checkpoint:
        note = self.latest(self._path(origin).name)
        if note is None:
            return Checkpoint(origin, 0, EMPTY_ROOT)
        # Our own signature says that this is what we remember, and no leftover of somebody else.
        Cosigner.parse(self.key.verifier).cosignature(note)
        return Checkpoint.parse(self.logs[origin].open_note(note))

    def _path(self, origin: str) -> Path:
        return self.directory / "checkpoints" / hashlib.sha256(origin.encode()).hexdigest()


def set_up(directory: Path, name: str, logs: list[str]) -> str:
    """Make a witness's directory with a key of its own.

    Returns:
        Its verifier key.

    Raises:
        InvalidInputError: The name, a log's key or the directory cannot be.
    """
    if (directory / "witness.pub").exists():
        raise InvalidInputError(field="dir", reason="there is a witness in it already")
    _verifiers(logs)
    seed = SecretKey.generate()
    try:
        key = CosigningKey(name, seed)
    except ValueError as error:
        raise InvalidInputError(field="name", reason=str(error)) from None
    (directory / "checkpoints").mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    replace_file(directory / "logs", "".join(f"{vkey}\n" for vkey in logs).encode())
    replace_file(directory / "witness.key", base64.b64encode(seed.reveal()) + b"\n")
    # Last: with the public key the witness is there. A crash before leaves nothing that counts.
    replace_file(directory / "witness.pub", f"{key.verifier}\n".encode())
    return key.verifier


@contextmanager
def open_witness(directory: Path, clock: Callable[[], int]) -> Iterator[Witnessing]:
    """The witness of a directory, for this process alone.

    Raises:
        InvalidInputError: It is not set up, damaged, or another process runs it.
    """
    try:
        vkey = (directory / "witness.pub").read_text("utf-8").strip()
        seed = SecretKey(base64.b64decode((directory / "witness.key").read_bytes(), validate=False))
        key = CosigningKey(Cosigner.parse(vkey).name, seed)
        logs = _verifiers((directory / "logs").read_text("utf-8").split())
    except FileNotFoundError:
        raise InvalidInputError(field="dir", reason="there is no witness in it") from None
    except (ValueError, KeysError):
        raise InvalidInputError(field="dir", reason="a file in it is damaged") from None
    if key.verifier != vkey:
        raise InvalidInputError(field="dir", reason="witness.key and witness.pub do not belong")
    with _alone(directory):
        yield Witnessing(key, logs, directory, clock)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two processes would not see each other's turns."""
    lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInputError(field="dir", reason="a witness runs there already") from None
        yield
    finally:
        os.close(lock)


def _verifiers(vkeys: list[str]) -> Mapping[str, Verifiers]:
    try:
        verifiers = [Verifier.parse(vkey) for vkey in vkeys]
    except SignatureError:
        raise InvalidInputError(field="log", reason="it is no verifier key of a log") from None
    names = {verifier.name for verifier in verifiers}
    return {
        name: Verifiers(tuple(verifier for verifier in verifiers if verifier.name == name))
        for name in names
    }
