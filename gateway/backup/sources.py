"""Reading back-ups: everything is opened, compared and judged before anything is written.

In this order: the keys of the provider, for they say whose signature counts; the newest keystore
and every ledger of erasures; the manifest; the data; the list of blobs and each blob; the newest
checkpoint that any place, or whoever restores, knows of.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.backup.errors import (
    BackupDamagedError,
    BackupForeignError,
    BackupMissingError,
    KeysTooOldError,
    KeystoreBehindError,
    KeystoreTooOldError,
    LogContradictsError,
)
from gateway.backup.parts import hash_of, read_part
from gateway.backup.place import KEYS, BlobEntry, Generation, Part, Place
from keys.errors import KeyringFormatError, SignatureError, UnsealError
from keys.providers.keyfile import Contents
from keys.providers.local import BACKED_UP
from keys.recovery import RecoveryKey
from keys.signing import SigningKey, Verifier, Verifiers
from storage.accesslog.checkpoint import Checkpoint
from storage.accesslog.tree import verify_consistency
from storage.blobs import Area
from storage.dump import decoded, tables
from storage.errors import LogInconsistentError
from storage.schema import EPOCH


@dataclass(frozen=True, slots=True)
class Sources:
    """What somebody who restores has.

    Attributes:
        places: Directories of back-ups; the newest of each kind is taken.
        keys: Directories of the keys' back-up.
        recovery: From the words.
        generation: The one that is wanted; None: the newest.
        checkpoint: A signed checkpoint of the log that was kept elsewhere.
        signers: Keys of certificates from before the present one.
    """

    places: Sequence[Place]
    keys: Sequence[Path]
    recovery: RecoveryKey
    generation: str | None = None
    checkpoint: str | None = None
    signers: Sequence[Verifier] = ()


Versions = Callable[[str], Awaitable[frozenset[int]]]
"""Which versions of a practice's key the provider holds."""


@dataclass(frozen=True, slots=True)
class House:
    """Whose back-up it is: the keys that sign, and which versions of controller keys there are.

    `contents` is None where a server or an HSM keeps the keys.
    """

    certificate: SigningKey
    log: SigningKey
    versions: Versions
    contents: Contents | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint that is known, where, since when, and what proves that older trees begin it."""

    place: str
    checkpoint: Checkpoint
    at: datetime | None
    proofs: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Keystore:
    """The newest back-up of the keystore, and what all of them know.

    `current` gives each practice's current version; `ledger` is the rows of every ledger by case.
    """

    path: Path
    at: datetime
    current: Mapping[str, int]
    ledger: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Found:
    """A back-up that was read whole and is what the house wrote."""

    place: Place
    generation: Generation
    keystore: Keystore
    house: House
    recovery: RecoveryKey = field(repr=False)
    signers: Verifiers
    log_keys: Verifiers
    head: Head | None
    proven: bool
    missing_blobs: frozenset[str]

    def data(self) -> AsyncIterator[bytes]:
        """The lines of the main database's dump."""
        path = self.generation.path(self.generation.manifest.data)
        return read_part(path, f"data/{self.generation.id}", self.recovery, self.signers)

    def keys(self) -> AsyncIterator[bytes]:
        """The lines of the keystore's dump."""
        return read_part(self.keystore.path, "keystore", self.recovery, self.signers)

    @property
    def missing_entries(self) -> int:
        """Entries that the log is known to have had behind this back-up."""
        size = self.generation.manifest.log.size
        return max(0, self.head.checkpoint.size - size) if self.head else 0


def newest_keys(sources: Sources) -> Contents:
    """The newest keys of the provider.

    Raises:
        BackupMissingError: None lie anywhere.
        BackupDamagedError: They do not open with these words.
    """
    found = []
    for directory in sources.keys:
        path = directory / KEYS
        if not path.exists():
            raise BackupMissingError(part=KEYS, place=directory)
        try:
            found.append(Contents.decode(sources.recovery.open(path.read_bytes(), BACKED_UP)))
        except (UnsealError, KeyringFormatError):
            raise BackupDamagedError(part=path) from None
    if not found:
        raise BackupMissingError(part=KEYS, place="--keys")
    return max(found, key=lambda contents: contents.generation)


async def examine(
    sources: Sources,
    house: House,
    advanced: Callable[[int], None],
    *,
    accept_losses: bool = False,
) -> Found:
    """Read and check everything that a restore will need; nothing is written.

    Args:
        sources: Where to look.
        house: Whose signature counts.
        advanced: Told how many bytes of blobs were read since it was last told.
        accept_losses: Go on without blobs that are not there or not as they were, and without
            practices whose keys have moved on from this keystore; else both are refused.

    Raises:
        BackupMissingError, BackupDamagedError, BackupForeignError: The part is named.
        KeysTooOldError: The provider's keys are older than the keystore.
        KeystoreTooOldError: It is the other way round.
        KeystoreBehindError: The keystore is older than the data.
        LogContradictsError: The log is not the one whose checkpoint is known.
    """
    signers = _signers(sources, house)
    keystore = await _newest_keystore(sources, signers)
    await _check_versions(keystore, house, accept_losses=accept_losses)
    place, generation = _newest_generation(sources)
    generation.check(signers)
    if keystore.at < generation.at and not accept_losses:
        # It knows nothing of what came since: living cases would be taken for erased ones.
        raise KeystoreBehindError(place=keystore.path.parent)
    for part in (generation.manifest.data, generation.manifest.blobs):
        await _check_part(generation, part)
    missing = await _check_blobs(place, generation, advanced)
    if missing and not accept_losses:
        blob_id = min(missing)
        raise BackupDamagedError(part=place.root / "blobs" / Area.VAULT / blob_id[-2:] / blob_id)
    log_keys = _log_keys(generation, house)
    head = _newest_head(sources, log_keys)
    found = Found(
        place=place,
        generation=generation,
        keystore=keystore,
        house=house,
        recovery=sources.recovery,
        signers=signers,
        log_keys=log_keys,
        head=head,
        proven=_is_proven(generation, head),
        missing_blobs=missing,
    )
    async for _ in found.data():
        pass
    return found


def _signers(sources: Sources, house: House) -> Verifiers:
    """The house's own key; then those from before it, as a manifest that it signed lists them."""
    own = Verifier.parse(house.certificate.verifier)
    known = Verifiers((own, *sources.signers))
    for place in sources.places:
        for generation in place.whole():
            with suppress(BackupForeignError):
                generation.check(known)
                listed = Verifiers.parse(generation.manifest.public["certificate.pub"])
                known = Verifiers((*known.keys, *listed.keys))
    return known


def _newest_generation(sources: Sources) -> tuple[Place, Generation]:
    found: list[tuple[Place, Generation]] = []
    missing: BackupMissingError | None = None
    for place in sources.places:
        try:
            found.append((place, place.newest(sources.generation)))
        except BackupMissingError as error:
            missing = error
    if not found:
        raise missing or BackupMissingError(part="whole generation", place="--from")
    return max(found, key=lambda pair: pair[1].id)


async def _newest_keystore(sources: Sources, signers: Verifiers) -> Keystore:
    found: list[Keystore] = []
    for place in sources.places:
        if not place.keystore.exists():
            raise BackupMissingError(part=place.keystore.name, place=place.root)
        lines = read_part(place.keystore, "keystore", sources.recovery, signers)
        found.append(await _read_keystore(place.keystore, lines))
    ledger = {case_id: row for each in found for case_id, row in each.ledger.items()}
    newest = max(found, key=lambda each: each.at)
    return Keystore(newest.path, newest.at, newest.current, ledger)


async def _read_keystore(path: Path, lines: AsyncIterator[bytes]) -> Keystore:
    known = {table.name: table for table in tables("keystore")}
    current: dict[str, int] = {}
    ledger: dict[str, Mapping[str, Any]] = {}
    try:
        at = EPOCH + timedelta(microseconds=json.loads(await anext(lines))["at"])
        table, columns = "", []
        async for line in lines:
            said = json.loads(line)
            if isinstance(said, dict):
                table, columns = said.get("table", ""), said.get("columns", [])
            elif table == "erasure_ledger":
                row = decoded(known[table], columns, said)
                ledger[f"{row['controller_id']}/{row.get('case_id')}"] = row
            elif table == "controller_versions":
                row = decoded(known[table], columns, said)
                if row["state"] == "current":
                    current[row["controller_id"]] = row["version"]
    except (ValueError, LookupError, TypeError, OverflowError, StopAsyncIteration):
        raise BackupDamagedError(part=path) from None
    return Keystore(path, at, current, ledger)


async def _check_versions(keystore: Keystore, house: House, *, accept_losses: bool) -> None:
    """Refuse keys and a keystore of two times, where one has moved on without the other.

    A restore takes a version that is gone for one that was destroyed: with keys that are too old
    that would be everything.
    """
    for controller_id, version in keystore.current.items():
        held = await house.versions(controller_id)
        newest = house.contents.of(controller_id).newest if house.contents else max(held, default=0)
        if newest < version and (held or house.contents):
            raise KeysTooOldError
        if held and version not in held and not accept_losses:
            raise KeystoreTooOldError(place=keystore.path.parent, controller=controller_id)


async def _check_part(generation: Generation, part: Part) -> None:
    path = generation.path(part)
    try:
        found = await asyncio.to_thread(hash_of, path)
    except OSError:
        raise BackupDamagedError(part=path) from None
    if (found.size, found.sha256.hex()) != (part.size, part.sha256):
        raise BackupDamagedError(part=path)


async def _check_blobs(
    place: Place, generation: Generation, advanced: Callable[[int], None]
) -> frozenset[str]:
    bad = set()
    for blob in generation.blobs():
        if not await asyncio.to_thread(_is_whole, place, blob):
            bad.add(blob.blob_id)
        advanced(blob.size)
    return frozenset(bad)


def _is_whole(place: Place, blob: BlobEntry) -> bool:
    path = place.root / "blobs" / Area.VAULT / blob.blob_id[-2:] / blob.blob_id
    try:
        found = hash_of(path)
    except OSError:
        return False
    return (found.size, found.sha256.hex()) == (blob.size, blob.sha256)


def _log_keys(generation: Generation, house: House) -> Verifiers:
    """The log's own key first, as the keyring has it; then those that log.pub listed."""
    manifest = generation.manifest
    own = Verifier.parse(SigningKey(manifest.log.origin, house.log.seed).verifier)
    listed = Verifiers.parse(manifest.public["log.pub"]).keys
    return Verifiers((own, *(key for key in listed if key != own and key.name == own.name)))


def _newest_head(sources: Sources, log_keys: Verifiers) -> Head | None:
    found = [head for place in sources.places for head in _head_at(place, log_keys)]
    if sources.checkpoint is not None:
        checkpoint = _opened(sources.checkpoint, log_keys, "--checkpoint")
        found.append(Head("--checkpoint", checkpoint, None, {}))
    return max(found, key=lambda head: head.checkpoint.size, default=None)


def _head_at(place: Place, log_keys: Verifiers) -> Iterator[Head]:
    if place.head.exists():
        try:
            said = json.loads(place.head.read_bytes())
            at = datetime.fromisoformat(said["at"])
            checkpoint = _opened(said["checkpoint"], log_keys, str(place.head))
            yield Head(str(place.root), checkpoint, at, said["proofs"])
        except (ValueError, LookupError, TypeError):
            raise BackupDamagedError(part=place.head) from None


def _opened(note: str, log_keys: Verifiers, where: str) -> Checkpoint:
    try:
        return Checkpoint.parse(log_keys.open_note(note))
    except (SignatureError, LogInconsistentError):
        raise BackupDamagedError(part=where) from None


def _is_proven(generation: Generation, head: Head | None) -> bool:
    """Whether the head's tree is shown to begin with that of the back-up; a shorter one later."""
    log = generation.manifest.log
    if head is None or head.checkpoint.size < log.size:
        return head is not None
    if head.checkpoint.size == log.size:
        proof: Sequence[str] | None = []
    else:
        proof = head.proofs.get(str(log.size))
    if proof is None:
        return log.size == 0
    nodes, root = [bytes.fromhex(node) for node in proof], bytes.fromhex(log.root)
    if not verify_consistency(log.size, head.checkpoint.size, nodes, root, head.checkpoint.root):
        raise LogContradictsError(place=head.place)
    return True
