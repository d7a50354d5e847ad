"""Ed25519 signatures on log checkpoints and erasure certificates, as C2SP signed notes.

A note is text that ends in a newline, a blank line, and signature lines
"— <name> <base64(key id ‖ signature)>". The signature covers the text with its last newline.
A key id is the first four bytes of SHA-256(name ‖ 0x0a ‖ 0x01 ‖ public key). A verifier key
is "<name>+<key id in hex>+<base64(0x01 ‖ public key)>". (c2sp.org/signed-note)
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keys.errors import SignatureError
from keys.secret import SecretKey

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "
_KEY_ID_SIZE = 4
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
        public = self._private().public_key().public_bytes_raw()
        key_id = _key_id(self.name, public)
        return f"{self.name}+{key_id.hex()}+{_encode(_ED25519 + public)}"

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of signature."""
        return self._private().sign(message)

    def sign_note(self, text: str) -> str:
        """Return the signed note; text that a note cannot carry is a ValueError."""
        if not _is_text(text):
            raise ValueError(
                "the text of a note ends in a newline and has no other control character"
            )
        key_id = _key_id(self.name, self._private().public_key().public_bytes_raw())
        signature = _encode(key_id + self.sign(text.encode()))
        return f"{text}\n{_DASH}{self.name} {signature}\n"

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed.reveal())


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a signing key."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a verifier key.

        Raises:
            SignatureError: Not one, of another algorithm, or its key id is not that of its key.
        """
        # The name has no plus, base64 may have several.
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = _decode(encoded)
        algorithm, public = raw[:1], raw[1:]
        try:
            _check_name(name)
            Ed25519PublicKey.from_public_bytes(public)
        except ValueError:
            raise SignatureError("not a verifier key") from None
        if algorithm != _ED25519 or key_id != _key_id(name, public).hex():
            raise SignatureError("not a verifier key for Ed25519")
        return cls(name, public)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Return if the signature is of this key over exactly this message.

        Raises:
            SignatureError: It is not.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            raise SignatureError(f"not signed by {self.name}") from None

    def open_note(self, note: str) -> str:
        """Return the text of a note that this key signed; lines of other keys are ignored.

        Raises:
            SignatureError: Not a note, not signed by this key, or its signature is wrong.
        """
        text, gap, block = note.rpartition("\n\n")
        text += "\n"
        lines = block.split("\n")
        if not gap or not _is_text(text) or lines.pop() or not 0 < len(lines) <= _MAX_SIGNATURES:
            raise SignatureError("not a signed note")
        mine = [raw for name, raw in map(_signature, lines) if self._is_mine(name, raw)]
        if not mine:
            raise SignatureError(f"not signed by {self.name}")
        # All of them: one wrong signature under a known key is a forgery, not noise.
        for raw in mine:
            self.verify(text.encode(), raw[_KEY_ID_SIZE:])
        return text

    def _is_mine(self, name: str, raw: bytes) -> bool:
        return name == self.name and raw[:_KEY_ID_SIZE] == _key_id(self.name, self.public)


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _decode(encoded)
    if not line.startswith(_DASH) or not name or len(raw) <= _KEY_ID_SIZE:
        raise SignatureError("not a signature line")
    return name, raw


def _is_text(text: str) -> bool:
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return False
    return encoded.endswith(b"\n") and not any(byte < 0x20 and byte != 0x0A for byte in encoded)  # noqa: PLR2004


def _check_name(name: str) -> None:
    if not name or "+" in name or not name.isprintable() or any(map(str.isspace, name)):
        raise ValueError("the name of a key has no spaces and no plus")


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_ID_SIZE]


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
