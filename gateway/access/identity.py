"""What a sign-on provider says, once it was checked (gateway/access/idtokens.py), and to whom."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SKEW = timedelta(seconds=60)
LOGOUT_AGE = timedelta(minutes=5)  # a logout token that is older than this comes too late


class TokenError(Exception):
    """A token that does not hold. `why` is a word for the log, never for who asks."""

    def __init__(self, why: str) -> None:
        """Keep the word."""
        super().__init__(why)
        self.why = why


class UnknownKeyError(TokenError):
    """Signed by a key that is not (yet) among those known: they may have been rotated."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it is.

    Attributes:
        subject: Theirs for ever at this issuer; no address is.
        email: In lower case; None where the provider does not vouch for it.
        groups: As the provider names them.
        methods: What was asked for: `acr` and every `amr` (RFC 8176).
        session: The provider's name of its session (`sid`).
    """

    issuer: str
    subject: str
    email: str | None = field(repr=False)
    groups: frozenset[str]
    methods: frozenset[str]
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a provider's word changes, once the sign-in that it began is complete.

    Attributes:
        session: The provider's name of its session; the one that begins here has it.
        issuer: Who vouches for `subject`, where the subject is to be linked; else None.
        subject: Who it is to the issuer.
        role: What they are here by their groups; None: what they were.
    """

    session: str | None = None
    issuer: str | None = None
    subject: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Logout:
    """Whose sessions end: those of a provider's session, or all of a subject."""

    issuer: str
    token_id: str
    subject: str | None
    session: str | None
    issued_at: datetime


def derived(secret: str, purpose: str) -> str:
    """What belongs to a browser's secret, and does not tell it (43 characters)."""
    label = f"kluis sign-on {purpose}".encode()
    return base64url(hmac.new(secret.encode(), label, hashlib.sha256).digest())


def base64url(raw: bytes) -> str:
    """Without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
