"""The recovery key: what a back-up is sealed to, and what opens it after everything else is gone.

An X25519 key pair. The private half is shown once, as 24 words (BIP-39, 256 bits of entropy and a
checksum of 8), and kept on paper by people; the public half stays, as one line of a file:

    kluis-recovery+<fingerprint>+<base64(public key)>

What is sealed to it:

    kluis/backup/1 and a newline ‖ HPKE (80 bytes) ‖ stream (keys.stream)

HPKE is RFC 9180 in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM; it
encloses the fresh 32-byte key of the stream, with the context as `info`. Whoever has the public
half can seal, so what was opened proves no author: back-ups are signed inside.
"""

import base64
import binascii
import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from mnemonic import Mnemonic

from keys import stream
from keys.context import Context
from keys.errors import RecoveryKeyFormatError, RecoveryWordsError, UnsealError
from keys.secret import KEY_SIZE, SecretKey

MAGIC = b"kluis/backup/1\n"
HEAD_SIZE = len(MAGIC) + 80
"""Bytes before the stream: the magic line, then HPKE's own key (32), the enclosed one (32), tag."""

_NAME = "kluis-recovery"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_WORDS = Mnemonic("english")


@dataclass(frozen=True, slots=True)
class RecoveryPublicKey:
    """The half that stays: seals, and opens nothing."""

    raw: bytes

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read the line.

        Raises:
            RecoveryKeyFormatError: It is none.
        """
        try:
            # base64 may have a plus of its own.
            _name, _fingerprint, encoded = line.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            key = cls(raw)
            X25519PublicKey.from_public_bytes(raw)
        except (ValueError, binascii.Error):
            raise RecoveryKeyFormatError from None
        if key.line != line.strip():
            raise RecoveryKeyFormatError
        return key

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name the pair."""
        return hashlib.sha256(_NAME.encode() + b"\n" + self.raw).hexdigest()[:16]

    @property
    def line(self) -> str:
        """The key as text, without a newline."""
        return f"{_NAME}+{self.fingerprint}+{base64.b64encode(self.raw).decode()}"

    def head(self, key: SecretKey, context: Context) -> bytes:
        """Return the HEAD_SIZE bytes that go before a stream under `key`."""
        public = X25519PublicKey.from_public_bytes(self.raw)
        return MAGIC + _SUITE.encrypt(key.reveal(), public, context.encode())

    def seal(self, plaintext: bytes, context: Context) -> bytes:
        """Return what is in memory, sealed whole."""
        key = SecretKey.generate()
        return self.head(key, context) + stream.seal_bytes(key, plaintext, context)


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """The private half: exists while it is shown, and while something is restored."""

    secret: SecretKey = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Return a fresh pair."""
        return cls(SecretKey.generate())

    @classmethod
    def from_words(cls, typed: str) -> Self:
        """Read the 24 words, in any case and spacing.

        Raises:
            RecoveryWordsError: A word is missing, unknown or in another place.
        """
        words = unicodedata.normalize("NFKD", typed).lower().split()
        try:
            if len(words) != KEY_SIZE * 8 // 11 + 1:
                raise RecoveryWordsError
            return cls(SecretKey(bytes(_WORDS.to_entropy(words))))
        except (ValueError, LookupError):
            # The cause could quote a word.
            raise RecoveryWordsError from None

    @property
    def words(self) -> str:
        """The 24 words, a space between two: the secret itself."""
        return _WORDS.to_mnemonic(self.secret.reveal())

    @property
    def public(self) -> RecoveryPublicKey:
        """The half that stays."""
        return RecoveryPublicKey(self._private().public_key().public_bytes_raw())

    def open_head(self, head: bytes, context: Context) -> SecretKey:
        """Return the key of the stream behind this head.

        Raises:
            UnsealError: Sealed to another pair or for another place, or altered.
        """
        if len(head) != HEAD_SIZE or not hmac.compare_digest(head[: len(MAGIC)], MAGIC):
            raise UnsealError
        try:
            opened = _SUITE.decrypt(head[len(MAGIC) :], self._private(), context.encode())
            return SecretKey(bytes(opened))
        except (InvalidTag, ValueError):
            raise UnsealError from None

    def open(self, sealed: bytes, context: Context) -> bytes:
        """Return what `RecoveryPublicKey.seal` sealed.

        Raises:
            UnsealError: Sealed to another pair or for another place, or altered.
        """
        key = self.open_head(sealed[:HEAD_SIZE], context)
        return stream.unseal_bytes(key, memoryview(sealed)[HEAD_SIZE:], context)

    def _private(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.secret.reveal())
