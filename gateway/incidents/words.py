"""The words that incidents are told by. The names are API."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad it looks."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Risk(StrEnum):
    """What it means to people: GDPR articles 33(1) and 34(1)."""

    UNKNOWN = "unknown"
    UNLIKELY = "unlikely"  # no risk: the authority need not be told
    RISK = "risk"
    HIGH_RISK = "high"  # the people themselves are told, unless keys kept it from being read


class Remedy(StrEnum):
    """What contains an incident."""

    SESSIONS = "sessions"  # of accounts: their sessions and tokens end
    ACCOUNTS = "accounts"  # accounts are shut out
    ASSIGNMENTS = "assignments"  # of planners: their access to every case ends
    FREEZE = "freeze"  # cases are stored and nothing else (GDPR article 18)
    KEYS = "keys"  # practices get a new key; what was wrapped under the old one is wrapped anew
