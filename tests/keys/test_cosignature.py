"""Cosignatures of witnesses (c2sp.org/tlog-cosignature), against the words of the specification."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import SignatureError
from keys.secret import SecretKey
from keys.signing import Cosigner, CosigningKey, SigningKey, Verifier

SEED = SecretKey(b"w" * 32)
NAME = "witness.example/w1"
KEY = CosigningKey(NAME, SEED)
WITNESS = Cosigner.parse(KEY.verifier)
LOG = SigningKey("log.example", SecretKey(b"l" * 32))
TEXT = "log.example\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
NOTE = LOG.sign_note(TEXT)
AT = 1679315147


def test_a_note_published_by_others_is_opened() -> None:
    # The example of c2sp.org/signed-note.
    note = (
        "This is an example message.\n\n\N{EM DASH} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YE"
        "q6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )
    verifier = Verifier.parse(
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    )
    assert verifier.open_note(note) == "This is an example message.\n"


def test_a_key_of_a_public_witness_is_read() -> None:
    # A key id that we did not compute.
    vkey = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    assert Cosigner.parse(vkey).name == "remora.n621.de"
    assert Cosigner.parse(vkey).vkey == vkey


def test_a_cosignature_is_what_the_specification_says_byte_for_byte() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
    public = private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(NAME.encode() + b"\n\x04" + public).digest()[:4]
    message = b"cosignature/v1\ntime 1679315147\n" + TEXT.encode()
    raw = key_id + bytes.fromhex("00000000641850cb") + private.sign(message)
    line = f"\N{EM DASH} {NAME} {base64.b64encode(raw).decode()}\n"
    assert KEY.cosign(TEXT, AT) == line
    typed = base64.b64encode(b"\x04" + public).decode()
    assert KEY.verifier == f"{NAME}+{key_id.hex()}+{typed}"


def test_a_cosigned_note_still_opens_for_who_knows_the_log_alone() -> None:
    cosigned = NOTE + KEY.cosign(TEXT, AT)
    assert Verifier.parse(LOG.verifier).open_note(cosigned) == TEXT
    assert WITNESS.cosignature(cosigned).timestamp == AT
    assert WITNESS.cosignature(cosigned).line == KEY.cosign(TEXT, AT)


def test_the_latest_of_several_cosignatures_counts() -> None:
    note = NOTE + "".join(KEY.cosign(TEXT, at) for at in (AT + 5, AT + 9, AT))
    assert WITNESS.cosignature(note).timestamp == AT + 9


@given(st.integers(0, 75), st.integers(0, 7))
def test_no_altered_bit_of_a_cosignature_is_believed(place: int, bit: int) -> None:
    raw = bytearray(base64.b64decode(KEY.cosign(TEXT, AT).split()[2]))
    raw[place] ^= 1 << bit
    forged = f"\N{EM DASH} {NAME} {base64.b64encode(raw).decode()}\n"
    with pytest.raises(SignatureError):
        WITNESS.cosignature(NOTE + forged)


def test_one_wrong_cosignature_of_a_known_witness_refuses_all() -> None:
    forged = KEY.cosign("another\n", AT)
    with pytest.raises(SignatureError):
        WITNESS.cosignature(NOTE + KEY.cosign(TEXT, AT) + forged)


@pytest.mark.parametrize(
    "other",
    [CosigningKey(NAME, SecretKey(bytes(32))), CosigningKey("witness.example/w2", SEED)],
)
def test_a_cosignature_of_another_witness_is_none(other: CosigningKey) -> None:
    with pytest.raises(SignatureError, match="not signed by"):
        WITNESS.cosignature(NOTE + other.cosign(TEXT, AT))


def test_a_plain_signature_of_the_same_key_is_no_cosignature() -> None:
    with pytest.raises(SignatureError):
        WITNESS.cosignature(SigningKey(NAME, SEED).sign_note(TEXT))
    with pytest.raises(SignatureError):
        Verifier.parse(SigningKey(NAME, SEED).verifier).open_note(NOTE + KEY.cosign(TEXT, AT))


def test_a_key_of_one_type_is_not_read_as_one_of_the_other() -> None:
    with pytest.raises(SignatureError):
        Cosigner.parse(LOG.verifier)
    with pytest.raises(SignatureError):
        Verifier.parse(KEY.verifier)


@pytest.mark.parametrize("timestamp", [0, -1, 2**63])
def test_a_cosignature_without_a_time_is_not_made(timestamp: int) -> None:
    with pytest.raises(ValueError, match="time"):
        KEY.cosign(TEXT, timestamp)


@pytest.mark.parametrize("stated", [0, 2**63])
def test_a_cosignature_without_a_time_is_not_believed(stated: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
    signature = private.sign(f"cosignature/v1\ntime {stated}\n{TEXT}".encode())
    raw = bytes.fromhex(KEY.verifier.split("+")[1]) + stated.to_bytes(8) + signature
    with pytest.raises(SignatureError, match="states no time"):
        WITNESS.cosignature(NOTE + f"\N{EM DASH} {NAME} {base64.b64encode(raw).decode()}\n")


def test_of_a_note_with_many_lines_the_own_part_is_one() -> None:
    cosigned = NOTE + KEY.cosign(TEXT, AT) + NOTE.removeprefix(f"{TEXT}\n")
    assert Verifier.parse(LOG.verifier).own_part(cosigned) == NOTE


def test_a_cosigning_key_shows_nothing_of_its_seed() -> None:
    assert repr(KEY) == f"CosigningKey(name='{NAME}')"
