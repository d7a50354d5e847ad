"""The tokens of a sign-on provider, checked (OpenID Connect Core 1.0, Back-Channel Logout 1.0).

Needs the extra `oidc` (joserfc). Pure: the keys come from gateway/access/provider.py.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from gateway.access.identity import (
    LOGOUT_AGE,
    SKEW,
    Identity,
    Logout,
    TokenError,
    UnknownKeyError,
)

# Asymmetric ones alone: with a shared secret whoever checks could sign, and "none" signs nothing.
ALGORITHMS = ("RS256", "PS256", "ES256")
KEY_TYPES = frozenset({"RSA", "EC"})
TOKEN_LIMIT = 32 * 1024
SUBJECT_LIMIT = 255  # characters; OpenID Connect Core section 2
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Expected:
    """Whom tokens come from, whom they are for, and how long ago somebody may have signed in."""

    issuer: str
    client_id: str
    max_age: timedelta


def key_set(given: object) -> KeySet:
    """The signature keys of a JWK set; those for other uses and shared secrets are left out.

    Raises:
        TokenError: It is no JWK set, or no key is left.
    """
    if not isinstance(given, Mapping) or not isinstance(given.get("keys"), list):
        raise TokenError("jwks")
    usable = [
        {name: value for name, value in key.items() if name not in {"key_ops", "x5c", "x5t"}}
        for key in given["keys"]
        if isinstance(key, dict) and key.get("kty") in KEY_TYPES and key.get("use") in {None, "sig"}
    ]
    try:
        keys = KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise TokenError("jwks") from error
    if not keys.keys:
        raise TokenError("jwks")
    return keys


def identity(
    token: str, keys: KeySet, expected: Expected, nonce: str, *, groups_claim: str, now: datetime
) -> Identity:
    """Check an ID token (OpenID Connect Core section 3.1.3.7).

    Args:
        token: As it came from the token endpoint.
        keys: The provider's.
        expected: Issuer and audience.
        nonce: Of the browser that began.
        groups_claim: The claim that lists groups.
        now: The time.

    Raises:
        UnknownKeyError: Get the keys anew, once, and try again.
        TokenError: It does not hold.
    """
    header, claims = _signed(token, keys)
    if header.get("typ", "JWT").lower() not in {"jwt", "application/jwt"}:
        raise TokenError("typ")  # a logout or access token is no ID token (RFC 8725 section 3.11)
    _check_parties(claims, expected)
    _check_times(claims, now)
    if _moment(claims, "auth_time") < now - expected.max_age - SKEW:
        raise TokenError("auth_time")  # step 13: a session of this morning proves nothing now
    if not hmac.compare_digest(_text(claims, "nonce").encode(), nonce.encode()):
        raise TokenError("nonce")
    vouched = claims.get("email_verified") is True
    return Identity(
        issuer=expected.issuer,
        subject=_text(claims, "sub"),
        email=_text(claims, "email").strip().lower() if vouched else None,
        groups=_several(claims, groups_claim),
        methods=_several(claims, "amr") | _several(claims, "acr"),
        session=_optional(claims, "sid"),
    )


def logout(token: str, keys: KeySet, expected: Expected, *, now: datetime) -> Logout:
    """Check a logout token (Back-Channel Logout section 2.6).

    Raises:
        UnknownKeyError: Get the keys anew, once, and try again.
        TokenError: It does not hold.
    """
    header, claims = _signed(token, keys)
    if header.get("typ", "").lower() not in {"logout+jwt", "application/logout+jwt"}:
        raise TokenError("typ")
    _check_parties(claims, expected)
    issued_at = _check_times(claims, now)
    if now - issued_at > LOGOUT_AGE + SKEW:
        raise TokenError("iat")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise TokenError("events")
    if "nonce" in claims:  # so that no ID token passes for one
        raise TokenError("nonce")
    subject, session = _optional(claims, "sub"), _optional(claims, "sid")
    if subject is None and session is None:
        raise TokenError("sub")
    return Logout(expected.issuer, _text(claims, "jti"), subject, session, issued_at)


def _signed(token: str, keys: KeySet) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if len(token) > TOKEN_LIMIT:
        raise TokenError("length")
    try:
        read = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
    except InvalidKeyIdError as error:
        raise UnknownKeyError("kid") from error
    except (JoseError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise TokenError("signature") from error
    if not isinstance(read.header.get("typ", ""), str):
        raise TokenError("typ")
    return read.header, read.claims


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if _text(claims, "iss") != expected.issuer:
        raise TokenError("iss")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise TokenError("aud")
    # Meant for others too: then it says who asked for it, and that is us (step 4 and 5).
    if len(audiences) > 1 and "azp" not in claims:
        raise TokenError("azp")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise TokenError("azp")


def _check_times(claims: Mapping[str, Any], now: datetime) -> datetime:
    issued_at, ends_at = _moment(claims, "iat"), _moment(claims, "exp")
    if issued_at > now + SKEW:
        raise TokenError("iat")
    if ends_at <= now - SKEW:
        raise TokenError("exp")
    if "nbf" in claims and _moment(claims, "nbf") > now + SKEW:
        raise TokenError("nbf")
    return issued_at


def _moment(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(name)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise TokenError(name) from None


def _optional(claims: Mapping[str, Any], name: str) -> str | None:
    return _text(claims, name) if name in claims else None


def _text(claims: Mapping[str, Any], name: str) -> str:
    """A claim that is a short text, and printable: it will stand in a row."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= SUBJECT_LIMIT or not value.isprintable():
        raise TokenError(name)
    return value


def _several(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    value = claims.get(name, [])
    if isinstance(value, str):
        return frozenset({value})
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TokenError(name)
    return frozenset(value)
