"""Controller keys in a PKCS#11 token: a hardware module, or SoftHSM2.

What is on the token, all of it private to its user:

    label                   object   what
    kluis/root              AES-256  wraps the seeds below; whoever sees it is logged in
    kluis/signing           data     seeds of the signing keys; the highest serial counts
    kluis/controller/<id>   AES-256  the key of one controller; CKA_ID is its version
    kluis/controller/<id>   data     mark: the number of a version destroyed while the newest

Versions are eight bytes, big-endian. A wrapped key is nonce ‖ ciphertext ‖ tag (CKM_AES_GCM), with
the encoded Context as associated data.

PKCS#11 has no operation that compares and swaps, so two processes that create a version at once
may both make a key, and each may have used its own already. Hence a version is whatever keys bear
its number: one wraps, every one is tried to unwrap, all are destroyed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import pkcs11
from pkcs11 import Attribute
from pkcs11.exceptions import PKCS11Error

from keys.context import Context, Purpose
from keys.errors import (
    KeyringExistsError,
    KeyringFormatError,
    KeyringMissingError,
    ProviderRefusedError,
    UnknownKeyVersionError,
    UnknownSigningKeyError,
    UnsealError,
)
from keys.providers.cryptoki import WRAPPED_SIZE, Login, Token
from keys.secret import SecretKey
from keys.signing import LOG_BEFORE, SIGNING_KEYS, SigningKey

_SIGNING = "kluis/signing"
_SEEDS = (*SIGNING_KEYS, LOG_BEFORE)
_BATCH = 200
_NUMBER_SIZE = 8


@dataclass(frozen=True, slots=True)
class _Held:
    """What the token holds of one controller at one moment.

    Attributes:
        keys: By version, in the token's order.
        gone: The marks of destroyed versions, with the number each bears.
    """

    keys: Mapping[int, Sequence[pkcs11.SecretKey]]
    gone: Sequence[tuple[int, pkcs11.Object]]

    @property
    def newest(self) -> int:
        """The highest number ever used; no change to the token makes it less."""
        return max((0, *self.keys, *(number for number, _ in self.gone)))

    @property
    def lost(self) -> int:
        """The highest number that is destroyed for certain."""
        return max((0, *(number for number, _ in self.gone)))


class Pkcs11Hsm:
    """A KeyProvider on a token. Controller keys never leave it, and are marked so.

    Signing is done in this process, many times a second and without waiting, so the seeds do
    leave the token when `signing_key` is called: whoever has the PIN and the token can sign, and
    so can whoever reads this process's memory. The token keeps them as data that its
    non-extractable root key wraps: a copy of the data alone is worth nothing.

    A controller key wraps with random nonces of 96 bits. SP 800-38D allows 2^32 of them under one
    key; nobody counts here, because one a second takes 136 years.

    What destruction is worth is the token's word: C_DestroyObject. How durable a new key is when
    `create` returns, is its word too (SoftHSM2 does not flush to the disk).
    """

    name = "pkcs11"
    residual = (
        "Such copies are a back-up or a clone of the HSM's token (the vendor's back-up, a token"
        " that is not kept in step with this one, a copied directory of a software token), kept"
        " with the credentials that open it."
    )

    def __init__(self, module: Path, token: str, pin_file: Path) -> None:
        """Name the token; nothing is loaded or read before the first call.

        Args:
            module: The vendor's PKCS#11 library.
            token: The token's label.
            pin_file: Holds the user's PIN; read at each login, kept nowhere.
        """
        self._token = Token(module, token, pin_file)
        self._forgotten: set[tuple[str, int]] = set()

    async def set_up(self, signing: Mapping[str, SecretKey]) -> None:
        """Make the root key and keep the seeds of the signing keys; once more does no harm.

        Raises:
            KeyringExistsError: The token has other seeds, or another process keeps some just now.
            ProviderRefusedError: The token's AES-GCM does not bind associated data.
            ProviderUnavailableError: Or does not take a nonce of ours.
        """

        def keep(login: Login) -> None:
            if login.find(_SIGNING):
                if any(self._seed(login, name) != seed for name, seed in signing.items()):
                    raise KeyringExistsError(self._token.place)
                return
            root = login.roots[0]
            wrapped = [login.wrap(root, signing[name], _place(name)) for name in SIGNING_KEYS]
            _check_sealing(login, wrapped[0], _place(SIGNING_KEYS[0]))
            kept = login.keep(_SIGNING, b"".join(wrapped))
            if len(login.find(_SIGNING)) > 1:
                kept.destroy()
                raise KeyringExistsError(self._token.place)

        await self._token.run(keep, make_root=True)

    async def replace_signing(self, signing: Mapping[str, SecretKey]) -> None:
        """Keep these seeds from now on in place of those that were kept; durable, and whole."""

        def keep(login: Login) -> None:
            old = login.find(_SIGNING)
            serial = 1 + max((_serial(kept[Attribute.VALUE]) for kept in old), default=0)
            names = [name for name in _SEEDS if name in signing]
            wraps = [login.wrap(login.roots[0], signing[name], _place(name)) for name in names]
            login.keep(_SIGNING, b"".join(wraps) + _number(serial))
            # A crash here leaves both; the higher serial counts.
            for kept in old:
                kept.destroy()

        await self._token.run(keep)

    async def create(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""

        def make(login: Login) -> None:
            held = _held(login, controller_id)
            if version in held.keys:
                return
            if version <= held.newest:
                raise UnknownKeyVersionError(controller_id, version)
            key = login.generate(_label(controller_id), _number(version))
            # Another process may have made, used up and destroyed this number in the meantime.
            # Then ours stands alone, and nothing can have been wrapped under it that counts.
            now = _held(login, controller_id)
            overtaken = now.newest > version or now.lost == version
            if overtaken and len(now.keys.get(version, ())) == 1:
                key.destroy()
                raise UnknownKeyVersionError(controller_id, version)

        await self._token.run(make)

    async def wrap(self, version: int, secret: SecretKey, context: Context) -> bytes:
        """See KeyProvider."""

        def wrap(login: Login) -> bytes:
            # Found afresh: a handle from before could by now name another key.
            key = self._keys(login, context.controller_id, version)[0]
            return login.wrap(key, secret, context)

        return await self._token.run(wrap)

    async def unwrap(self, version: int, wrapped: bytes, context: Context) -> SecretKey:
        """See KeyProvider."""
        place = (context.controller_id, version)

        def unwrap(login: Login) -> SecretKey:
            known = () if place in self._forgotten else login.known.get(place, ())
            try:
                return login.unwrap(known, wrapped, context)
            except (UnsealError, PKCS11Error):
                # Not known here, destroyed, or wrapped under a twin that was made since.
                keys = self._keys(login, *place)
            secret = login.unwrap(keys, wrapped, context)
            login.known[place] = keys
            return secret

        return await self._token.run(unwrap)

    async def rewrap(
        self, old: int, new: int, items: Sequence[tuple[bytes, Context]]
    ) -> list[bytes]:
        """See KeyProvider. Between two batches the token serves others."""
        controllers = {context.controller_id for _, context in items}
        if len(controllers) > 1:
            raise ValueError("one controller to a batch")

        def move(login: Login, batch: Sequence[tuple[bytes, Context]]) -> list[bytes]:
            (controller_id,) = controllers
            source = self._keys(login, controller_id, old)
            target = self._keys(login, controller_id, new)[0]
            return [
                login.wrap(target, login.unwrap(source, wrapped, context), context)
                for wrapped, context in batch
            ]

        moved: list[bytes] = []
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            moved += await self._token.run(partial(move, batch=batch))
        return moved

    async def destroy(self, controller_id: str, version: int) -> None:
        """See KeyProvider; and the class on whose word that is."""

        def remove(login: Login) -> None:
            login.known.pop((controller_id, version), None)
            held = _held(login, controller_id)
            # The mark before the keys: a crash in between leaves keys, which the next call
            # destroys, and never a number that could be used again.
            if held.newest == version != held.lost:
                login.keep(_label(controller_id), _number(version))
            for key in held.keys.get(version, ()):
                key.destroy()
            left = _held(login, controller_id)
            if version in left.keys:
                raise PKCS11Error
            for number, mark in left.gone:
                if number < left.newest:
                    mark.destroy()

        await self._token.run(remove)

    async def forget(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""
        self._forgotten.add((controller_id, version))

    async def versions(self, controller_id: str) -> frozenset[int]:
        """See KeyProvider."""
        return await self._token.run(lambda login: frozenset(_held(login, controller_id).keys))

    async def newest(self, controller_id: str) -> int:
        """See KeyProvider."""
        return await self._token.run(lambda login: _held(login, controller_id).newest)

    async def keeper(self, controller_id: str, version: int) -> Self:  # noqa: ARG002
        """See KeyProvider."""
        return self

    async def signing_key(self, name: str) -> SigningKey:
        """See KeyProvider.

        Raises:
            KeyringMissingError: `set_up` was not run on this token.
            KeyringFormatError: Its seeds do not open, or are two sets.
            UnknownSigningKeyError: Another name.
        """
        if name not in _SEEDS:
            raise UnknownSigningKeyError(name)
        return SigningKey(name, await self._token.run(lambda login: self._seed(login, name)))

    async def edition(self) -> str:
        """See KeyProvider: the root key is the store's own business."""
        return self.name

    async def check(self) -> None:
        """See KeyProvider."""
        await self._token.run(Login.prove)

    async def close(self) -> None:
        """See KeyProvider."""
        await self._token.close()

    def _keys(self, login: Login, controller_id: str, version: int) -> Sequence[pkcs11.SecretKey]:
        if (controller_id, version) not in self._forgotten:
            keys = _held(login, controller_id).keys.get(version)
            if keys:
                return keys
        raise UnknownKeyVersionError(controller_id, version)

    def _seed(self, login: Login, name: str) -> SecretKey:
        kept = login.find(_SIGNING)
        if not kept:
            raise KeyringMissingError(self._token.place)
        sets = sorted((one[Attribute.VALUE] for one in kept), key=_serial)
        if len(sets) > 1 and _serial(sets[-1]) == _serial(sets[-2]):
            raise KeyringFormatError(f"{self._token.place} holds several sets of signing keys")
        start = _SEEDS.index(name) * WRAPPED_SIZE
        wrapped = sets[-1][start : start + WRAPPED_SIZE]
        if len(wrapped) < WRAPPED_SIZE and name == LOG_BEFORE:
            raise UnknownSigningKeyError(name)
        try:
            return login.unwrap(login.roots, wrapped, _place(name))
        except UnsealError:
            raise KeyringFormatError(
                f"the signing keys of {self._token.place} do not open"
            ) from None


def _held(login: Login, controller_id: str) -> _Held:
    keys: dict[int, list[pkcs11.SecretKey]] = {}
    gone: list[tuple[int, pkcs11.Object]] = []
    for found in login.find(_label(controller_id)):
        if isinstance(found, pkcs11.SecretKey):
            keys.setdefault(int.from_bytes(found[Attribute.ID]), []).append(found)
        else:
            gone.append((int.from_bytes(found[Attribute.VALUE]), found))
    return _Held(keys, gone)


def _serial(kept: bytes) -> int:
    """Which set of seeds is newer: 0 as it was set up; then eight bytes behind the wraps."""
    return int.from_bytes(kept[len(kept) - len(kept) % WRAPPED_SIZE :])


def _label(controller_id: str) -> str:
    return f"kluis/controller/{controller_id}"


def _number(version: int) -> bytes:
    return version.to_bytes(_NUMBER_SIZE)


def _place(name: str) -> Context:
    return Context(Purpose.KEYRING, "", "", name)


def _check_sealing(login: Login, wrapped: bytes, context: Context) -> None:
    # Some tokens insist on a nonce of their own; with those this fails.
    login.unwrap(login.roots, wrapped, context)
    try:
        login.unwrap(login.roots, wrapped, _place("elsewhere"))
    except UnsealError:
        return
    raise ProviderRefusedError("associated data is not bound", "use another make of token")
