"""Passkeys by themselves: what holds, and what a hostile page or authenticator sends."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import ceremony
from gateway.access.ceremony import NewPasskey, PasskeyError, RelyingParty
from gateway.ids import new_id, new_secret
from tests.authenticator import Answering, SoftKey, base64url, unbase64

ORIGIN = "https://kluis.example.invalid"
PARTY = RelyingParty.of(ORIGIN)
TRUE = Answering(ORIGIN)
ACCOUNT = new_id()


def registered(key: SoftKey, how: Answering = TRUE) -> NewPasskey:
    ticket = new_secret()
    options = ceremony.registration_options(PARTY, ACCOUNT, "a@b.invalid", ticket, [])
    return ceremony.register(PARTY, key.create(options, how), ticket)


def answered(
    key: SoftKey, known: NewPasskey, how: Answering = TRUE, *, alone: bool = True
) -> ceremony.Proven:
    ticket = new_secret()
    options = ceremony.authentication_options(PARTY, ticket, verified=alone)
    credential = key.get(options, how)
    return ceremony.authenticate(
        PARTY, credential, ticket, known, account_id=ACCOUNT, named=alone, verified=alone
    )


def test_a_passkey_that_was_registered_signs_its_person_in() -> None:
    key = SoftKey()
    known = registered(key)
    proof = answered(key, known)
    assert known.credential_id == key.credential_id
    assert proof.verified
    assert proof.sign_count == known.sign_count + 1


def test_a_passkey_must_be_kept_on_the_authenticator() -> None:
    options = ceremony.registration_options(PARTY, ACCOUNT, "a@b.invalid", new_secret(), [b"one"])
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["rp"]["id"] == "kluis.example.invalid"
    assert options["attestation"] == "none"
    assert unbase64(options["excludeCredentials"][0]["id"]) == b"one"


def test_options_for_a_passkey_alone_ask_for_its_person_and_name_nobody() -> None:
    options = ceremony.authentication_options(PARTY, new_secret(), verified=True)
    assert options["userVerification"] == "required"
    assert options["allowCredentials"] == []


def test_each_ticket_has_a_challenge_of_its_own_that_does_not_tell_the_ticket() -> None:
    ticket = new_secret()
    assert ceremony.challenge(ticket) == ceremony.challenge(ticket)
    assert ceremony.challenge(ticket) != ceremony.challenge(new_secret())
    assert base64url(ceremony.challenge(ticket)) != ticket


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(replace(TRUE, origin="https://kluis.example.invalid.evil.invalid"), id="site"),
        pytest.param(replace(TRUE, origin="http://kluis.example.invalid"), id="plain HTTP"),
        pytest.param(replace(TRUE, origin="https://kluis.example.invalid:444"), id="port"),
        pytest.param(replace(TRUE, rp_id="example.invalid"), id="relying party"),
        pytest.param(replace(TRUE, challenge=base64url(os.urandom(32))), id="challenge"),
        pytest.param(replace(TRUE, kind="webauthn.get"), id="other ceremony"),
        pytest.param(replace(TRUE, present=False), id="nobody there"),
        pytest.param(replace(TRUE, cross_origin=True), id="in a frame"),
    ],
)
def test_a_passkey_made_for_anything_else_is_not_registered(how: Answering) -> None:
    with pytest.raises(PasskeyError):
        registered(SoftKey(), how)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(replace(TRUE, origin="https://evil.invalid"), id="site"),
        pytest.param(replace(TRUE, rp_id="evil.invalid"), id="relying party"),
        pytest.param(replace(TRUE, challenge=base64url(os.urandom(32))), id="challenge"),
        pytest.param(replace(TRUE, kind="webauthn.create"), id="other ceremony"),
        pytest.param(replace(TRUE, present=False), id="nobody there"),
        pytest.param(replace(TRUE, verified=False), id="person not verified"),
        pytest.param(replace(TRUE, cross_origin=True), id="in a frame"),
        pytest.param(replace(TRUE, user_handle=os.urandom(16)), id="somebody else's"),
        pytest.param(replace(TRUE, hides_user=True), id="nobody's"),
    ],
)
def test_an_answer_to_anything_else_signs_nobody_in(how: Answering) -> None:
    key = SoftKey()
    known = registered(key)
    with pytest.raises(PasskeyError):
        answered(key, known, how)


def test_an_answer_of_another_key_signs_nobody_in() -> None:
    known = registered(SoftKey())
    thief = SoftKey(credential_id=known.credential_id, user=ceremony.handle(ACCOUNT), counter=9)
    with pytest.raises(PasskeyError):
        answered(thief, known)


def test_an_answer_is_good_for_its_own_ticket_alone() -> None:
    key = SoftKey()
    known = registered(key)
    first, second = new_secret(), new_secret()
    credential = key.get(ceremony.authentication_options(PARTY, first, verified=True), TRUE)
    with pytest.raises(PasskeyError):
        ceremony.authenticate(
            PARTY, credential, second, known, account_id=ACCOUNT, named=True, verified=True
        )


@pytest.mark.parametrize("steps", [0, -1])
def test_a_counter_that_does_not_go_on_is_told_from_a_wrong_signature(steps: int) -> None:
    key = SoftKey(counter=7)
    known = registered(key)
    key.steps = steps
    with pytest.raises(PasskeyError) as caught:
        answered(key, known)
    assert caught.value.why == "counter"
    stranger = SoftKey(credential_id=known.credential_id, user=key.user)
    with pytest.raises(PasskeyError) as caught:
        answered(stranger, known)
    assert caught.value.why == "answer"


def test_an_authenticator_without_a_counter_says_nought_each_time() -> None:
    key = SoftKey(steps=0)
    assert answered(key, registered(key)).sign_count == 0


def test_beside_a_password_a_passkey_need_not_verify_its_person() -> None:
    key = SoftKey()
    known = registered(key)
    proof = answered(key, known, replace(TRUE, verified=False, hides_user=True), alone=False)
    assert not proof.verified


def test_a_passkey_with_a_makers_certificate_is_not_looked_into() -> None:
    key, ticket = SoftKey(), new_secret()
    options = ceremony.registration_options(PARTY, ACCOUNT, "a@b.invalid", ticket, [])
    credential = key.create(options, TRUE)
    made = cbor2.loads(unbase64(credential["response"]["attestationObject"]))
    for form, statement in [("tpm", {}), ("packed", {"alg": -7, "sig": b"", "x5c": [b"cert"]})]:
        changed = cbor2.dumps({**made, "fmt": form, "attStmt": statement})
        credential["response"]["attestationObject"] = base64url(changed)
        with pytest.raises(PasskeyError) as caught:
            ceremony.register(PARTY, credential, ticket)
        assert caught.value.why == "attestation"


@given(raw=st.binary(max_size=300), text=st.text(max_size=40), field=st.integers(0, 4))
def test_whatever_an_authenticator_sends_is_refused_in_one_way(
    raw: bytes, text: str, field: int
) -> None:
    key, ticket = SoftKey(), new_secret()
    made = SoftKey().create(
        ceremony.registration_options(PARTY, ACCOUNT, "a@b.invalid", ticket, []), TRUE
    )
    proof = key.get(ceremony.authentication_options(PARTY, ticket, verified=True), TRUE)
    known = registered(key)
    name = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]
    for value in (base64url(raw), text):
        changed: list[dict[str, Any]] = [
            {**credential, "response": {**credential["response"], name[field]: value}}
            for credential in (made, proof)
        ]
        if field <= 1:
            with pytest.raises(PasskeyError):
                ceremony.register(PARTY, changed[0], ticket)
        with pytest.raises(PasskeyError):
            ceremony.authenticate(
                PARTY, changed[1], ticket, known, account_id=ACCOUNT, named=True, verified=True
            )


@given(
    changed=st.dictionaries(
        st.sampled_from([1, 3, -1, -2, -3]),
        st.integers(-300, 300) | st.binary(max_size=70) | st.text(max_size=5) | st.none(),
        min_size=1,
    )
)
def test_a_public_key_that_is_none_is_not_registered(changed: dict[int, Any]) -> None:
    key = SoftKey()
    strange = {**key.cose(), **changed}
    if strange != key.cose():
        with pytest.raises(PasskeyError):
            registered(key, replace(TRUE, public_key=strange))


def test_a_point_off_the_curve_is_not_registered() -> None:
    key = SoftKey()
    with pytest.raises(PasskeyError):
        registered(key, replace(TRUE, public_key={**key.cose(), -3: bytes(32)}))
