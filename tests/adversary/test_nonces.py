"""A nonce that comes twice under one key is seen, whatever process used it."""

from __future__ import annotations

from pathlib import Path

import pytest

from keys import stream
from keys.context import Context, Purpose
from keys.secret import SecretKey
from tests.adversary.nonces import recorded, repeated

PLACE = Context(Purpose.FILE, "practice", "case", "file")


def test_streams_under_one_key_repeat_no_nonce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path / "nonces", monkeypatch.setattr)
    key = SecretKey.generate()

    for _ in range(20):
        stream.seal_bytes(key, bytes(2 * stream.SEGMENT_SIZE), PLACE)

    assert len((tmp_path / "nonces").read_text().splitlines()) == 60
    assert repeated(tmp_path / "nonces") == []


def test_a_salt_that_comes_twice_under_one_key_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(tmp_path / "nonces", monkeypatch.setattr)
    key, other = SecretKey.generate(), SecretKey.generate()
    monkeypatch.setattr("keys.stream.os.urandom", bytes)

    stream.seal_bytes(key, b"one", PLACE)
    stream.seal_bytes(other, b"one", PLACE)
    assert repeated(tmp_path / "nonces") == []

    stream.seal_bytes(key, b"two", PLACE)
    assert len(repeated(tmp_path / "nonces")) == 1
