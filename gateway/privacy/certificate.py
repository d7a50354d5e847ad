"""The certificate of an erasure: what, on whose instruction, how it was made sure, what is left.

The body is signed as RFC 8785 canonical JSON; its hash stands in the access log, and the
certificate carries the record, the proof that it is in the tree, and the signed checkpoint. So
it can be checked with two public keys and nothing of ours.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.audit.certificate import FORMAT, canonical, message_of
from keys.providers import KeyProvider
from keys.signing import SigningKey
from storage.accesslog.reading import InclusionProof
from storage.cases import Case
from storage.erasures import Erasure, Puncture
from storage.files import File

GROUND = "instruction of the controller, GDPR articles 17 and 28(3)(a)"

COPIES = (
    "A copy of the provider's keys that was taken outside the registered places before the "
    "destruction, kept together with its secret, still opens the case. {residual}"
)
NOT_COVERED = (
    (
        "Whoever holds the controller's index key can test guesses of an identity against an "
        "old back-up of the database."
    ),
    (
        "Files that were downloaded before the erasure are in the hands of those who downloaded "
        "them; the access log names them."
    ),
)


def body(
    erasure: Erasure,
    puncture: Puncture,
    case: Case,
    files: Sequence[File],
    *,
    provider: KeyProvider,
    living_versions: Sequence[int],
    erased_at: str,
) -> Mapping[str, Any]:
    """What the certificate says. No name, no pseudonym: ids, counts, hashes of ciphertext."""
    return {
        "format": FORMAT,
        "certificate_id": erasure.id,
        "case_id": case.id,
        "controller_id": case.controller_id,
        "requested_by": erasure.requested_by,
        "requested_at": erasure.requested_at.isoformat(),
        "reason": erasure.reason,
        "ground": GROUND,
        "files": [
            {
                "id": file.id,
                "kind": file.kind,
                "bytes": file.size,
                "ciphertext_sha256": file.sealed_sha256.hex(),
            }
            for file in files
            if file.sealed_sha256 is not None
        ],
        "key": {
            "provider": provider.name,
            "destroyed_version": puncture.old_version,
            "destroyed_at": puncture.finished_at.isoformat() if puncture.finished_at else None,
            "self_test": "the case's wrapped key opens under none of the versions that are left",
            "versions_left": list(living_versions),
        },
        "registered_key_backups": [],
        "not_covered": [COPIES.format(residual=provider.residual), *NOT_COVERED],
        "erased_at": erased_at,
    }


def certificate(
    signed_body: Mapping[str, Any], key: SigningKey, proof: InclusionProof
) -> Mapping[str, Any]:
    """The signed certificate with its place in the log."""
    message = message_of(canonical(signed_body))
    return {
        "body": dict(signed_body),
        "signature": base64.b64encode(key.sign(message)).decode(),
        "key": key.verifier,
        "log": {
            "record": proof.record,
            "salt": base64.b64encode(proof.salt or b"").decode(),
            "index": proof.index,
            "size": proof.size,
            "hashes": [base64.b64encode(node).decode() for node in proof.hashes],
            "checkpoint": proof.note,
        },
    }
