"""The certificate of an erasure: what, on whose instruction, how it was made sure, what is left.

The body is signed as RFC 8785 canonical JSON; its hash stands in the access log, and the
certificate carries the record, the proof that it is in the tree, and the signed checkpoint. So
it can be checked with two public keys and nothing of ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.audit.certificate import FORMAT, canonical, message_of
from keys.providers import KeyProvider
from keys.signing import SigningKey
from storage.accesslog.reading import InclusionProof
from storage.cases import Case
from storage.erasures import Erasure, Puncture
from storage.files import File

RECORDS = ("identity", "notes", "brief")
GROUNDS = {
    "case": "instruction of the controller, GDPR articles 17 and 28(3)(a)",
    "file": "instruction of the controller, GDPR articles 17 and 28(3)(a)",
    "rectification": "instruction of the controller, GDPR articles 16 and 28(3)(a)",
    "client": "end of the service, GDPR article 28(3)(g)",
}
SELF_TESTS = {
    "case": "the case's wrapped keys open under none of the versions that are left",
    "file": "the case's former key, wrapped, opens under none of the versions that are left",
    "rectification": "the case's former key, wrapped, opens under none of the versions left",
    "client": "the client's wrapped index key opened under no version, and then none was left",
}
NOTHING_TO_TRY = (
    "no wrapped key was left to try; the provider was asked which versions of the key it has, "
    "and the destroyed one is not among them: it was destroyed at the time given, or before"
)
COPIES = (
    "A copy of the provider's keys that was taken outside the registered places before the "
    "destruction, kept together with its secret, still opens what was erased. {residual}"
)
GUESSES = (
    "Whoever holds the controller's index key can test guesses of an identity against an "
    "old back-up of the database."
)
DOWNLOADS = (
    "Files that were downloaded before the erasure are in the hands of those who downloaded "
    "them; the access log names them."
)
SHOWN = (
    "What stood there before was shown to those whom the access log names; notes and other cases "
    "of the patient are as they were written."
)
NOT_COVERED = {
    "case": (GUESSES, DOWNLOADS),
    "file": (GUESSES, DOWNLOADS),
    "rectification": (GUESSES, SHOWN),
    "client": (DOWNLOADS,),
}


def files(rows: Sequence[File]) -> Sequence[Mapping[str, Any]]:
    """What a certificate says of files: of each that ever was in the vault."""
    return [
        {
            "id": file.id,
            "kind": file.kind,
            "bytes": file.size,
            "ciphertext_sha256": file.sealed_sha256.hex(),
        }
        for file in rows
        if file.sealed_sha256 is not None
    ]


def records(case: Case, names: Sequence[str] = RECORDS) -> Sequence[Mapping[str, Any]]:
    """What a certificate says of a case's records: names, and hashes of ciphertext."""
    sealed = {name: getattr(case, f"sealed_{name}") for name in names}
    return [
        {"name": name, "ciphertext_sha256": hashlib.sha256(value).hexdigest()}
        for name, value in sealed.items()
        if value is not None
    ]


def body(
    erasure: Erasure,
    puncture: Puncture,
    gone: Mapping[str, Any],
    *,
    provider: KeyProvider,
    destroyed_by: str,
    living_versions: Sequence[int],
    erased_at: str,
) -> Mapping[str, Any]:
    """What the certificate says. No name, no pseudonym: ids, counts, hashes of ciphertext.

    Args:
        erasure: What was asked for.
        puncture: How it was carried out.
        gone: `files` and `records` that are erased, and for a client its `cases`.
        provider: Of the keys.
        destroyed_by: Name of the one that had the destroyed version, where keys are being moved.
        living_versions: Those of the controller's key that are left.
        erased_at: RFC 3339.
    """
    return {
        "format": FORMAT,
        "kind": erasure.kind,
        "certificate_id": erasure.id,
        "request_id": erasure.request_id,
        "case_id": erasure.case_id,
        "controller_id": erasure.controller_id,
        "requested_by": erasure.requested_by,
        "requested_at": erasure.requested_at.isoformat(),
        "second_by": erasure.second_by,
        "reason": erasure.reason,
        "ground": GROUNDS[erasure.kind],
        **_gone(gone),
        "key": {
            "provider": destroyed_by,
            **_destroyed(puncture, gone),
            "self_test": _self_test(erasure),
            "versions_left": list(living_versions),
        },
        "registered_key_backups": json.loads(puncture.key_backups or "[]"),
        "not_covered": [COPIES.format(residual=provider.residual), *NOT_COVERED[erasure.kind]],
        "erased_at": erased_at,
    }


def _self_test(erasure: Erasure) -> str:
    """What was tried: not more than that."""
    return SELF_TESTS[erasure.kind] if json.loads(erasure.evidence or "[]") else NOTHING_TO_TRY


def _gone(gone: Mapping[str, Any]) -> Mapping[str, Any]:
    listed = {"files": gone.get("files", []), "records": gone.get("records", [])}
    return listed | ({"cases": gone["cases"]} if "cases" in gone else {})


def _destroyed(puncture: Puncture, gone: Mapping[str, Any]) -> Mapping[str, Any]:
    at = puncture.finished_at.isoformat() if puncture.finished_at else None
    one = {"destroyed_version": puncture.old_version, "destroyed_at": at}
    return one | ({"also_destroyed": gone["also_destroyed"]} if "also_destroyed" in gone else {})


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
