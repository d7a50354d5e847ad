"""The bytes of a local keyring: what is in it, and how a passphrase locks it.

    {"format": 1,
     "kdf":    {"name": "scrypt", "n": 131072, "r": 8, "p": 1, "salt": base64},
     "root":   base64(root key, wrapped under scrypt(passphrase)),
     "sealed": base64(contents as JSON, sealed under the root key),
     "succession": base64(root key, wrapped under the one before it)}

The last is there while a process may still hold the root key from before.

The contents hold a generation, every controller's keys and the seeds of the signing keys.
Only these two forms exist: locked bytes, and secrets in memory.
"""

import base64
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys import envelope, stream
from keys.context import Context, Purpose
from keys.errors import KeyringFormatError, PassphraseError, UnsealError
from keys.secret import KEY_SIZE, SecretKey

_FORMAT = 1
SALT_SIZE = 32
_ROOT = Context(Purpose.ROOT_KEY, "")
_SUCCESSION = Context(Purpose.ROOT_KEY, "", "", "succession")
_CONTENTS = Context(Purpose.KEYRING, "")
# What a file may ask of us before the passphrase is checked: 1 GiB, some ten seconds.
_MAX_MEMORY = 1 << 30
_MAX_R = 32
_MAX_P = 4


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """Cost of the passphrase (RFC 7914): 128 MiB and about half a second unless told otherwise."""

    n: int = 1 << 17
    r: int = 8
    p: int = 1

    def __post_init__(self) -> None:
        power_of_two = self.n > 1 and not self.n & (self.n - 1)
        fits = (
            0 < self.r <= _MAX_R and 0 < self.p <= _MAX_P and 128 * self.n * self.r <= _MAX_MEMORY
        )
        if not (power_of_two and fits):
            raise KeyringFormatError("cost of the passphrase out of bounds")


@dataclass(frozen=True, slots=True)
class Versions:
    """The keys of one controller. `newest` outlives the keys, so no number comes twice."""

    newest: int
    keys: Mapping[int, SecretKey]


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything secret in the keyring. Each change is a new generation."""

    generation: int
    controllers: Mapping[str, Versions]
    signing: Mapping[str, SecretKey]

    def of(self, controller_id: str) -> Versions:
        """Return the keys of a controller; none, if there never were any."""
        return self.controllers.get(controller_id, Versions(0, {}))

    def following(self, controller_id: str, versions: Versions) -> Self:
        """Return the next generation, with this controller's keys replaced."""
        controllers = {**self.controllers, controller_id: versions}
        return replace(self, generation=self.generation + 1, controllers=controllers)

    def seal(self, root: SecretKey) -> bytes:
        """Return the contents sealed under the root key."""
        return stream.seal_bytes(root, self.encode(), _CONTENTS)

    @classmethod
    def unseal(cls, root: SecretKey, sealed: bytes) -> Self:
        """Open what `seal` made.

        Raises:
            KeyringFormatError: It does not open, or is not what it should be.
        """
        try:
            return cls.decode(stream.unseal_bytes(root, sealed, _CONTENTS))
        except UnsealError:
            raise KeyringFormatError("its contents do not open") from None

    def encode(self) -> bytes:
        """Return the contents in plain, to be sealed at once."""
        document = {
            "generation": self.generation,
            "controllers": {
                controller_id: {"newest": versions.newest, "keys": _written(versions.keys)}
                for controller_id, versions in self.controllers.items()
            },
            "signing": _written(self.signing),
        }
        return json.dumps(document).encode()

    @classmethod
    def decode(cls, plain: bytes) -> Self:
        """Read what `encode` wrote.

        Raises:
            KeyringFormatError: It is not what it should be.
        """
        try:
            document = json.loads(plain)
            controllers = {
                controller_id: Versions(
                    _number(entry["newest"]),
                    {int(version): _key(text) for version, text in entry["keys"].items()},
                )
                for controller_id, entry in document["controllers"].items()
            }
            signing = {name: _key(text) for name, text in document["signing"].items()}
            return cls(_number(document["generation"]), controllers, signing)
        except (ValueError, KeyError, TypeError, AttributeError):
            # The cause could quote the document, and that is keys.
            raise KeyringFormatError("its contents are not understood") from None


@dataclass(frozen=True, slots=True)
class Keyfile:
    """The file as it lies on the disk."""

    cost: ScryptCost
    salt: bytes
    root: bytes
    """The root key, wrapped under the passphrase's key."""
    sealed: bytes
    """The contents, sealed under the root key."""
    succession: bytes = b""
    """The root key, wrapped under the one before it; empty where nobody needs that any more."""

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read the file.

        Raises:
            KeyringFormatError: Not a keyring, another format, or an absurd cost.
        """
        try:
            document = json.loads(raw)
            kdf = document["kdf"]
            if document["format"] != _FORMAT or kdf["name"] != "scrypt":
                raise KeyringFormatError("another format, of another version of Kluis?")
            cost = ScryptCost(_number(kdf["n"]), _number(kdf["r"]), _number(kdf["p"]))
            root, sealed = _bytes(document["root"]), _bytes(document["sealed"])
            succession = _bytes(document.get("succession", ""))
            return cls(cost, _bytes(kdf["salt"]), root, sealed, succession)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise KeyringFormatError("not a keyring") from None

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        cost = self.cost
        kdf = {"name": "scrypt", "n": cost.n, "r": cost.r, "p": cost.p, "salt": _text(self.salt)}
        document = {
            "format": _FORMAT,
            "kdf": kdf,
            "root": _text(self.root),
            "sealed": _text(self.sealed),
        }
        if self.succession:
            document["succession"] = _text(self.succession)
        return json.dumps(document, indent=1).encode() + b"\n"

    def unlock(self, passphrase: str) -> SecretKey:
        """Return the root key; takes the time and memory of the cost.

        Raises:
            PassphraseError: Wrong passphrase; or cost, salt or root key were altered.
        """
        try:
            return envelope.unwrap(_stretch(passphrase, self.salt, self.cost), self.root, _ROOT)
        except UnsealError:
            raise PassphraseError("the passphrase does not open this keyring") from None

    def follow(self, before: SecretKey) -> SecretKey:
        """Return the root key, to whoever holds the one before it.

        Raises:
            KeyringFormatError: There is no way from that one.
        """
        try:
            return envelope.unwrap(before, self.succession, _SUCCESSION)
        except UnsealError:
            raise KeyringFormatError("its contents do not open") from None


def lock_up(
    root: SecretKey, contents: Contents, passphrase: str, salt: bytes, cost: ScryptCost
) -> Keyfile:
    """Return a new keyring; takes the time and memory of the cost.

    Raises:
        PassphraseError: There is none.
    """
    wrapped = envelope.wrap(_stretch(passphrase, salt, cost), root, _ROOT)
    return Keyfile(cost, salt, wrapped, contents.seal(root))


def hand_over(before: SecretKey, root: SecretKey) -> bytes:
    """Return the `succession` by which whoever holds the root key `before` finds `root`."""
    return envelope.wrap(before, root, _SUCCESSION)


def _stretch(passphrase: str, salt: bytes, cost: ScryptCost) -> SecretKey:
    if not passphrase:
        raise PassphraseError("the passphrase is empty")
    # NFC: the same letters typed on another keyboard give the same bytes.
    typed = unicodedata.normalize("NFC", passphrase).encode()
    return SecretKey(Scrypt(salt, KEY_SIZE, cost.n, cost.r, cost.p).derive(typed))


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a number")
    return value


def _written(keys: Mapping[Any, SecretKey]) -> dict[str, str]:
    return {str(name): _text(key.reveal()) for name, key in keys.items()}


def _key(text: str) -> SecretKey:
    return SecretKey(_bytes(text))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
