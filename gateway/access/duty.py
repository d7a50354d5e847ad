"""The duty of confidentiality that everybody of the house confirms, and when it counts (P12).

A changed text gets another version: whoever confirmed an earlier one is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from storage.accounts import Account

VERSION = 1
TERM = timedelta(days=365)
TEXT: Mapping[str, str] = {
    "en": (
        "What I see here is about patients. "
        "I look at it only as far as my work on a case needs it. "
        "I tell it to nobody who does not need it for the same work, and I keep no copies of my "
        "own. "
        "I know that every act is logged and can be read by the practice. "
        "This duty stays when my work here has ended (GDPR articles 28(3)(b) and 32(4))."
    ),
    "nl": (
        "Wat ik hier zie gaat over patiënten. "
        "Ik kijk er alleen naar zover mijn werk aan een casus dat vraagt. "
        "Ik vertel het aan niemand die het niet voor hetzelfde werk nodig heeft, en bewaar geen "
        "eigen kopieën. "
        "Ik weet dat elke handeling wordt vastgelegd en dat de praktijk die kan lezen. "
        "Deze plicht blijft als mijn werk hier is afgelopen (AVG artikel 28 lid 3 onder b en "
        "artikel 32 lid 4)."
    ),
}


def confirmed_until(account: Account) -> datetime | None:
    """Until when the account's confirmation counts; None: this version was never confirmed."""
    if account.confidential_at is None or account.confidential_version != VERSION:
        return None
    return account.confidential_at + TERM


def is_bound(account: Account | None, at: datetime) -> bool:
    """Whether somebody has confirmed their duty, in this version and within the term."""
    until = None if account is None else confirmed_until(account)
    return until is not None and at < until
