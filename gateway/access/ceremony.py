"""Passkeys: what a relying party checks (W3C Web Authentication Level 3, section 7). Pure.

A challenge is derived from a ticket that is good for one ceremony: it is bound to the ticket, and
nothing of it is stored. No attestation is asked for: which maker's authenticator it is decides
nothing here, and its certificates would be parsed for nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_attestation_object,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

NAME = "Kluis"
CREDENTIAL_ID_LIMIT = 1023  # bytes; section 4, "Credential ID"
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,  # some platform authenticators know no other
]
MILLISECONDS = 5 * 60 * 1000  # as long as a ticket
# What the library and what is below it raise on bytes that are not what they should be.
_MALFORMED = (
    *(WebAuthnException, UnsupportedAlgorithm, ValueError, TypeError),
    *(LookupError, AttributeError, RecursionError),
)

Credential = Mapping[str, Any]
"""What `PublicKeyCredential.toJSON()` gives in the browser."""


class PasskeyError(Exception):
    """A passkey's answer that does not hold. `why` is a word for the log, never for who asks."""

    def __init__(self, why: str) -> None:
        """Keep the word."""
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """This installation as browsers know it. `id` is the host of `origin`."""

    id: str
    origin: str

    @classmethod
    def of(cls, public_url: str) -> RelyingParty:
        """From the setting `public_url`."""
        address = urlsplit(public_url)
        return cls(address.hostname or "", f"{address.scheme}://{address.netloc}".lower())


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What is kept of a passkey; none of it is a secret."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int


@dataclass(frozen=True, slots=True)
class Proven:
    """An answer that held; `verified`: the authenticator knew its person, by PIN or body."""

    sign_count: int
    verified: bool


def challenge(ticket: str) -> bytes:
    """The challenge that belongs to a ticket."""
    return hmac.new(ticket.encode(), b"kluis passkey challenge", hashlib.sha256).digest()


def handle(account_id: str) -> bytes:
    """The user handle of an account: its random-looking id, no word about the person."""
    return uuid.UUID(account_id).bytes


def registration_options(
    party: RelyingParty, account_id: str, name: str, ticket: str, known: Sequence[bytes]
) -> dict[str, Any]:
    """Options for `navigator.credentials.create()`, in their JSON form.

    Args:
        party: Who asks.
        account_id: Whose passkey it will be.
        name: What the authenticator shows beside it: the e-mail address.
        ticket: Of this ceremony.
        known: Ids of the passkeys that the account has; their authenticators refuse to make two.
    """
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=NAME,
        user_id=handle(account_id),
        user_name=name,
        challenge=challenge(ticket),
        timeout=MILLISECONDS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            # Without one a passkey signs nobody in who has not said first who they are.
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=known_id) for known_id in known],
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json_dict(options)


def register(party: RelyingParty, credential: Credential, ticket: str) -> NewPasskey:
    """Check a new passkey (section 7.1).

    Raises:
        PasskeyError: It does not hold.
    """
    try:
        _check_unembedded(credential)
        _check_attestation(credential)
        made = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge(ticket),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            supported_pub_key_algs=ALGORITHMS,
        )
        decoded_public_key_to_cryptography(decode_credential_public_key(made.credential_public_key))
    except _MALFORMED as error:
        raise PasskeyError("registration") from error
    if not 0 < len(made.credential_id) <= CREDENTIAL_ID_LIMIT:
        raise PasskeyError("credential_id")
    return NewPasskey(made.credential_id, made.credential_public_key, made.sign_count)


def authentication_options(
    party: RelyingParty, ticket: str, known: Sequence[bytes] = (), *, verified: bool
) -> dict[str, Any]:
    """Options for `navigator.credentials.get()`, in their JSON form.

    Args:
        party: Who asks.
        ticket: Of this ceremony.
        known: Ids of the account's passkeys; none: the authenticator says who it is.
        verified: The passkey is all that is asked for, so it must know its person.
    """
    verification = UserVerificationRequirement
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge(ticket),
        timeout=MILLISECONDS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=known_id) for known_id in known],
        user_verification=verification.REQUIRED if verified else verification.PREFERRED,
    )
    return options_to_json_dict(options)


def credential_id(credential: Credential) -> bytes:
    """Which passkey claims to answer.

    Raises:
        PasskeyError: It names none.
    """
    return _bytes(credential.get("rawId"))


def authenticate(
    party: RelyingParty,
    credential: Credential,
    ticket: str,
    known: NewPasskey,
    *,
    account_id: str,
    named: bool,
    verified: bool,
) -> Proven:
    """Check a passkey's answer (section 7.2).

    Args:
        party: Who asked.
        credential: The answer.
        ticket: Of this ceremony.
        known: The passkey of this id, as it is stored.
        account_id: Whose it is.
        named: It was asked of nobody in particular, so it must say itself whose it is.
        verified: It was all that was asked for, so its person must be verified.

    Raises:
        PasskeyError: It does not hold. "counter": the signature is right, but its counter is
            not above the last one, so that there may be two of this authenticator.
    """
    try:
        _check_handle(credential, account_id, needed=named)
        _check_unembedded(credential)
        proof = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge(ticket),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=0,  # below, once the signature is known to be right
            require_user_verification=verified,
        )
    except _MALFORMED as error:
        raise PasskeyError("answer") from error
    if proof.credential_id != known.credential_id:
        raise PasskeyError("credential_id")
    counts = proof.new_sign_count > 0 or known.sign_count > 0
    if counts and proof.new_sign_count <= known.sign_count:
        raise PasskeyError("counter")
    return Proven(proof.new_sign_count, proof.user_verified)


def _check_handle(credential: Credential, account_id: str, *, needed: bool) -> None:
    """Section 7.2 step 6: the user handle is that of the account.

    Raises:
        PasskeyError: It is another one's, or missing where it is needed.
    """
    given = credential["response"].get("userHandle")
    if given is None and not needed:
        return
    if given is None or not hmac.compare_digest(_bytes(given), handle(account_id)):
        raise PasskeyError("user_handle")


def _check_unembedded(credential: Credential) -> None:
    """No page of ours stands in another one's frame, so no ceremony comes from one.

    Raises:
        PasskeyError: The browser says that it did.
    """
    given = parse_client_data_json(_bytes(credential["response"]["clientDataJSON"]))
    if given.cross_origin:
        raise PasskeyError("cross_origin")


def _check_attestation(credential: Credential) -> None:
    """None was asked for; an authenticator may still sign for itself.

    Raises:
        PasskeyError: The attestation has certificates, or a form that needs them.
    """
    given = parse_attestation_object(_bytes(credential["response"]["attestationObject"]))
    itself = given.fmt == "packed" and given.att_stmt.x5c is None
    if given.fmt != "none" and not itself:
        raise PasskeyError("attestation")


def _bytes(given: object) -> bytes:
    if not isinstance(given, str):
        raise PasskeyError("malformed")
    try:
        return base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
    except (binascii.Error, ValueError):
        raise PasskeyError("malformed") from None
