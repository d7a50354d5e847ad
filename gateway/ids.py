"""Identifiers, clocks and random secrets."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from datetime import UTC, datetime

ID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
WEEK_PATTERN = "20[0-9]{2}-W(?:0[1-9]|[1-4][0-9]|5[0-3])"  # ISO 8601
SECRET_PATTERN = "[A-Za-z0-9_-]{43}"  # noqa: S105 - a pattern


def new_id() -> str:
    """A UUIDv7 (RFC 9562 section 5.7): sorts by time, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))


def new_secret() -> str:
    """256 random bits, safe in an address or a header (43 characters)."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """How a secret is stored. It has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).digest()


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)
