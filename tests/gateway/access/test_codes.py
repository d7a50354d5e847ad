"""Codes of six digits and of 120 bits: made, found again, and nothing else taken for one."""

from __future__ import annotations

import base64
import time
from functools import partial
from types import SimpleNamespace

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import codes
from gateway.settings import Settings


@given(st.binary(min_size=20, max_size=20), st.integers(-1, 1))
def test_a_code_of_now_or_a_step_beside_it_is_found(secret: bytes, drift: int) -> None:
    totp = pyotp.TOTP(base64.b32encode(secret).decode())
    step = int(time.time()) // 30 + drift
    found = codes.step_of(secret, totp.generate_otp(step), 1)

    # The clock may move on in between; a code of six digits may be that of another step, too.
    assert found is not None
    assert totp.generate_otp(found) == totp.generate_otp(step)


@given(st.text(max_size=40))
def test_no_other_text_is_taken_for_a_code(text: str) -> None:
    secret = b"a secret of 20 bytes"
    totp = pyotp.TOTP(base64.b32encode(secret).decode())
    near = {totp.generate_otp(int(time.time()) // 30 + drift) for drift in range(-2, 3)}

    assert codes.step_of(secret, text, 1) is None or text in near


@pytest.mark.parametrize("at", [0.0, 14.0, 29.9])
def test_by_default_a_code_lives_for_its_30_seconds(
    at: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    drift = Settings.model_fields["code_clock_steps"].default
    secret, begin = b"a secret of 20 bytes", 1_800_000_000
    code = pyotp.TOTP(base64.b32encode(secret).decode()).at(begin)

    for elapsed, found in ((at, True), (at - 30, False), (at + 30, False), (at + 60, False)):
        clock = partial(float, begin + elapsed)
        monkeypatch.setattr(codes, "time", SimpleNamespace(time=clock))
        assert (codes.step_of(secret, code, drift) is not None) == found


def test_recovery_codes_hold_120_bits_and_are_read_back_however_they_are_typed() -> None:
    fresh = {codes.new_recovery_code() for _ in range(100)}

    assert len(fresh) == 100
    for code in fresh:
        assert len(base64.b32decode(code.replace("-", "").upper())) == 15
        assert codes.hash_recovery_code(code.upper()) == codes.hash_recovery_code(f" {code} ")
