"""What an inventory found: what was looked at, what a crash left, and what is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

MOST = 100  # faults of one kind that are named; the others are counted

RESTORE_KEYS = "put the newest back-up of the keystore in place"
RESTORE_BLOB = "put this blob back from a back-up of the vault; blobs never change"
SEND_AGAIN = "end this upload, and have the file sent again"
ASK = "do not serve; keep a copy of everything and look into the access log"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that should not be, and what to do about it. Ids alone: no personal data."""

    where: str
    wrong: str
    remedy: str


Look = Callable[[], Awaitable[frozenset[Fault]]]


@dataclass(slots=True)
class Tally:
    """One kind of thing.

    Attributes:
        name: What.
        seen: How many were looked at.
        left: How many of them are what a crash or an act under way leaves; they go by themselves.
        faults: What is wrong, the first hundred.
        unnamed: How many faults came after these.
    """

    name: str
    seen: int = 0
    left: int = 0
    faults: list[Fault] = field(default_factory=list)
    unnamed: int = 0

    def add(self, fault: Fault) -> None:
        """Name a fault, or count it."""
        if len(self.faults) < MOST:
            self.faults.append(fault)
        else:
            self.unnamed += 1

    async def look(self, look: Look) -> None:
        """Look at one thing; what seems wrong is looked at again.

        A server may be at work: what it was just changing is right at the second look.
        """
        self.seen += 1
        if found := await look():
            for fault in sorted(found & await look(), key=str):
                self.add(fault)
