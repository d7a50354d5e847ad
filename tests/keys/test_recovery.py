"""The recovery key: its words, its public half, and what is sealed to it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from keys.context import Context, Purpose
from keys.errors import RecoveryKeyFormatError, RecoveryWordsError, UnsealError
from keys.recovery import HEAD_SIZE, MAGIC, RecoveryKey, RecoveryPublicKey
from keys.secret import SecretKey
from keys.stream import unseal_bytes

PLACE = Context(Purpose.BACKUP, "", object_id="keystore/1")
OTHER = Context(Purpose.BACKUP, "", object_id="keystore/2")


@given(st.binary(min_size=32, max_size=32))
def test_the_words_are_the_key(raw: bytes) -> None:
    key = RecoveryKey(SecretKey(raw))

    assert len(key.words.split()) == 24
    assert RecoveryKey.from_words(f"  {key.words.upper()}\n").secret == key.secret
    assert RecoveryPublicKey.parse(key.public.line) == key.public


def test_the_words_are_those_of_bip_39() -> None:
    # BIP-39, test vectors of the reference: 256 bits of 0x7f.
    key = RecoveryKey(SecretKey(b"\x7f" * 32))

    assert key.words == (
        "legal winner thank year wave sausage worth useful legal winner thank year wave sausage"
        " worth useful legal winner thank year wave sausage worth title"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda words: words[:-1],
        lambda words: [*words, words[0]],
        lambda words: [words[1], words[0], *words[2:]],
        lambda words: ["kluis", *words[1:]],
        lambda words: words[:12],
        lambda _: [],
    ],
)
def test_other_words_are_refused_and_not_quoted(change: object) -> None:
    words = RecoveryKey(SecretKey(bytes(range(32)))).words.split()
    assert callable(change)

    with pytest.raises(RecoveryWordsError) as refusal:
        RecoveryKey.from_words(" ".join(change(words)))

    assert not any(word in str(refusal.value).split() for word in words)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("line", ["", "kluis-recovery", "kluis-recovery+00+AAAA", "x+y+z"])
def test_what_is_no_public_half_is_refused(line: str) -> None:
    with pytest.raises(RecoveryKeyFormatError):
        RecoveryPublicKey.parse(line)


def test_a_public_half_with_one_letter_changed_is_refused() -> None:
    line = RecoveryKey.generate().public.line
    other = line[:20] + ("0" if line[20] != "0" else "1") + line[21:]

    with pytest.raises(RecoveryKeyFormatError):
        RecoveryPublicKey.parse(other)


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_with_the_words_and_in_its_place_alone(plain: bytes) -> None:
    key = RecoveryKey.generate()
    sealed = key.public.seal(plain, PLACE)

    assert RecoveryKey.from_words(key.words).open(sealed, PLACE) == plain
    with pytest.raises(UnsealError):
        key.open(sealed, OTHER)
    with pytest.raises(UnsealError):
        RecoveryKey.generate().open(sealed, PLACE)


@given(st.data())
def test_one_altered_bit_does_not_open(data: st.DataObject) -> None:
    key = RecoveryKey(SecretKey(b"k" * 32))
    sealed = bytearray(key.public.seal(b"rows", PLACE))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(UnsealError):
        key.open(bytes(sealed), PLACE)


@pytest.mark.parametrize("size", [0, 1, len(MAGIC), HEAD_SIZE - 1, HEAD_SIZE, HEAD_SIZE + 40])
def test_what_is_cut_short_does_not_open(size: int) -> None:
    key = RecoveryKey.generate()

    with pytest.raises(UnsealError):
        key.open(key.public.seal(b"rows", PLACE)[:size], PLACE)


def test_the_key_is_silent() -> None:
    assert repr(RecoveryKey.generate()) == "RecoveryKey()"


def test_the_head_opens_with_nothing_but_rfc_9180() -> None:
    """The schedule of RFC 9180, 4.1 and 5.1, by hand: what is kept can be read without us."""
    key = RecoveryKey.generate()
    sealed = key.public.seal(b"rows", PLACE)
    enc, enclosed = sealed[len(MAGIC) : len(MAGIC) + 32], sealed[len(MAGIC) + 32 : HEAD_SIZE]

    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    private = X25519PrivateKey.from_private_bytes(key.secret.reveal())
    dh = private.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = extract(kem, b"", b"eae_prk", dh)
    shared = expand(kem, prk, b"shared_secret", enc + key.public.raw, 32)
    schedule = (
        b"\0"
        + extract(suite, b"", b"psk_id_hash", b"")
        + extract(suite, b"", b"info_hash", PLACE.encode())
    )
    secret = extract(suite, shared, b"secret", b"")
    aead = AESGCM(expand(suite, secret, b"key", schedule, 32))
    opened = aead.decrypt(expand(suite, secret, b"base_nonce", schedule, 12), enclosed, None)

    assert unseal_bytes(SecretKey(opened), sealed[HEAD_SIZE:], PLACE) == b"rows"


def extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    mac = HMAC(salt or bytes(32), SHA256())
    mac.update(b"HPKE-v1" + suite + label + material)
    return mac.finalize()


def expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(SHA256(), length, labelled).derive(prk)
