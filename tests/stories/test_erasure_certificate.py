"""A certificate of erasure is checked with two public keys and nothing of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from storage.schema import files
from tests.adversary.attacks import altered_everywhere, row
from tests.house import House
from tests.storage.accesslog.rfc9162 import includes


async def test_a_certificate_is_verified_with_two_public_keys_and_nothing_of_ours(
    house: House,
) -> None:
    case_id, scan = await house.submitted_case()
    sealed = await row(house.rooms.main, files, id=scan["id"])
    certificate = await house.dentist.erase(case_id)
    keys = await public_keys(house)

    body = verified_body(certificate, keys)

    assert body["case_id"] == case_id
    assert [file["id"] for file in body["files"]] == [scan["id"]]
    assert body["files"][0]["ciphertext_sha256"] == sealed["sealed_sha256"].hex()
    assert body["controller_id"] == house.practice.id
    assert "Proefpersoon" not in json.dumps(certificate)


async def test_a_certificate_that_was_changed_anywhere_is_found_out(house: House) -> None:
    case_id, _ = await house.submitted_case()
    certificate = await house.dentist.erase(case_id)
    keys = await public_keys(house)
    places, unnoticed = 0, []
    for place, forged in altered_everywhere(certificate):
        places += 1
        try:
            verified_body(forged, keys)
        except Exception:  # noqa: BLE001, S112 - whatever it is, it was noticed
            continue
        unnoticed.append(place)

    assert places > 20
    assert unnoticed == []


@dataclass(frozen=True)
class PublicKey:
    """A C2SP verifier key, read from its text alone."""

    name: str
    key_id: bytes
    key: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        name, key_id, encoded = text.strip().split("+", 2)
        raw = base64.b64decode(encoded)
        assert raw[0] == 1  # Ed25519
        computed = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        assert computed.hex() == key_id
        return cls(name, computed, Ed25519PublicKey.from_public_bytes(raw[1:]))


async def public_keys(house: House) -> tuple[PublicKey, PublicKey]:
    """Of certificates and of the log, as the server publishes them."""
    log = house.settings.log_key_path.read_text()
    certificates = house.settings.certificate_key_path.read_text()
    return PublicKey.parse(certificates), PublicKey.parse(log)


def verified_body(certificate: Any, keys: tuple[PublicKey, PublicKey]) -> Any:
    """The body, if signature, record, commitment, inclusion proof and checkpoint are all right."""
    signer, log = keys
    body, place = certificate["body"], certificate["log"]
    assert set(certificate) == {"body", "signature", "key", "log"}
    assert PublicKey.parse(certificate["key"]).key_id == signer.key_id
    text = rfc8785.dumps(body)
    signature = base64.b64decode(certificate["signature"], validate=True)
    signer.key.verify(signature, b"kluis/erasure-certificate/1\n" + text)

    record = json.loads(place["record"])
    assert record["event"]["detail"]["certificate_sha256"] == hashlib.sha256(text).hexdigest()
    assert record["object"].get("case_id") == body["case_id"]
    assert record["object"]["controller_id"] == body["controller_id"]
    salt = base64.b64decode(place["salt"], validate=True)
    commitment = hmac.digest(salt, place["record"].encode(), "sha256")
    origin, size, root = _opened_note(place["checkpoint"], log)
    assert (origin, size) == (log.name, place["size"])
    path = [base64.b64decode(node, validate=True) for node in place["hashes"]]
    assert includes(commitment, place["index"], size, path, root)
    return body


def _opened_note(note: str, log: PublicKey) -> tuple[str, int, bytes]:
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    (line,) = [s for s in signatures.splitlines() if s.startswith(f"\N{EM DASH} {log.name} ")]
    raw = base64.b64decode(line.rpartition(" ")[2], validate=True)
    assert raw[:4] == log.key_id
    log.key.verify(raw[4:], text.encode())
    origin, size, root = text.splitlines()
    return origin, int(size), base64.b64decode(root, validate=True)
