"""A log of two practices, made by the rules alone: what an honest server would show, and lies."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785

from gateway.audit.auditor import Evidence, Policy, Report, check
from gateway.audit.kept import Kept
from gateway.audit.receipts import Receipt
from gateway.audit.series import LoggedEvent, Series
from gateway.audit.tiles import Tile, needed
from keys.secret import SecretKey
from keys.signing import CosigningKey, SigningKey, Verifiers
from storage.accesslog.checkpoint import Checkpoint
from storage.accesslog.event import AccessEvent
from storage.accesslog.tree import EMPTY_ROOT, Tree, extend, leaf_hash

ORIGIN = "log.invalid/kluis"
MINE, OTHER = "practice-north", "practice-south"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SERVER = "https://kluis.invalid"


def signing_key(seed: int = 1) -> SigningKey:
    return SigningKey(ORIGIN, SecretKey(bytes([seed]) * 32))


def cosigning_key(seed: int) -> CosigningKey:
    return CosigningKey(f"witness.invalid/{seed}", SecretKey(bytes([seed]) * 32))


@dataclass
class World:
    """A log that grows; `mine` are the events of the practice that checks."""

    commitments: list[bytes] = field(default_factory=list)
    mine: list[LoggedEvent] = field(default_factory=list)
    key: SigningKey = field(default_factory=signing_key)
    began: datetime = NOW - timedelta(days=1)

    def add(self, controller: str = MINE, **more: Any) -> AccessEvent:
        index = len(self.commitments)
        event = AccessEvent(
            **{
                "id": f"0197e0d4-0000-7000-8000-{index:012x}",
                "at": self.began + timedelta(seconds=index),
                "code": "case.view",
                "action": "R",
                "stage": "authorised",
                "actor_id": "account-1",
                "actor_role": "dentist",
                "ground": "own_practice",
                "request_id": "request-1",
                "access_point": "api",
                "source": "node-1",
                "controller_id": controller,
                **more,
            }
        )
        number = len(self.mine) + 1 if controller == MINE else index
        record = rfc8785.dumps(event.to_record() | {"number": number}).decode()
        salt = hashlib.sha256(str(index).encode()).digest()
        self.commitments.append(hmac.digest(salt, record.encode(), "sha256"))
        if controller == MINE:
            self.mine.append(LoggedEvent(number, index, record, salt))
        return event

    def grow(self, count: int, every: int = 2) -> World:
        """Add so many events, each `every`-th of them of the practice that checks."""
        for _ in range(count):
            self.add(MINE if len(self.commitments) % every == 0 else OTHER)
        return self

    def tiles(self) -> dict[tuple[int, int], bytes]:
        return extend(0, [leaf_hash(entry) for entry in self.commitments], lambda *_: b"")

    def root(self) -> bytes:
        tiles = self.tiles()
        size = len(self.commitments)
        return Tree(lambda *at: tiles[at]).root(size) if size else EMPTY_ROOT

    def checkpoint(self) -> str:
        return self.key.sign_note(Checkpoint(ORIGIN, len(self.commitments), self.root()).text())

    def evidence(
        self,
        *,
        events: Sequence[LoggedEvent] | None = None,
        note: str | None = None,
        earlier: int = 0,
        receipts: Sequence[Receipt] = (),
        live: bool = True,
        now: datetime = NOW,
    ) -> Evidence:
        """What a server shows that is honest but for what is given here."""
        series = Series(frozenset(receipt.event for receipt in receipts), now)
        for event in self.mine if events is None else events:
            series.add(event)
        places = [place.index for place in series.places if place]
        size, tiles = len(self.commitments), self.tiles()
        shown = {}
        for tile in needed(size, [index for index in places if index < size], earlier):
            shown[tile] = tiles[tile.level, tile.number][: tile.width * 32]
        return Evidence(note or self.checkpoint(), series, shown, live=live)


def policy(**more: Any) -> Policy:
    return Policy(Verifiers.parse(signing_key().verifier), **more)


def judged(evidence: Evidence, kept: Kept | None = None, **more: Any) -> Report:
    receipts = more.pop("receipts", ())
    return check(evidence, policy(**more), kept or Kept(), receipts)


def lies(report: Report) -> list[tuple[str, int | None]]:
    return [(finding.lie.value, finding.index) for finding in report.findings]


def altered(event: LoggedEvent, /, **groups: dict[str, Any]) -> LoggedEvent:
    """The event with other values in its record."""
    record = json.loads(event.record or "")
    for group, values in groups.items():
        record[group] |= values
    return replace(event, record=rfc8785.dumps(record).decode())


def flipped(tiles: dict[Tile, bytes], tile: Tile, at: int) -> dict[Tile, bytes]:
    """The tiles with one bit of one hash changed."""
    hashes = bytearray(tiles[tile])
    hashes[at * 32] ^= 1
    return tiles | {tile: bytes(hashes)}
