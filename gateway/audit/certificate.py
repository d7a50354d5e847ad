"""Checking the certificate of an erasure with two public keys and nothing else.

1. The body: signed as RFC 8785 canonical JSON by the key of certificates.
2. The log's record: it is the end of this erasure, and names the hash of this body.
3. The commitment: record and salt are what the tree holds at that place (RFC 9162, 2.1.3.2).
4. The checkpoint: its root is that tree's, signed by the key of the log.

What it cannot show is said in the body itself (`not_covered`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from keys.errors import SignatureError
from keys.signing import Verifier, Verifiers
from storage.accesslog.checkpoint import open_checkpoint
from storage.accesslog.event import commitment
from storage.accesslog.tree import leaf_hash, verify_inclusion
from storage.errors import LogInconsistentError

FORMAT = "kluis/erasure-certificate/1"
SIGNED = b"kluis/erasure-certificate/1\n"  # sets these signatures apart from all others
_EVENTS = {
    "case": "case.erase",
    "file": "file.erase",
    "rectification": "case.rectify",
    "client": "controller.erase",
}


class CertificateError(Exception):
    """The certificate does not prove what it says.

    Attributes:
        reason: A word for what is wrong; `cli/certificate.py` has its sentences.
    """

    def __init__(self, reason: str) -> None:
        """Name what is wrong."""
        super().__init__(f"the certificate is not right: {reason}")
        self.reason = reason


def canonical(document: Mapping[str, Any]) -> str:
    """RFC 8785 canonical JSON."""
    return rfc8785.dumps(dict(document)).decode()


def body_sha256(body: str) -> bytes:
    """The hash that the log's event names; of the body as canonical JSON."""
    return hashlib.sha256(body.encode()).digest()


def message_of(body: str) -> bytes:
    """What is signed of a body in canonical JSON."""
    return SIGNED + body.encode()


def check(certificate: object, certificates: Verifiers, log: Verifiers) -> Mapping[str, Any]:
    """Check a certificate.

    Args:
        certificate: As JSON was read.
        certificates: The public keys of certificates.
        log: The public keys of the access log.

    Returns:
        Its body, every word of which is vouched for.

    Raises:
        CertificateError: It proves nothing, or something else.
    """
    try:
        return _check(certificate, certificates, log)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise CertificateError("format") from None


def _check(given: Any, certificates: Verifiers, log: Verifiers) -> Mapping[str, Any]:
    body, proof = given["body"], given["log"]
    if set(given) != {"body", "signature", "key", "log"} or body["format"] != FORMAT:
        raise CertificateError("format")
    text = canonical(body)
    try:
        signer = Verifier.parse(given["key"])
        if signer not in certificates.keys:
            raise CertificateError("key")
        signer.verify(message_of(text), _decoded(given["signature"]))
    except SignatureError:
        raise CertificateError("signature") from None
    _check_record(json.loads(proof["record"]), body, text)
    _check_place(proof, log)
    result: Mapping[str, Any] = body
    return result


def _check_record(record: Any, body: Mapping[str, Any], text: str) -> None:
    event, said = record["event"], record["object"]
    about = event["code"], event["stage"], said.get("case_id"), said["controller_id"]
    if about != (_EVENTS[body["kind"]], "outcome", body["case_id"], body["controller_id"]):
        raise CertificateError("event")
    if not hmac.compare_digest(
        event["detail"]["certificate_sha256"].encode(), body_sha256(text).hex().encode()
    ):
        raise CertificateError("event")


def _check_place(proof: Mapping[str, Any], log: Verifiers) -> None:
    try:
        signer = log.signer(proof["checkpoint"])
        checkpoint = open_checkpoint(proof["checkpoint"], signer.open_note)
    except (LogInconsistentError, SignatureError):
        raise CertificateError("checkpoint") from None
    if (checkpoint.origin, checkpoint.size) != (signer.name, proof["size"]):
        raise CertificateError("checkpoint")
    entry = commitment(_decoded(proof["salt"]), proof["record"])
    hashes = [_decoded(node) for node in proof["hashes"]]
    leaf = leaf_hash(entry)
    if not verify_inclusion(leaf, proof["index"], checkpoint.size, hashes, checkpoint.root):
        raise CertificateError("place")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise CertificateError("format") from None
