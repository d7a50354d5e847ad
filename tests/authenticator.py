"""An authenticator in software: makes passkeys and answers challenges, rightly or as told."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass(frozen=True)
class Answering:
    """How it answers; what is given replaces what a true one would say."""

    origin: str
    rp_id: str | None = None
    challenge: str | None = None
    kind: str | None = None
    verified: bool = True
    present: bool = True
    cross_origin: bool = False
    user_handle: bytes | None = None
    hides_user: bool = False
    public_key: Mapping[Any, Any] | None = None


@dataclass
class SoftKey:
    """One authenticator with at most one passkey on it."""

    counter: int = 0
    steps: int = 1
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    user: bytes = b""

    def create(self, options: Mapping[str, Any], how: Answering) -> dict[str, Any]:
        """What `navigator.credentials.create()` gives, as JSON."""
        self.user = unbase64(options["user"]["id"])
        how = _filled(how, options["rp"]["id"], options["challenge"], "webauthn.create")
        attested = b"\0" * 16 + struct.pack(">H", len(self.credential_id)) + self.credential_id
        data = self._data(how, ATTESTED) + attested + cbor2.dumps(how.public_key or self.cose())
        statement = {"fmt": "none", "attStmt": {}, "authData": data}
        response = {
            "clientDataJSON": base64url(_client(how)),
            "attestationObject": base64url(cbor2.dumps(statement)),
            "transports": ["internal"],
        }
        return self._credential(response)

    def get(self, options: Mapping[str, Any], how: Answering) -> dict[str, Any]:
        """What `navigator.credentials.get()` gives, as JSON."""
        how = _filled(how, options["rpId"], options["challenge"], "webauthn.get")
        data, client = self._data(how, 0), _client(how)
        signed = data + hashlib.sha256(client).digest()
        response = {
            "clientDataJSON": base64url(client),
            "authenticatorData": base64url(data),
            "signature": base64url(self.key.sign(signed, ec.ECDSA(SHA256()))),
        }
        if not how.hides_user:
            response["userHandle"] = base64url(how.user_handle or self.user)
        return self._credential(response)

    def cose(self) -> dict[int, Any]:
        """The public key (RFC 9053 section 7.1)."""
        numbers = self.key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}

    def _data(self, how: Answering, flags: int) -> bytes:
        self.counter += self.steps
        flags |= (USER_PRESENT if how.present else 0) | (USER_VERIFIED if how.verified else 0)
        rp_id = hashlib.sha256((how.rp_id or "").encode()).digest()
        return rp_id + struct.pack(">BI", flags, self.counter)

    def _credential(self, response: Mapping[str, Any]) -> dict[str, Any]:
        name = base64url(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": dict(response),
        }


def base64url(raw: bytes) -> str:
    """Without padding, as browsers write it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unbase64(text: str) -> bytes:
    """The reverse."""
    return base64.urlsafe_b64decode(text + "===")


def _filled(how: Answering, rp_id: str, challenge: str, kind: str) -> Answering:
    return replace(
        how,
        rp_id=how.rp_id or rp_id,
        challenge=how.challenge or challenge,
        kind=how.kind or kind,
    )


def _client(how: Answering) -> bytes:
    collected = {
        "type": how.kind,
        "challenge": how.challenge,
        "origin": how.origin,
        "crossOrigin": how.cross_origin,
    }
    return json.dumps(collected).encode()
