"""What the first version sealed, signed and indexed, every later version reads."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from keys import envelope, stream
from keys.context import Context, Purpose
from keys.providers.local import LocalKeyring
from keys.pseudonym import blind_index
from keys.secret import SecretKey
from keys.signing import SigningKey, Verifier

FROZEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "keys-1.json").read_bytes()
)
KEY = SecretKey(base64.b64decode(FROZEN["key"]))
SECRET = SecretKey(base64.b64decode(FROZEN["secret"]))


@pytest.mark.parametrize("frozen", FROZEN["streams"], ids=lambda frozen: frozen["plaintext_size"])
def test_a_frozen_stream_opens(frozen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    size = frozen["plaintext_size"]
    context = Context(Purpose.FILE, "practice-1", "case-2", f"file-{size}")
    header = base64.b64decode(frozen["header"])
    plain = hashlib.shake_256().digest(size)

    # The same header gives the same bytes, so a large stream is frozen by its hash.
    with monkeypatch.context() as patch:
        patch.setattr("keys.stream.os.urandom", lambda count: header[-count:])
        sealed = stream.seal_bytes(KEY, plain, context)

    assert context.encode().decode() == frozen["context"]
    assert hashlib.sha256(sealed).hexdigest() == frozen["sha256"]
    assert stream.unseal_bytes(KEY, sealed, context) == plain


def test_some_frozen_streams_are_whole() -> None:
    for frozen in FROZEN["streams"][:3]:
        size = frozen["plaintext_size"]
        context = Context(Purpose.FILE, "practice-1", "case-2", f"file-{size}")
        sealed = base64.b64decode(frozen["sealed"])
        assert stream.unseal_bytes(KEY, sealed, context) == hashlib.shake_256().digest(size)


def test_a_frozen_wrapped_key_opens() -> None:
    context = Context(Purpose.CASE_KEY, "practice-1", "case-2")
    assert envelope.unwrap(KEY, base64.b64decode(FROZEN["wrapped"]), context) == SECRET


def test_a_record_key_stays_what_it_was() -> None:
    derived = envelope.record_key(KEY, "practice-1", "case-2").reveal()
    assert derived == base64.b64decode(FROZEN["record_key"])


def test_a_patient_indexed_then_is_found_now() -> None:
    assert len(FROZEN["blind_index"]) == 4
    for value, index in FROZEN["blind_index"].items():
        assert blind_index(KEY, "name", value).hex() == index


def test_a_note_signed_then_is_verified_now() -> None:
    text = "kluis.test/log\n3\nroot\n"
    assert Verifier.parse(FROZEN["verifier"]).open_note(FROZEN["note"]) == text
    assert SigningKey("log", SECRET).sign_note(text) == FROZEN["note"]


async def test_a_frozen_keyring_opens(tmp_path: Path) -> None:
    path = tmp_path / "keyring"
    path.write_text(FROZEN["keyring"])
    keyring = LocalKeyring.open(path, FROZEN["passphrase"])
    context = Context(Purpose.CASE_KEY, "practice-1", "case-2")
    assert await keyring.versions("practice-1") == {2, 3}
    assert await keyring.unwrap(2, base64.b64decode(FROZEN["wrapped"]), context) == SECRET
    assert (await keyring.signing_key("log")).verifier == FROZEN["verifier"]
    await keyring.create("practice-2", 2)
    assert await keyring.versions("practice-2") == {2}
