"""How somebody proves who they are, from where, and whether that is enough."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum

from storage.accounts import Session


class Proof(StrEnum):
    """One proof. The names are API: they stand in the access log and in answers."""

    PASSWORD = "password"  # noqa: S105 - a name
    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"
    PASSKEY = "passkey"
    OIDC = "oidc"
    PROVIDER_FACTOR = "provider_factor"  # the provider asked for more than a password, too


def proofs_of(session: Session) -> AbstractSet[Proof]:
    """How the person behind a session proved themself."""
    return frozenset(map(Proof, session.proofs.split()))


def is_strong(proofs: AbstractSet[Proof]) -> bool:
    """Whether these are two factors. A passkey is two: the device, and its user's verification."""
    return Proof.PASSKEY in proofs or len(proofs) > 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in.

    Attributes:
        address: The network address.
        device: What the browser says it is, in words of ours.
        cookie: The hash of the secret by which this browser is known again, if it brought one.
    """

    address: str | None
    device: str
    cookie: bytes | None = field(default=None, repr=False)


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("kluis", "kluis"),
)
_SYSTEMS = (
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """A User-Agent in a few words of ours, such as "Firefox on Windows"; never its own text."""
    browser = _first(_BROWSERS, user_agent) or "another browser"
    system = _first(_SYSTEMS, user_agent)
    return f"{browser} on {system}" if system else browser


def _first(names: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((name for mark, name in names if re.search(rf"\b{mark}", text)), None)
