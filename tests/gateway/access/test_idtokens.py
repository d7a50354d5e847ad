"""Tokens of a sign-on provider: what holds, and everything that must not."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from gateway.access.identity import Identity, Logout, TokenError, UnknownKeyError
from gateway.access.idtokens import (
    LOGOUT_EVENT,
    TOKEN_LIMIT,
    Expected,
    identity,
    key_set,
    logout,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
ISSUER, CLIENT, NONCE = "https://provider.invalid", "kluis", "n" * 43
EXPECTED = Expected(ISSUER, CLIENT, timedelta(minutes=5))
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
CURVE = ECKey.generate_key("P-256", {"kid": "curve", "use": "sig"})
CLAIMS = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "one",
    "iat": AT,
    "exp": AT + 300,
    "auth_time": AT - 300.5,
    "nonce": NONCE,
    "email": "Pat@House.invalid",
    "email_verified": True,
    "groups": ["planners"],
    "amr": ["pwd", "otp"],
    "acr": "urn:two",
    "sid": "session one",
}
LOGOUT = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "one",
    "sid": "session one",
    "iat": AT,
    "exp": AT + 120,
    "jti": "once",
    "events": {LOGOUT_EVENT: {}},
}


def published(*keys: Any) -> KeySet:
    return key_set({"keys": [key.as_dict(private=False) for key in keys]})


KEYS = published(KEY, CURVE)


def signed(claims: Mapping[str, Any], key: Any = KEY, alg: str = "RS256", **header: Any) -> str:
    whole = {"alg": alg, "kid": key.kid, **header}
    return jwt.encode(whole, dict(claims), key, algorithms=[alg])


def changed(claims: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The claims with some replaced; None takes one out."""
    return {name: value for name, value in {**claims, **change}.items() if value is not None}


def read(token: str, keys: KeySet = KEYS) -> Identity:
    return identity(token, keys, EXPECTED, NONCE, groups_claim="groups", now=NOW)


def logging_out(change: Mapping[str, Any]) -> str:
    return signed(changed(LOGOUT, change), typ="logout+jwt")


def ended(token: str) -> Logout:
    return logout(token, KEYS, EXPECTED, now=NOW)


@pytest.mark.parametrize(("key", "alg"), [(KEY, "RS256"), (KEY, "PS256"), (CURVE, "ES256")])
def test_a_token_of_the_provider_says_who_it_is(key: Any, alg: str) -> None:
    assert read(signed(CLAIMS, key, alg)) == Identity(
        issuer=ISSUER,
        subject="one",
        email="pat@house.invalid",
        groups=frozenset({"planners"}),
        methods=frozenset({"pwd", "otp", "urn:two"}),
        session="session one",
    )


@pytest.mark.parametrize("verdict", [None, False, "true", 1])
def test_an_address_that_the_provider_does_not_vouch_for_is_none(verdict: Any) -> None:
    assert read(signed(changed(CLAIMS, {"email_verified": verdict}))).email is None


def test_one_group_may_come_as_a_text_and_none_at_all() -> None:
    assert read(signed(changed(CLAIMS, {"groups": "planners"}))).groups == {"planners"}
    assert read(signed(changed(CLAIMS, {"groups": None, "amr": None}))).groups == frozenset()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"iss": "https://other.invalid"}, "iss"),
        ({"iss": f"{ISSUER}/"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "another client"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": {"kluis": 1}}, "aud"),
        ({"aud": [CLIENT, "another client"]}, "azp"),
        ({"azp": "another client"}, "azp"),
        ({"aud": [CLIENT, "another client"], "azp": "another client"}, "azp"),
        ({"nonce": "m" * 43}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"exp": AT - 61}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"iat": AT + 61}, "iat"),
        ({"iat": None}, "iat"),
        ({"nbf": AT + 61}, "nbf"),
        ({"auth_time": None}, "auth_time"),
        ({"auth_time": AT - 361}, "auth_time"),
        ({"auth_time": "now"}, "auth_time"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"groups": {"planners": True}}, "groups"),
        ({"groups": [["planners"]]}, "groups"),
        ({"email": "a@b.invalid\r\nBcc: c@d.invalid"}, "email"),
    ],
)
def test_a_token_that_is_not_for_this_sign_on_does_not_hold(
    change: Mapping[str, Any], why: str
) -> None:
    with pytest.raises(TokenError) as caught:
        read(signed(changed(CLAIMS, change)))
    assert caught.value.why == why


def _part(value: object) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", ""])
def test_a_token_that_nobody_signed_does_not_hold(alg: str) -> None:
    for signature in ("", "AA"):
        token = f"{_part({'alg': alg, 'kid': 'one'})}.{_part(CLAIMS)}.{signature}"
        with pytest.raises(TokenError):
            read(token)


def test_a_public_key_is_no_shared_secret() -> None:
    content = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(CLAIMS)}"
    for secret in (KEY.as_pem(private=False), json.dumps(KEY.as_dict(private=False)).encode()):
        with pytest.raises(TokenError):
            read(f"{content}.{_base64url(hmac.digest(secret, content.encode(), 'sha256'))}")


def test_a_shared_secret_among_the_providers_keys_is_left_out() -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    keys = key_set({"keys": [shared.as_dict(private=True), KEY.as_dict(private=False)]})
    with pytest.raises(TokenError):
        read(signed(CLAIMS, shared, "HS256"), keys)


def test_keys_that_sign_nothing_here_are_no_keys() -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"}).as_dict(private=True)
    sealing = {**KEY.as_dict(private=False), "use": "enc"}
    for useless in (shared, sealing):
        with pytest.raises(TokenError):
            key_set({"keys": [useless]})


def test_a_key_for_encryption_signs_nothing() -> None:
    sealing = RSAKey.generate_key(2048, {"kid": "sealing", "use": "enc"})
    same = {name: value for name, value in sealing.as_dict(private=True).items() if name != "use"}
    with pytest.raises(TokenError):
        read(signed(CLAIMS, RSAKey.import_key(same)), published(KEY, sealing))


def test_an_unknown_key_asks_for_the_keys_anew() -> None:
    with pytest.raises(UnknownKeyError):
        read(signed(CLAIMS, OTHER))


def test_another_key_under_a_known_name_does_not_hold() -> None:
    with pytest.raises(TokenError) as caught:
        read(signed(CLAIMS, OTHER, kid="one"))
    assert caught.value.why == "signature"


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u"])
def test_a_key_that_the_token_brings_along_is_not_used(name: str) -> None:
    brought: Any = OTHER.as_dict(private=False) if name == "jwk" else "https://evil.invalid/keys"
    with pytest.raises(TokenError):
        read(signed(CLAIMS, OTHER, kid="one", **{name: brought}))


def test_a_token_of_another_kind_is_no_id_token() -> None:
    for kind in ("logout+jwt", "at+jwt"):
        with pytest.raises(TokenError) as caught:
            read(signed(CLAIMS, typ=kind))
        assert caught.value.why == "typ"


def test_an_extension_that_must_be_understood_is_not_passed_over() -> None:
    with pytest.raises(TokenError):
        read(_resigned({"alg": "RS256", "kid": "one", "crit": ["exotic"], "exotic": 1}))


def _resigned(header: Mapping[str, Any]) -> str:
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    content = f"{_part(header)}.{_part(CLAIMS)}"
    assert KEY.private_key is not None
    signature = KEY.private_key.sign(content.encode(), padding.PKCS1v15(), SHA256())
    return f"{content}.{_base64url(signature)}"


def test_a_token_that_is_too_long_is_not_even_read() -> None:
    with pytest.raises(TokenError) as caught:
        read("x" * (TOKEN_LIMIT + 1))
    assert caught.value.why == "length"


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
def test_whatever_is_no_token_is_refused_in_one_way(token: str) -> None:
    with pytest.raises(TokenError):
        read(token)


@given(
    st.none()
    | st.text(max_size=5)
    | st.dictionaries(st.just("keys"), st.lists(st.dictionaries(st.text(max_size=4), st.text())))
    | st.builds(
        lambda change: {"keys": [{**KEY.as_dict(private=False), **change}]},
        st.dictionaries(st.sampled_from(["n", "e"]), st.text(max_size=3), min_size=1),
    )
)
def test_keys_that_are_none_are_refused_in_one_way(given_keys: object) -> None:
    with pytest.raises(TokenError):
        key_set(given_keys)


def test_a_logout_names_a_session_or_a_person() -> None:
    whole = ended(logging_out({}))
    assert (whole.subject, whole.session, whole.token_id) == ("one", "session one", "once")
    assert ended(logging_out({"sub": None})).subject is None
    assert ended(logging_out({"sid": None})).session is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"iss": "https://other.invalid"}, "iss"),
        ({"aud": "another client"}, "aud"),
        ({"events": None}, "events"),
        ({"events": {}}, "events"),
        ({"events": {LOGOUT_EVENT: True}}, "events"),
        ({"nonce": NONCE}, "nonce"),
        ({"sub": None, "sid": None}, "sub"),
        ({"jti": None}, "jti"),
        ({"jti": ["a"]}, "jti"),
        ({"iat": AT - 7200, "exp": AT + 7200}, "iat"),
        ({"exp": AT - 61}, "exp"),
        ({"exp": None}, "exp"),
    ],
)
def test_a_logout_that_is_none_ends_nothing(change: Mapping[str, Any], why: str) -> None:
    with pytest.raises(TokenError) as caught:
        ended(logging_out(change))
    assert caught.value.why == why


def test_an_id_token_ends_no_session() -> None:
    for token in (signed(CLAIMS), signed(CLAIMS, typ="logout+jwt"), signed(LOGOUT)):
        with pytest.raises(TokenError):
            ended(token)
