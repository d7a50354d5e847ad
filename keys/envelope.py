"""Small values and keys, sealed under another key.

The wire format is that of keys.stream with a single segment, so a value costs 56 bytes more
than its plaintext. Every value derives its own key from a random salt of 256 bits: no nonces
are counted, and a key may wrap as much as it likes.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.context import Context, Purpose
from keys.errors import UnsealError
from keys.secret import KEY_SIZE, SecretKey
from keys.stream import HEADER_SIZE, SEGMENT_SIZE, TAG_SIZE, seal_bytes, unseal_bytes

VALUE_LIMIT = SEGMENT_SIZE - HEADER_SIZE - TAG_SIZE
"""Bytes of the largest value. What is larger is a file, and goes through a door for files."""


def seal(key: SecretKey, plaintext: bytes, context: Context) -> bytes:
    """Return the sealed value; more than VALUE_LIMIT bytes are a ValueError."""
    if len(plaintext) > VALUE_LIMIT:
        raise ValueError(f"a value is at most {VALUE_LIMIT} bytes")
    return seal_bytes(key, plaintext, context)


def unseal(key: SecretKey, sealed: bytes, context: Context) -> bytes:
    """Return the value.

    Raises:
        UnsealError: Wrong key, wrong context or altered bytes.
    """
    if len(sealed) > SEGMENT_SIZE:
        raise UnsealError
    return unseal_bytes(key, sealed, context)


def wrap(key: SecretKey, secret: SecretKey, context: Context) -> bytes:
    """Return `secret` sealed under `key`: 88 bytes."""
    return seal(key, secret.reveal(), context)


def unwrap(key: SecretKey, wrapped: bytes, context: Context) -> SecretKey:
    """Return the key inside.

    Raises:
        UnsealError: Wrong key, wrong context, altered bytes, or what is inside is not a key.
    """
    material = unseal(key, wrapped, context)
    if len(material) != KEY_SIZE:
        raise UnsealError
    return SecretKey(material)


def record_key(case_key: SecretKey, controller_id: str, case_id: str) -> SecretKey:
    """Return the key that seals a case's records: identity, notes, names, reports, messages.

    Derived, so that it dies with its case key and is stored nowhere.
    """
    info = b"record-key\n" + Context(Purpose.RECORD, controller_id, case_id).encode()
    return SecretKey(HKDF(SHA256(), KEY_SIZE, None, info).derive(case_key.reveal()))
