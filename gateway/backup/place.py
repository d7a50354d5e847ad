"""One directory that back-ups lie in, and the manifest that makes a generation count.

    keystore.sealed                       wrapped keys and the ledger of erasures: one, the newest
    head.json                             the newest checkpoint of the log, and proofs up to it
    tested.json                           which generation was last restored on trial, and when
    blobs/vault/<two letters>/<id>        the vault, as it is sealed already
    generations/<id>/data.sealed          the main database at one moment
    generations/<id>/blobs.txt            SHA-256, size and id of each blob that belongs to it
    generations/<id>/manifest.json        last; without it the rest of the directory does not count
    writing.lock, keystore.lock           held by whoever writes

and beside or, better, elsewhere, at a place for keys:

    keys.sealed                           the contents of the local keyring: one, the newest

In either, `kluis-place` marks a directory that an operator chose (`check_place`).
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from gateway.audit.certificate import canonical
from gateway.backup.errors import (
    BackupDamagedError,
    BackupForeignError,
    BackupMissingError,
    PlaceUnusableError,
)
from gateway.backup.parts import Sign, Written, is_signed
from keys.signing import Verifiers
from storage.blobs import Area
from storage.blobs.local import LocalBlobStore
from storage.durable import replace_file, sync_directory

FORMAT = "kluis/backup/1"
SIGNED = b"kluis/backup-manifest/1\n"
KEYS = "keys.sealed"
MARK = "kluis-place"
LOCK_SECONDS = 0.05  # between two looks at a lock that somebody else holds


@dataclass(frozen=True, slots=True)
class LogState:
    """The log as a back-up has it: name, entries, root in hexadecimal, newest signed note."""

    origin: str
    size: int
    root: str
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a generation, by its name in the directory."""

    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, written: Written) -> Self:
        """A part as it was written."""
        return cls(name, written.size, written.sha256.hex())


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """One blob of the vault that belongs to a generation: SHA-256 of its ciphertext."""

    blob_id: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation consists of; signed by the house.

    Attributes:
        generation: Its id, a UUIDv7: the ids of later ones are greater.
        at: The moment that the data are of.
        version: Of the program that wrote it.
        provider: Where the keys of controllers were.
        data: The sealed dump of the main database.
        blobs: The list of blobs.
        keystore: The keystore's back-up as it was then; it is replaced when keys move on.
        log: The access log at that moment.
        public: Public keys, as the files of these names held them.
    """

    generation: str
    at: str
    version: str
    provider: str
    data: Part
    blobs: Part
    keystore: Part
    log: LogState
    public: Mapping[str, str]

    def signed(self, sign: Sign) -> bytes:
        """The file."""
        body = asdict(self) | {"format": FORMAT, "public": dict(self.public)}
        signature = base64.b64encode(sign(SIGNED + canonical(body).encode())).decode()
        return json.dumps({"body": body, "signature": signature}, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, raw: bytes, path: Path) -> Self:
        """Read the file; its signature is for `check` to see.

        Raises:
            BackupDamagedError: It is not one.
        """
        try:
            body = dict(json.loads(raw)["body"])
            if body.pop("format") != FORMAT or body["generation"] != path.parent.name:
                raise ValueError("another format, or of another generation")
            datetime.fromisoformat(body["at"])
            for name in ("data", "blobs", "keystore"):
                body[name] = Part(**body[name])
            return cls(**body | {"log": LogState(**body["log"])})
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise BackupDamagedError(part=path) from None


@dataclass(frozen=True, slots=True)
class Generation:
    """A back-up of the data that is whole: its directory and its manifest, as the file holds it."""

    directory: Path
    manifest: Manifest
    raw: bytes

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read its manifest. Raises BackupDamagedError."""
        path = directory / "manifest.json"
        raw = path.read_bytes()
        return cls(directory, Manifest.parse(raw, path), raw)

    @property
    def id(self) -> str:
        """Greater than those of earlier ones."""
        return self.manifest.generation

    @property
    def sha256(self) -> str:
        """Of the manifest; the event of the back-up names it."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def at(self) -> datetime:
        """The moment that the data are of."""
        return datetime.fromisoformat(self.manifest.at)

    def path(self, part: Part) -> Path:
        """Where a part lies."""
        return self.directory / part.name

    def check(self, signers: Verifiers) -> None:
        """Return if the house signed it. Raises BackupForeignError."""
        body = canonical(json.loads(self.raw)["body"])
        if not is_signed(SIGNED + body.encode(), self.raw, signers):
            raise BackupForeignError(part=self.directory / "manifest.json")

    def blobs(self) -> Iterator[BlobEntry]:
        """The blobs that belong to it. Raises BackupDamagedError."""
        path = self.path(self.manifest.blobs)
        with path.open("r", encoding="ascii", errors="replace") as file:
            for line in file:
                try:
                    sha256, size, blob_id = line.split()
                    yield BlobEntry(blob_id, int(size), sha256)
                except ValueError:
                    raise BackupDamagedError(part=path) from None


@dataclass(frozen=True, slots=True)
class Place:
    """A directory for data and keystore."""

    root: Path

    @property
    def generations(self) -> Path:
        """One directory for each."""
        return self.root / "generations"

    @property
    def keystore(self) -> Path:
        """The one back-up of the keystore."""
        return self.root / "keystore.sealed"

    @property
    def head(self) -> Path:
        """The newest known checkpoint."""
        return self.root / "head.json"

    @property
    def tested(self) -> Path:
        """The last trial."""
        return self.root / "tested.json"

    def store(self) -> LocalBlobStore:
        """The vault's blobs here."""
        return LocalBlobStore(self.root / "blobs")

    def prepare(self) -> None:
        """Make what is missing in a place that is marked. Raises PlaceUnusableError."""
        check_place(self.root)
        try:
            self.generations.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self.root)
        except OSError as error:
            raise PlaceUnusableError(place=self.root, reason=error.strerror) from None

    def whole(self) -> list[Generation]:
        """Every generation that counts and whose manifest can be read, oldest first."""
        found = []
        for directory in self._finished():
            with suppress(BackupDamagedError):
                found.append(Generation.read(directory))
        return found

    def newest(self, chosen: str | None = None) -> Generation:
        """The newest generation, or the chosen one.

        Raises:
            BackupMissingError: There is none.
            BackupDamagedError: Its manifest cannot be read; an older one is not taken unasked.
        """
        finished = [each for each in self._finished() if chosen in {None, each.name}]
        if not finished:
            raise BackupMissingError(part="whole generation", place=self.root)
        return Generation.read(finished[-1])

    def _finished(self) -> list[Path]:
        return sorted(path.parent for path in self.generations.glob("*/manifest.json"))

    def writing(self) -> Any:
        """Wait to be the only one who writes generations here."""
        return alone(self.root / "writing.lock")

    def renewing(self) -> Any:
        """Wait to be the only one who replaces the keystore's back-up here."""
        return alone(self.root / "keystore.lock")

    def sweep(self) -> None:
        """Remove what a crash left of generations; the caller holds `writing`."""
        for directory in self.generations.glob("*"):
            if not (directory / "manifest.json").exists():
                shutil.rmtree(directory)

    async def keep(self, count: int) -> list[str]:
        """Remove all but the newest generations, and blobs of none; the ids of what went.

        The caller holds `writing`. *A crash* leaves directories without manifest, and blobs that
        no generation names; both go next time.
        """
        whole = self.whole()
        gone = whole[:-count]
        for generation in gone:
            await asyncio.to_thread(_remove, generation.directory)
        if gone:
            await self._drop_blobs(whole[-count:])
        return [generation.id for generation in gone]

    async def _drop_blobs(self, kept: Sequence[Generation]) -> None:
        try:
            named = {entry.blob_id for each in kept for entry in each.blobs()}
        except (BackupDamagedError, OSError):
            return  # which blobs it needs cannot be known: none goes
        store = self.store()
        here = [stat.blob_id async for stat in store.list(Area.VAULT)]
        for blob_id in here:
            if blob_id not in named:
                await store.delete(Area.VAULT, blob_id)

    def remember_test(self, generation: str, at: datetime) -> None:
        """Note a trial that succeeded."""
        said = {"generation": generation, "at": at.isoformat()}
        replace_file(self.tested, json.dumps(said).encode() + b"\n")

    def last_test(self) -> datetime | None:
        """When a restore was last tried and succeeded."""
        try:
            return datetime.fromisoformat(json.loads(self.tested.read_bytes())["at"])
        except (OSError, ValueError, LookupError, TypeError):
            return None


def mark_place(directory: Path) -> None:
    """Make a place of a directory, on an operator's word. Raises PlaceUnusableError."""
    if not directory.is_dir():
        raise PlaceUnusableError(place=directory, reason="no such directory")
    mark = directory / MARK
    try:
        directory.chmod(0o700)
        if not mark.exists():
            replace_file(mark, b"kluis/place/1\n")
    except OSError as error:
        raise PlaceUnusableError(place=directory, reason=error.strerror) from None


def check_place(directory: Path) -> None:
    """Return if the directory is a place.

    A directory is there even where the disk that belongs on it is not mounted. What was written
    there would be taken for the place's word that an old key is gone; so only an operator marks.

    Raises:
        PlaceUnusableError: It is not there, or not marked.
    """
    if not (directory / MARK).is_file():
        reason = f"not mounted, or new: `kluis backup` marks a place once; else make {MARK} in it"
        raise PlaceUnusableError(place=directory, reason=reason)


@asynccontextmanager
async def alone(path: Path) -> AsyncIterator[None]:
    """Hold the lock on this file, alone among processes and tasks."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        # Asked again and again rather than waited for: a thread that waits cannot be cancelled.
        while not _lock(descriptor):  # noqa: ASYNC110 - no event spans processes
            await asyncio.sleep(LOCK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(directory: Path) -> None:
    # The manifest first: half a generation never looks whole.
    (directory / "manifest.json").unlink()
    sync_directory(directory)
    shutil.rmtree(directory)
