import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import SignatureError
from keys.secret import SecretKey
from keys.signing import SigningKey, Verifier, Verifiers

# RFC 8032, 7.1, test 1.
SEED = SecretKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
SIGNED_EMPTY = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
    "d25bf5f0595bbe24655141438e7a100b"
)
KEY = SigningKey("log", SEED)
OTHER = SigningKey("log", SecretKey(bytes(32)))
TEXT = "kluis.test/log\n3\nroot\n"


def test_signatures_are_those_of_the_standard() -> None:
    assert KEY.sign(b"") == SIGNED_EMPTY
    Verifier.parse(KEY.verifier).verify(b"", SIGNED_EMPTY)


def test_a_verifier_key_published_by_others_is_read() -> None:
    # The public key of the Go checksum database: a key id that we did not compute.
    vkey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    assert Verifier.parse(vkey).name == "sum.golang.org"


def test_a_signed_note_opens_with_the_verifier_key_alone() -> None:
    note = KEY.sign_note(TEXT)
    assert note.startswith(TEXT + "\n\N{EM DASH} log ")
    assert note.endswith("\n")
    assert Verifier.parse(KEY.verifier).open_note(note) == TEXT


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]))))
def test_every_text_comes_back_as_it_was_signed(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    assert Verifier.parse(KEY.verifier).open_note(KEY.sign_note(text)) == text


def test_no_altered_character_of_a_note_opens() -> None:
    note, verifier = KEY.sign_note(TEXT), Verifier.parse(KEY.verifier)
    for place in range(len(note)):
        for changed in ("", chr(ord(note[place]) ^ 1), note[place] + "x"):
            with pytest.raises(SignatureError):
                verifier.open_note(note[:place] + changed + note[place + 1 :])


def test_a_signature_is_written_in_one_way_alone() -> None:
    note, verifier = KEY.sign_note(TEXT), Verifier.parse(KEY.verifier)
    before, last = note[:-3], note[-3]
    assert note.endswith("=\n")
    # The last character holds two bits that decode to nothing.
    for other in set(string.ascii_letters + string.digits + "+/") - {last}:
        with pytest.raises(SignatureError):
            verifier.open_note(before + other + "=\n")


def test_lines_of_other_keys_are_ignored_and_never_enough() -> None:
    verifier = Verifier.parse(KEY.verifier)
    theirs = OTHER.sign_note(TEXT)
    [line] = theirs.removeprefix(TEXT + "\n").splitlines()
    assert verifier.open_note(KEY.sign_note(TEXT) + line + "\n") == TEXT
    with pytest.raises(SignatureError, match="not signed by log"):
        verifier.open_note(theirs)


def test_one_wrong_signature_of_a_known_key_refuses_the_note() -> None:
    note = KEY.sign_note(TEXT)
    [forged] = KEY.sign_note("another\n").removeprefix("another\n\n").splitlines()
    with pytest.raises(SignatureError):
        Verifier.parse(KEY.verifier).open_note(note + forged + "\n")


@pytest.mark.parametrize(
    "note",
    [
        *("", "\n", "\n\n", "text\n", "text\n\n", "text\n\n\n", "text\n\nlog AAAA\n"),
        "text\n\n\N{EM DASH} log AAAA",
        "text\n\n\N{EM DASH} log AAAA\n",
        "text\n\n\N{EM DASH} log\n",
        "text\n\n\N{EM DASH}  AAAAAAAA\n",
        "text\n\n\N{EM DASH} log !!!!\n",
        "text\n\n\N{EM DASH} log ÀÀÀÀ\n",
        "ab\rc\n\n\N{EM DASH} log AAAAAAAA\n",
        "ab\ud800c\n\n\N{EM DASH} log AAAAAAAA\n",
        "text\n\n" + "\N{EM DASH} other AAAAAAAA\n" * 101,
    ],
)
def test_what_is_no_signed_note_is_refused(note: str) -> None:
    with pytest.raises(SignatureError):
        Verifier.parse(KEY.verifier).open_note(note)


def vkey(name: str, key_id: str, raw: bytes) -> str:
    return f"{name}+{key_id}+{base64.b64encode(raw).decode()}"


PUBLIC = base64.b64decode(KEY.verifier.split("+", 2)[2])
KEY_ID = KEY.verifier.split("+")[1]


@pytest.mark.parametrize(
    "hostile",
    [
        *("", "log", "log+", "++", "log+00000000+", "log+00000000+!"),
        vkey("log", "00000000", PUBLIC),
        vkey("log2", KEY_ID, PUBLIC),
        vkey("", KEY_ID, PUBLIC),
        vkey("l og", KEY_ID, PUBLIC),
        vkey("log", KEY_ID, b"\x02" + PUBLIC[1:]),
        vkey("log", KEY_ID, PUBLIC[:-1]),
        vkey("log", KEY_ID, PUBLIC + b"\0"),
        vkey("log", KEY_ID.upper() + " ", PUBLIC),
    ],
)
def test_what_is_no_verifier_key_is_refused(hostile: str) -> None:
    with pytest.raises(SignatureError):
        Verifier.parse(hostile)


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), SIGNED_EMPTY + b"\0"])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        Verifier.parse(KEY.verifier).verify(b"", signature)


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "nul\0\n", "\ud800\n"])
def test_a_text_that_a_note_cannot_carry_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="text of a note"):
        KEY.sign_note(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\0"])
def test_a_key_has_a_name_that_a_note_can_carry(name: str) -> None:
    with pytest.raises(ValueError, match="name of a key"):
        SigningKey(name, SEED)


def test_a_signing_key_shows_nothing_of_its_seed() -> None:
    assert repr(KEY) == "SigningKey(name='log')"


def test_any_key_that_a_signer_had_vouches_for_what_it_signed() -> None:
    keys = [SigningKey("log", SecretKey(bytes([number]) * 32)) for number in range(3)]
    had = Verifiers.parse("\n".join(key.verifier for key in keys[:2]) + "\n")

    for key in keys[:2]:
        note = key.sign_note("text\n")
        assert had.open_note(note) == "text\n"
        assert had.signer(note) == Verifier.parse(key.verifier)
        assert had.own_part(note + keys[2].sign_line("text\n")) == note
        had.verify(b"x", key.sign(b"x"))
    with pytest.raises(SignatureError):
        had.open_note(keys[2].sign_note("text\n"))
    with pytest.raises(SignatureError):
        had.verify(b"x", keys[2].sign(b"x"))
    assert had.name == "log"


def test_no_key_at_all_is_no_signer() -> None:
    with pytest.raises(SignatureError):
        Verifiers.parse("\n")
