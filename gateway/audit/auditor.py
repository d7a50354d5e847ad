"""The whole check of one practice's log, from what was fetched to what is wrong.

1. The checkpoint: signed by the log's key, co-signed by as many witnesses as asked, young enough.
2. The tiles: they hash to the signed root.
3. The practice's events: numbered without a gap, each what the tree holds at its place.
4. What was kept: the tree begins with the one seen before, and shows the same events in it.
5. The receipts: each is borne out by an event.

What this cannot see is in docs/audit.md: an access that is in no entry, or is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gateway.audit import receipts as receipt_book
from gateway.audit.findings import Finding, Lie, in_order
from gateway.audit.kept import Kept
from gateway.audit.receipts import Receipt
from gateway.audit.series import Place, Series, differing
from gateway.audit.tiles import (
    FalseTileError,
    MissingTileError,
    SignedTree,
    Tile,
    claimed_leaf,
)
from gateway.audit.tiles import edge as edge_of
from keys.errors import SignatureError
from keys.signing import Cosigner, Verifiers
from storage.accesslog.checkpoint import Checkpoint, open_checkpoint
from storage.accesslog.tree import HASH_SIZE, TILE_HEIGHT
from storage.errors import LogInconsistentError


@dataclass(frozen=True, slots=True)
class Policy:
    """What the checker believes and asks for.

    Attributes:
        key: The log's public keys, newest first; its name is the log's origin.
        witnesses: Those whose co-signatures count.
        needed: How many of them must have co-signed.
        max_age: How old the checkpoint may be, or None.
    """

    key: Verifiers
    witnesses: tuple[Cosigner, ...] = ()
    needed: int = 0
    max_age: timedelta | None = None

    def open(self, note: str) -> Checkpoint:
        """The checkpoint in a note. Raises LogInconsistentError: it is not of this log's key."""
        checkpoint = open_checkpoint(note, self.key.open_note)
        if checkpoint.origin != self.key.name:
            raise LogInconsistentError("a checkpoint of another log")
        return checkpoint


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the server showed.

    Attributes:
        note: The signed checkpoint.
        series: The practice's events below its size, checked by themselves.
        tiles: Those that `tiles.needed` names.
        live: It was fetched just now, and is not a bundle.
    """

    note: str
    series: Series
    tiles: Mapping[Tile, bytes]
    live: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it.

    Attributes:
        findings: Every lie, the first index first; none: the log is right.
        note: The checkpoint as shown.
        earlier: The checkpoint kept from the last check, or "". Both are signed: where they
            contradict each other, they convict the log's key before anyone.
        size: Entries in the tree.
        events: Events of this practice.
        pruned: How many of them are past their legal term.
        receipts: Receipts that were looked for.
        witnesses: Names of those that co-signed.
        kept: What to keep for the next check; only where nothing is wrong.
    """

    findings: tuple[Finding, ...]
    note: str
    earlier: str
    size: int
    events: int
    pruned: int
    receipts: int
    witnesses: tuple[str, ...]
    kept: Kept | None


def check(evidence: Evidence, policy: Policy, kept: Kept, receipts: Sequence[Receipt]) -> Report:
    """Check what was shown against what is believed."""
    series = evidence.series
    try:
        checkpoint = policy.open(evidence.note)
    except LogInconsistentError:
        return _report(evidence, kept, receipts, [Finding(Lie.UNSIGNED, 0, policy.key.name)])
    cosigned = _cosignatures(evidence.note, policy)
    findings = [
        *series.findings,
        *_on_signatures(cosigned, series, policy),
        *_Trees(evidence, checkpoint, kept, policy).findings(),
        *receipt_book.check(receipts, series, live=evidence.live),
    ]
    report = _report(evidence, kept, receipts, findings)
    return replace(
        report,
        size=checkpoint.size,
        witnesses=tuple(cosigned),
        kept=None if findings else _to_keep(evidence, checkpoint, kept, policy),
    )


def _report(
    evidence: Evidence, kept: Kept, receipts: Sequence[Receipt], findings: Sequence[Finding]
) -> Report:
    return Report(
        findings=in_order(findings),
        note=evidence.note,
        earlier=kept.note,
        size=0,
        events=len(evidence.series.places),
        pruned=evidence.series.pruned,
        receipts=len(receipts),
        witnesses=(),
        kept=None,
    )


def _cosignatures(note: str, policy: Policy) -> dict[str, datetime]:
    """When each of the policy's witnesses co-signed; those that did not are left out."""
    found = {}
    for witness in policy.witnesses:
        try:
            timestamp = witness.cosignature(note).timestamp
            found[witness.name] = datetime.fromtimestamp(timestamp, UTC)
        except (SignatureError, ValueError, OverflowError, OSError):
            continue
    return found


def _on_signatures(
    cosigned: Mapping[str, datetime], series: Series, policy: Policy
) -> Iterator[Finding]:
    if len(cosigned) < policy.needed:
        yield Finding(Lie.UNWITNESSED, None, f"{len(cosigned)}/{policy.needed}")
    if policy.max_age is None:
        return
    # A witness's word on the time is better than the log's own.
    times = sorted(cosigned.values(), reverse=True)[: max(policy.needed, 1)]
    seen_at = min(times) if times else series.last_at
    if seen_at is None or series.now - seen_at > policy.max_age:
        yield Finding(Lie.STALE, None, "?" if seen_at is None else seen_at.isoformat())


@dataclass(frozen=True, slots=True)
class _Trees:
    """The tree that was shown, against the events in it and the tree seen before."""

    evidence: Evidence
    checkpoint: Checkpoint
    kept: Kept
    policy: Policy

    def findings(self) -> Iterator[Finding]:
        size, root = self.checkpoint.size, self.checkpoint.root
        earlier = self.policy.open(self.kept.note).size if self.kept.note else 0
        # A bundle may well be older than what was seen since.
        if size < earlier and self.evidence.live:
            yield Finding(Lie.ROLLED_BACK, size, str(earlier))
        try:
            tree = SignedTree(size, root, self.evidence.tiles)
        except FalseTileError as error:
            yield self._false(error)
            return
        yield from self._events(tree)
        yield from self._forked(tree, self.kept.edge if earlier <= size else {})
        yield from self._withheld()

    def _known(self) -> Sequence[Place]:
        """The practice's events as they were seen before."""
        return self.kept.places.get(self.evidence.series.controller_id or "", ())

    def _events(self, tree: SignedTree) -> Iterator[Finding]:
        false_tiles: set[Tile] = set()
        for number, place in enumerate(self.evidence.series.places, 1):
            if place is None:
                continue
            if place.index >= tree.size:
                yield Finding(Lie.MISPLACED, place.index, str(number))
                continue
            try:
                leaf = tree.leaf(place.index)
            except FalseTileError as error:
                if error.tile not in false_tiles:
                    false_tiles.add(error.tile)
                    yield self._false(error)
                continue
            if place.leaf is not None and place.leaf != leaf:
                yield Finding(Lie.ALTERED, place.index, str(number))

    def _false(self, error: FalseTileError) -> Finding:
        """Name the tile, and the exact entry where an event of ours or a kept one tells it."""
        tile = error.tile
        if isinstance(error, MissingTileError):
            return Finding(Lie.UNPROVEN, tile.first_index, tile.path)
        series, tiles = self.evidence.series, self.evidence.tiles
        claimed = [
            place and replace(place, leaf=claimed_leaf(self.checkpoint.size, tiles, place.index))
            for place in series.places
        ]
        exact = differing(series.places, claimed)
        if exact is None:
            exact = differing(self._known(), series.places)
        return Finding(Lie.FALSE_TREE, tile.first_index if exact is None else exact, tile.path)

    def _forked(self, tree: SignedTree, edge: Mapping[Tile, bytes]) -> Iterator[Finding]:
        """Does the tree begin with the one whose edge was kept? If not: where it leaves it."""
        found: list[tuple[int, int]] = []  # first index, entries below the hash
        for tile, hashes in edge.items():
            try:
                shown = tree.hashes(tile.level, tile.number)
            except FalseTileError as error:
                yield self._false(error)
                return
            for at in range(0, len(hashes), HASH_SIZE):
                if shown[at : at + HASH_SIZE] != hashes[at : at + HASH_SIZE]:
                    below = 1 << (TILE_HEIGHT * tile.level)
                    found.append((tile.first_index + at // HASH_SIZE * below, below))
                    break
        exact = differing(self._known(), self.evidence.series.places)
        if found:
            first, below = min(found)
            index = first if below == 1 or exact is None else exact
            yield Finding(Lie.REWRITTEN, index, f"{first}-{first + below - 1}")
        elif exact is not None:
            yield Finding(Lie.MISPLACED, exact, str(self.evidence.series.controller_id))

    def _withheld(self) -> Iterator[Finding]:
        known, shown = self._known(), self.evidence.series.places
        if len(shown) < len(known) and known[len(shown)].index < self.checkpoint.size:
            yield Finding(Lie.WITHHELD, known[len(shown)].index, str(len(shown) + 1))


def _to_keep(evidence: Evidence, checkpoint: Checkpoint, kept: Kept, policy: Policy) -> Kept:
    tree = SignedTree(checkpoint.size, checkpoint.root, evidence.tiles)
    series = evidence.series
    places = [Place(place.index, tree.leaf(place.index)) for place in series.places if place]
    mine = {series.controller_id: places} if series.controller_id else {}
    # An older bundle may be right, and is no reason to forget a newer checkpoint.
    if kept.note and policy.open(kept.note).size > checkpoint.size:
        return kept
    hashes = {tile: evidence.tiles[tile] for tile in edge_of(checkpoint.size)}
    return Kept(evidence.note, hashes, {**kept.places, **mine})
