"""What can be wrong with a log, as one list of codes. The codes are API.

A finding names the first index that it concerns: the place in the tree, from 0. Where there is no
place, such as for an event that is not in the log at all, it says so by None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Lie(StrEnum):
    """What the server cannot honestly do."""

    UNSIGNED = "unsigned"  # the checkpoint is not one that the log's key signed
    UNWITNESSED = "unwitnessed"  # too few of the required witnesses co-signed it
    STALE = "stale"  # older than allowed, or the log does not take up what happens now
    ROLLED_BACK = "rolled_back"  # smaller than a checkpoint seen before
    REWRITTEN = "rewritten"  # does not begin with a checkpoint seen before: another log, or a fork
    FALSE_TREE = "false_tree"  # a tile is not of the tree that was signed
    UNPROVEN = "unproven"  # a tile that the proof needs is missing
    GAP = "gap"  # a running number is missing: an event is withheld
    WITHHELD = "withheld"  # events that were shown before are not shown any more
    ALTERED = "altered"  # a record is not what the tree holds of it
    MISPLACED = "misplaced"  # an event is not where its number belongs
    FOREIGN = "foreign"  # a record that is not of this practice, or no record at all
    PRUNED_EARLY = "pruned_early"  # said to be past its legal term, and younger
    RECEIPT_MISSING = "receipt_missing"  # we hold its receipt; the log has no such event
    RECEIPT_CONTRADICTED = "receipt_contradicted"  # the event is there, and says something else


@dataclass(frozen=True, slots=True)
class Finding:
    """One lie.

    Attributes:
        lie: Of which kind.
        index: The first place in the tree that it concerns, or None.
        subject: What it concerns besides: a running number, a tile's path, an event's id, a size.
    """

    lie: Lie
    index: int | None
    subject: str


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, first index first; those without a place last."""
    return tuple(
        sorted(findings, key=lambda found: (found.index is None, found.index or 0, found.lie))
    )
