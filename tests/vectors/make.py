"""Writes the frozen vectors of the room `keys`, once: python tests/vectors/make.py

Every later version must open them. A new format gets a new file; none is ever written again.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from keys import envelope, stream
from keys.context import Context, Purpose
from keys.providers.keyfile import Contents, ScryptCost, Versions, lock_up
from keys.pseudonym import blind_index
from keys.secret import SecretKey
from keys.signing import SigningKey

TARGET = Path(__file__).with_name("keys-1.json")
KEY = SecretKey(hashlib.sha256(b"vector key").digest())
SECRET = SecretKey(hashlib.sha256(b"vector secret").digest())
PASSPHRASE = "correct horse battery staple"


def pattern(size: int) -> bytes:
    """Return plaintext that needs no storing: SHAKE-256 of nothing."""
    return hashlib.shake_256().digest(size)


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def a_stream(size: int) -> dict[str, Any]:
    """A stream is frozen whole while it is small, else by its header and its hash."""
    context = Context(Purpose.FILE, "practice-1", "case-2", f"file-{size}")
    sealed = stream.seal_bytes(KEY, pattern(size), context)
    return {
        "context": context.encode().decode(),
        "plaintext_size": size,
        "header": encoded(sealed[: stream.HEADER_SIZE]),
        "sha256": hashlib.sha256(sealed).hexdigest(),
        "sealed": encoded(sealed) if size < 1000 else None,
    }


def a_keyring() -> str:
    """Return a keyring file of the cheapest cost."""
    controllers = {"practice-1": Versions(3, {2: KEY, 3: SECRET}), "practice-2": Versions(1, {})}
    contents = Contents(5, controllers, {"log": SECRET, "certificate": KEY})
    return lock_up(KEY, contents, PASSPHRASE, bytes(range(32)), ScryptCost(n=2)).encode().decode()


def main() -> None:
    wrapping = Context(Purpose.CASE_KEY, "practice-1", "case-2")
    signing = SigningKey("log", SECRET)
    vectors = {
        "key": encoded(KEY.reveal()),
        "secret": encoded(SECRET.reveal()),
        "passphrase": PASSPHRASE,
        "streams": [a_stream(size) for size in (0, 1, 100, 1048520, 1048521, 3145735)],
        "wrapped": encoded(envelope.wrap(KEY, SECRET, wrapping)),
        "record_key": encoded(envelope.record_key(KEY, "practice-1", "case-2").reveal()),
        "blind_index": {
            value: blind_index(KEY, "name", value).hex()
            for value in ("Zoë van Dijk-Şahin", "Łukasz Straße", "2014-03-09", "\u5c71\u7530")
        },
        "verifier": signing.verifier,
        "note": signing.sign_note("kluis.test/log\n3\nroot\n"),
        "keyring": a_keyring(),
    }
    with TARGET.open("x") as file:
        json.dump(vectors, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
