"""Controller keys in one local file, unlocked at start by a passphrase.

Several processes share the file. Who changes it does so under an exclusive lock on
`<path>.lock`, from what the file holds at that moment; who reads it holds the lock shared.
The file is replaced whole (keys.providers.wholefile), so a crash leaves the old or the new one.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from keys import envelope
from keys.context import Context, Purpose
from keys.errors import (
    KeyringExistsError,
    KeyringFormatError,
    KeyringMissingError,
    UnknownKeyVersionError,
    UnknownSigningKeyError,
)
from keys.providers.keyfile import (
    SALT_SIZE,
    Contents,
    Keyfile,
    ScryptCost,
    Versions,
    hand_over,
    lock_up,
)
from keys.providers.wholefile import locked, remove_leftover, replace_whole, sync
from keys.recovery import RecoveryPublicKey
from keys.secret import SecretKey
from keys.signing import SIGNING_KEYS, SigningKey

BACKED_UP = Context(Purpose.BACKUP, "", object_id="keys")
"""The place of a keyring's contents, sealed to the recovery key."""


class LocalKeyring:
    """A KeyProvider in a file. Its methods block in threads, never on the event loop.

    What destruction is worth here: the key is gone from the file, and the blocks of the old
    file are overwritten before they are let go. A drive or file system that writes elsewhere
    instead of in place (SSD, copy-on-write, journalled data, snapshots) may keep them; then the
    old bytes open with the passphrase, like any copy of the file taken earlier. The same holds
    when the process is killed between the rename and the overwriting.
    """

    name = "local"
    residual = (
        "Such copies are a copied keyring file with its passphrase, and what the file system keeps"
        " of the file after it was overwritten and replaced (flash wear-levelling, copy-on-write,"
        " snapshots of the disk)."
    )

    def __init__(self, path: Path, root: SecretKey) -> None:
        self._path = path
        self._root = root
        self._salt = b""
        self._generation = 0
        self._keys: dict[tuple[str, int], SecretKey] = {}
        self._forgotten: set[tuple[str, int]] = set()
        self._memory = threading.Lock()

    @classmethod
    def init(cls, path: Path, passphrase: str, cost: ScryptCost | None = None) -> Self:
        """Make a keyring with fresh signing keys and no controllers; blocks for half a second.

        `cost` is for tests. The directory must exist.

        Raises:
            KeyringExistsError: There is one.
            PassphraseError: The passphrase is empty.
        """
        contents = Contents(1, {}, {name: SecretKey.generate() for name in SIGNING_KEYS})
        return cls.restore(path, passphrase, contents, cost)

    @classmethod
    def restore(
        cls, path: Path, passphrase: str, contents: Contents, cost: ScryptCost | None = None
    ) -> Self:
        """Make a keyring of what a back-up held, under a fresh root key; see `init`."""
        keyring = cls(path, SecretKey.generate())
        keyring._make(contents, passphrase, cost or ScryptCost())
        return keyring

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Unlock the keyring; blocks for half a second.

        Raises:
            KeyringMissingError: There is none.
            KeyringFormatError: It is damaged, or of another format.
            PassphraseError: Wrong passphrase.
        """
        if not path.exists():
            raise KeyringMissingError(path)
        with locked(path):
            remove_leftover(path)
            keyfile = _parse(path)
        keyring = cls(path, keyfile.unlock(passphrase))
        keyring._reload()
        return keyring

    async def renew_root(self, passphrase: str) -> None:
        """Make a new root key, unlocked by this passphrase: the one until now, or another.

        Who holds the root key from before (a process that runs, a thief) finds the new one in the
        file until `forget_root`. Once more before that, it only sets the passphrase.

        Raises:
            PassphraseError: The passphrase is empty.
        """
        await asyncio.to_thread(self._renew_root, passphrase)

    async def forget_root(self) -> None:
        """From here on the root key from before opens nothing of the file; idempotent."""
        await asyncio.to_thread(self._forget_root)

    async def edition(self) -> str:
        """See KeyProvider."""
        if (await asyncio.to_thread(_parse, self._path)).salt != self._salt:
            await asyncio.to_thread(self._reload)
        return f"{self.name}/{self._salt.hex()[:8]}"

    async def create(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""

        def add(versions: Versions) -> Versions:
            if version in versions.keys:
                return versions
            if version <= versions.newest:
                raise UnknownKeyVersionError(controller_id, version)
            return Versions(version, {**versions.keys, version: SecretKey.generate()})

        await asyncio.to_thread(self._change, controller_id, add)

    async def wrap(self, version: int, secret: SecretKey, context: Context) -> bytes:
        """See KeyProvider."""
        key = await self._key(context.controller_id, version)
        return envelope.wrap(key, secret, context)

    async def unwrap(self, version: int, wrapped: bytes, context: Context) -> SecretKey:
        """See KeyProvider."""
        key = await self._key(context.controller_id, version)
        return envelope.unwrap(key, wrapped, context)

    async def rewrap(
        self, old: int, new: int, items: Sequence[tuple[bytes, Context]]
    ) -> list[bytes]:
        """See KeyProvider."""
        if not items:
            return []
        controller_id, *others = {context.controller_id for _, context in items}
        if others:
            raise ValueError("one controller to a batch")
        source = await self._key(controller_id, old)
        target = await self._key(controller_id, new)

        def move() -> list[bytes]:
            return [
                envelope.wrap(target, envelope.unwrap(source, wrapped, context), context)
                for wrapped, context in items
            ]

        return await asyncio.to_thread(move)

    async def destroy(self, controller_id: str, version: int) -> None:
        """See KeyProvider; and the class on what a disk may keep."""

        def remove(versions: Versions) -> Versions:
            if version not in versions.keys:
                return versions
            rest = {number: key for number, key in versions.keys.items() if number != version}
            return replace(versions, keys=rest)

        await asyncio.to_thread(self._change, controller_id, remove)

    async def forget(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""
        with self._memory:
            self._forgotten.add((controller_id, version))
            self._keys.pop((controller_id, version), None)

    async def versions(self, controller_id: str) -> frozenset[int]:
        """See KeyProvider."""
        contents = await asyncio.to_thread(self._reload)
        return frozenset(contents.of(controller_id).keys)

    async def newest(self, controller_id: str) -> int:
        """See KeyProvider."""
        return (await asyncio.to_thread(self._reload)).of(controller_id).newest

    async def keeper(self, controller_id: str, version: int) -> Self:  # noqa: ARG002
        """See KeyProvider."""
        return self

    async def set_up(self, signing: Mapping[str, SecretKey]) -> None:
        """Keep signing keys that were made elsewhere; once more does no harm.

        Raises:
            KeyringExistsError: There are others.
        """
        kept = (await asyncio.to_thread(self._reload)).signing
        if kept and kept != signing:
            raise KeyringExistsError(self._path)
        await self.replace_signing(signing)

    async def replace_signing(self, signing: Mapping[str, SecretKey]) -> None:
        """Keep these seeds from now on in place of those that were kept; durable, and whole."""
        await asyncio.to_thread(self._replace_signing, signing)

    async def signing_key(self, name: str) -> SigningKey:
        """See KeyProvider."""
        # Anew: another process may have replaced it.
        signing = (await asyncio.to_thread(self._reload)).signing
        if name in signing:
            return SigningKey(name, signing[name])
        if name in SIGNING_KEYS:
            raise KeyringMissingError(self._path)
        raise UnknownSigningKeyError(name)

    async def check(self) -> None:
        """See KeyProvider."""
        await asyncio.to_thread(self._reload)

    async def close(self) -> None:
        """See KeyProvider."""
        with self._memory:
            self._keys.clear()

    async def sealed_contents(self, recovery: RecoveryPublicKey) -> bytes:
        """Return everything secret as the file holds it now, sealed for its back-up."""
        return await asyncio.to_thread(self._sealed_contents, recovery)

    def _sealed_contents(self, recovery: RecoveryPublicKey) -> bytes:
        return recovery.seal(self._reload().encode(), BACKED_UP)

    def _make(self, contents: Contents, passphrase: str, cost: ScryptCost) -> None:
        keyfile = lock_up(self._root, contents, passphrase, os.urandom(SALT_SIZE), cost)
        with locked(self._path):
            if self._path.exists():
                raise KeyringExistsError(self._path)
            replace_whole(self._path, keyfile.encode())
            self._adopt(keyfile, contents)

    async def _key(self, controller_id: str, version: int) -> SecretKey:
        place = (controller_id, version)
        if place not in self._keys and place not in self._forgotten:
            # Another process may have created it since.
            await asyncio.to_thread(self._reload)
        key = self._keys.get(place)
        if key is None:
            raise UnknownKeyVersionError(controller_id, version)
        return key

    def _change(self, controller_id: str, change: Callable[[Versions], Versions]) -> None:
        with locked(self._path):
            keyfile, contents = self._read()
            before = contents.of(controller_id)
            after = change(before)
            if after is before:
                # Whoever wrote it may have been killed before it was durable.
                sync(self._path)
            else:
                contents = contents.following(controller_id, after)
                keyfile = replace(keyfile, sealed=contents.seal(self._root))
                replace_whole(self._path, keyfile.encode())
            self._adopt(keyfile, contents)

    def _replace_signing(self, signing: Mapping[str, SecretKey]) -> None:
        with locked(self._path):
            keyfile, contents = self._read()
            contents = replace(contents, generation=contents.generation + 1, signing=signing)
            keyfile = replace(keyfile, sealed=contents.seal(self._root))
            replace_whole(self._path, keyfile.encode())
            self._adopt(keyfile, contents)

    def _renew_root(self, passphrase: str) -> None:
        with locked(self._path):
            before, contents = self._read()
            root, succession = self._root, before.succession
            if not succession:
                root = SecretKey.generate()
                succession = hand_over(self._root, root)
            contents = replace(contents, generation=contents.generation + 1)
            keyfile = lock_up(root, contents, passphrase, os.urandom(SALT_SIZE), before.cost)
            keyfile = replace(keyfile, succession=succession)
            replace_whole(self._path, keyfile.encode())
            self._root = root
            self._adopt(keyfile, contents)

    def _forget_root(self) -> None:
        with locked(self._path):
            keyfile, contents = self._read()
            if keyfile.succession:
                contents = replace(contents, generation=contents.generation + 1)
                sealed = contents.seal(self._root)
                keyfile = replace(keyfile, sealed=sealed, succession=b"")
                replace_whole(self._path, keyfile.encode())
            else:
                sync(self._path)
            self._adopt(keyfile, contents)

    def _reload(self) -> Contents:
        with locked(self._path, shared=True):
            keyfile, contents = self._read()
            self._adopt(keyfile, contents)
        return contents

    def _read(self) -> tuple[Keyfile, Contents]:
        keyfile = _parse(self._path)
        try:
            contents = Contents.unseal(self._root, keyfile.sealed)
        except KeyringFormatError:
            # Another process may have replaced the root key since.
            root = keyfile.follow(self._root)
            contents = Contents.unseal(root, keyfile.sealed)
            self._root = root
        if contents.generation < self._generation:
            # An older file put back would bring destroyed keys back to life.
            raise KeyringFormatError("the file is older than what was read from it before")
        return keyfile, contents

    def _adopt(self, keyfile: Keyfile, contents: Contents) -> None:
        # Under the file's lock, so memory never goes back to an older generation.
        with self._memory:
            self._salt = keyfile.salt
            self._generation = contents.generation
            self._keys = {
                (controller_id, version): key
                for controller_id, versions in contents.controllers.items()
                for version, key in versions.keys.items()
                if (controller_id, version) not in self._forgotten
            }


def _parse(path: Path) -> Keyfile:
    try:
        return Keyfile.parse(path.read_bytes())
    except FileNotFoundError:
        raise KeyringMissingError(path) from None
