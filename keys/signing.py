"""Ed25519 signatures on log checkpoints and erasure certificates, as C2SP signed notes.

A note is text that ends in a newline, a blank line, and signature lines
"— <name> <base64(key id ‖ signature)>". The signature covers the text with its last newline.
A key id is the first four bytes of SHA-256(name ‖ 0x0a ‖ type ‖ public key). A verifier key
is "<name>+<key id in hex>+<base64(type ‖ public key)>". (c2sp.org/signed-note)

Type 0x01 signs the text itself. Type 0x04 is a witness's cosignature: eight bytes of time, then a
signature over "cosignature/v1", "time <seconds>" and the text. (c2sp.org/tlog-cosignature)
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keys.errors import SignatureError
from keys.secret import SecretKey

SIGNING_KEYS = ("log", "certificate")
"""What a provider keeps the seeds of, always."""

LOG_BEFORE = "log-before"
"""The log's key until it was replaced, for as long as checkpoints bear both signatures."""

_Result = TypeVar("_Result")

_ED25519 = b"\x01"
_COSIGNATURE = b"\x04"
_DASH = "\N{EM DASH} "
_KEY_ID_SIZE = 4
_TIME_SIZE = 8
_MAX_TIME = 2**63 - 1  # tlog-cosignature: a time in seconds does not exceed it
_MAX_SIGNATURES = 100  # what the reference implementation reads; a checkpoint has a handful


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A named key that signs; anyone with its verifier key can check."""

    name: str
    seed: SecretKey = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def verifier(self) -> str:
        """The verifier key, to be published."""
        return _vkey(self.name, _ED25519, _public(self.seed))

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of signature."""
        return _private(self.seed).sign(message)

    def sign_note(self, text: str) -> str:
        """Return the signed note; text that a note cannot carry is a ValueError."""
        return f"{text}\n{self.sign_line(text)}"

    def sign_line(self, text: str) -> str:
        """Return the signature line of a note, with its newline; see `sign_note`."""
        if not _is_text(text):
            raise ValueError(
                "the text of a note ends in a newline and has no other control character"
            )
        key_id = _key_id(self.name, _ED25519, _public(self.seed))
        return _line(self.name, key_id + self.sign(text.encode()))


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a signing key."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a verifier key.

        Raises:
            SignatureError: Not one, of another type, or its key id is not that of its key.
        """
        return cls(*_parse(vkey, _ED25519))

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if the signature is of this key over exactly this message.

        Raises:
            SignatureError: It is not.
        """
        _verify(self.name, self.public, message, signature)

    def open_note(self, note: str) -> str:
        """Return the text of a note that this key signed; lines of other keys are ignored.

        Raises:
            SignatureError: Not a note, not signed by this key, or its signature is wrong.
        """
        return self._opened(note)[0]

    def own_part(self, note: str) -> str:
        """Return the note with the signature of this key alone; raises as `open_note` does."""
        text, raw = self._opened(note)
        return f"{text}\n{_line(self.name, raw)}"

    def _opened(self, note: str) -> tuple[str, bytes]:
        text, mine = _signed(note, self.name, _key_id(self.name, _ED25519, self.public))
        # All of them: one wrong signature under a known key is a forgery, not noise.
        for raw in mine:
            self.verify(text.encode(), raw[_KEY_ID_SIZE:])
        return text, mine[0]


@dataclass(frozen=True, slots=True)
class Verifiers:
    """The public keys that one signer had in turn, newest first; any of them vouches."""

    keys: tuple[Verifier, ...]

    @classmethod
    def parse(cls, lines: str) -> Self:
        """Read verifier keys, one a line.

        Raises:
            SignatureError: There is none, or something that is not one.
        """
        keys = tuple(map(Verifier.parse, lines.split()))
        if not keys:
            raise SignatureError("not a verifier key")
        return cls(keys)

    @property
    def name(self) -> str:
        """The name of the newest."""
        return self.keys[0].name

    def verify(self, message: bytes, signature: bytes) -> None:
        """See Verifier."""
        self._first(lambda key: key.verify(message, signature))

    def signer(self, note: str) -> Verifier:
        """Return the newest of them that signed a note. Raises as Verifier.open_note."""
        return self._first(lambda key: (key, key.open_note(note)))[0]

    def open_note(self, note: str) -> str:
        """See Verifier."""
        return self.signer(note).open_note(note)

    def own_part(self, note: str) -> str:
        """See Verifier."""
        return self.signer(note).own_part(note)

    def _first(self, attempt: Callable[[Verifier], _Result]) -> _Result:
        for key in self.keys[:-1]:
            with suppress(SignatureError):
                return attempt(key)
        return attempt(self.keys[-1])


@dataclass(frozen=True, slots=True)
class CosigningKey:
    """A witness's named key. A cosigner's key serves one name, and signs nothing else."""

    name: str
    seed: SecretKey = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def verifier(self) -> str:
        """The verifier key, to be published."""
        return _vkey(self.name, _COSIGNATURE, _public(self.seed))

    def cosign(self, text: str, timestamp: int) -> str:
        """Return the signature line over a checkpoint's text, with its newline.

        Args:
            text: The text of the note, without its signature lines.
            timestamp: Now, in POSIX seconds; from 1 to 2^63 - 1, else a ValueError.
        """
        if not 0 < timestamp <= _MAX_TIME:
            raise ValueError("a cosignature states its time")
        signature = _private(self.seed).sign(_cosigned(text, timestamp))
        key_id = _key_id(self.name, _COSIGNATURE, _public(self.seed))
        return _line(self.name, key_id + timestamp.to_bytes(_TIME_SIZE) + signature)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's statement: at this time no consistent tree it knew of this log was larger.

    Attributes:
        line: The signature line, with its newline.
        timestamp: POSIX seconds.
    """

    line: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class Cosigner:
    """The public half of a witness's key."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a witness's verifier key.

        Raises:
            SignatureError: Not one, of another type, or its key id is not that of its key.
        """
        return cls(*_parse(vkey, _COSIGNATURE))

    @property
    def vkey(self) -> str:
        """The verifier key again."""
        return _vkey(self.name, _COSIGNATURE, self.public)

    def cosignature(self, note: str) -> Cosignature:
        """Return this witness's latest cosignature of a note; lines of other keys are ignored.

        Raises:
            SignatureError: Not a note, not cosigned by this witness, or wrongly.
        """
        text, mine = _signed(note, self.name, _key_id(self.name, _COSIGNATURE, self.public))
        found = [self._checked(text, raw) for raw in mine]
        return max(found, key=lambda cosignature: cosignature.timestamp)

    def _checked(self, text: str, raw: bytes) -> Cosignature:
        stated, signature = raw[_KEY_ID_SIZE:][:_TIME_SIZE], raw[_KEY_ID_SIZE + _TIME_SIZE :]
        timestamp = int.from_bytes(stated)
        if not 0 < timestamp <= _MAX_TIME:
            raise SignatureError(f"{self.name} states no time")
        _verify(self.name, self.public, _cosigned(text, timestamp), signature)
        return Cosignature(_line(self.name, raw), timestamp)


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _private(seed: SecretKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed.reveal())


def _public(seed: SecretKey) -> bytes:
    return _private(seed).public_key().public_bytes_raw()


def _verify(name: str, public: bytes, message: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        raise SignatureError(f"not signed by {name}") from None


def _vkey(name: str, algorithm: bytes, public: bytes) -> str:
    return f"{name}+{_key_id(name, algorithm, public).hex()}+{_encode(algorithm + public)}"


def _parse(vkey: str, algorithm: bytes) -> tuple[str, bytes]:
    # The name has no plus, base64 may have several.
    name, _, rest = vkey.partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _decode(encoded)
    public = raw[1:]
    try:
        _check_name(name)
        Ed25519PublicKey.from_public_bytes(public)
    except ValueError:
        raise SignatureError("not a verifier key") from None
    if raw[:1] != algorithm or key_id != _key_id(name, algorithm, public).hex():
        raise SignatureError("not a verifier key of this type")
    return name, public


def _signed(note: str, name: str, key_id: bytes) -> tuple[str, list[bytes]]:
    """The text of a note, and what stands in the lines of one key: key id and signature."""
    text, gap, block = note.rpartition("\n\n")
    text += "\n"
    lines = block.split("\n")
    if not gap or not _is_text(text) or lines.pop() or not 0 < len(lines) <= _MAX_SIGNATURES:
        raise SignatureError("not a signed note")
    mine = [
        raw
        for signer, raw in map(_signature, lines)
        if (signer, raw[:_KEY_ID_SIZE]) == (name, key_id)
    ]
    if not mine:
        raise SignatureError(f"not signed by {name}")
    return text, mine


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _decode(encoded)
    if not line.startswith(_DASH) or not name or len(raw) <= _KEY_ID_SIZE:
        raise SignatureError("not a signature line")
    return name, raw


def _line(name: str, raw: bytes) -> str:
    return f"{_DASH}{name} {_encode(raw)}\n"


def _is_text(text: str) -> bool:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return False
    return encoded.endswith(b"\n") and not any(byte < 0x20 and byte != 0x0A for byte in encoded)  # noqa: PLR2004


def _check_name(name: str) -> None:
    if not name or "+" in name or not name.isprintable() or any(map(str.isspace, name)):
        raise ValueError("the name of a key has no spaces and no plus")


def _key_id(name: str, algorithm: bytes, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + algorithm + public).digest()[:_KEY_ID_SIZE]


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(encoded: str) -> bytes:
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("not base64") from None
    if _encode(raw) != encoded:
        raise SignatureError("not the one way to write it in base64")
    return raw
