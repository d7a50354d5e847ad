"""One practice's events in the order of their running numbers, checked one by one as they come.

Nothing is kept of a record but what later questions need: 32 bytes of leaf hash, and what stands
behind a receipt. So a long log does not fill the memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.audit.findings import Finding, Lie
from storage.accesslog.event import AccessEvent, commitment
from storage.accesslog.tree import leaf_hash

LEGAL_TERM = timedelta(days=5 * 365)  # NEN 7513: kept for five years at the least


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as the server shows it.

    Attributes:
        number: The practice's running number, from 1.
        index: The place in the tree, from 0.
        record: Canonical JSON (RFC 8785) with the number in it; None once pruned.
        salt: Key of the HMAC-SHA256 that makes the log's entry of the record; None once pruned.
    """

    number: int
    index: int
    record: str | None = field(default=None, repr=False)
    salt: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event is in the tree, and the leaf hash it must have there (None: pruned)."""

    index: int
    leaf: bytes | None


@dataclass(slots=True)
class Series:
    """Takes events in; what is wrong with them by themselves is in `findings`.

    Attributes:
        wanted: Ids of events that a receipt asks for.
        now: When this check is made.
        places: By running number, from number 1; a missing number holds None.
        found: The events that were asked for, with their places.
        controller_id: Whose events these are; learnt from the first record.
        last_id: The greatest event id so far: UUIDv7, so the latest event.
        last_at: The latest time in a record.
        pruned: How many are pruned.
    """

    wanted: frozenset[str]
    now: datetime
    places: list[Place | None] = field(default_factory=list)
    found: dict[str, tuple[int, AccessEvent]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    controller_id: str | None = None
    last_id: str = ""
    last_at: datetime | None = None
    pruned: int = 0
    _last_index: int = -1

    def add(self, event: LoggedEvent) -> None:
        """Take the next event."""
        missing = event.number - len(self.places) - 1
        # A number cannot exceed the entries up to it; more would only fill the memory.
        if missing < 0 or event.index <= self._last_index or event.number > event.index + 1:
            self._wrong(Lie.MISPLACED, event)
            return
        if missing:
            first, last = len(self.places) + 1, event.number - 1
            numbers = str(first) if first == last else f"{first}-{last}"
            self.findings.append(Finding(Lie.GAP, event.index, numbers))
            self.places += [None] * missing
        self._last_index = event.index
        self.places.append(Place(event.index, self._leaf(event)))

    def _leaf(self, event: LoggedEvent) -> bytes | None:
        if event.record is None or event.salt is None:
            self.pruned += 1
            # What comes behind a record that is still within its term is within its own.
            if self.last_at is not None and self.now - self.last_at < LEGAL_TERM:
                self._wrong(Lie.PRUNED_EARLY, event)
            return None
        self._read(event, event.record)
        # docs/formats.md: the entry is HMAC-SHA256(salt, record).
        return leaf_hash(commitment(event.salt, event.record))

    def _read(self, event: LoggedEvent, text: str) -> None:
        try:
            record = json.loads(text)
            number, stated = record["number"], AccessEvent.from_record(record)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            self._wrong(Lie.FOREIGN, event)
            return
        self.controller_id = self.controller_id or stated.controller_id
        if number != event.number or stated.controller_id != self.controller_id:
            self._wrong(Lie.FOREIGN, event)
            return
        self.last_id = max(self.last_id, stated.id)
        self.last_at = max(self.last_at or stated.at, stated.at)
        if stated.id in self.wanted:
            self.found[stated.id] = (event.index, stated)

    def _wrong(self, lie: Lie, event: LoggedEvent) -> None:
        self.findings.append(Finding(lie, event.index, str(event.number)))


def differing(mine: Iterable[Place | None], other: Iterable[Place | None]) -> int | None:
    """The first index at which two lists of the same events disagree, as far as both go."""
    for one, two in zip(mine, other, strict=False):
        if one is None or two is None:
            continue
        if one.index != two.index:
            return min(one.index, two.index)
        if one.leaf is not None and two.leaf is not None and one.leaf != two.leaf:
            return one.index
    return None
