"""Passwords that cost little, for tests whose subject is not what they cost."""

from __future__ import annotations

import pytest

from gateway.access import passwords
from tests.gateway.access.signing_on import opening  # noqa: F401  fixture


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id at its least: each check takes a millisecond."""
    monkeypatch.setattr(passwords, "PASSES", 1)
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
