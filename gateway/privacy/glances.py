"""The files of a case as numbers, for lists: no case is opened for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from storage.files import File


@dataclass(frozen=True, slots=True)
class Glance:
    """How many files of a case were accepted, by kind, and what a person should look at.

    `on_their_way` are those without a verdict yet; `warnings` counts findings of accepted files.
    """

    scans: int
    photos: int
    plans: int
    on_their_way: int
    refused: int
    warnings: int


def glance(files: Iterable[File]) -> Glance:
    """The files of one case, counted."""
    rows = list(files)
    accepted = Counter(row.kind for row in rows if row.state == "accepted")
    states = Counter(row.state for row in rows)
    return Glance(
        scans=accepted["scan"],
        photos=accepted["photo"],
        plans=accepted["plan"],
        on_their_way=states["receiving"] + states["received"],
        refused=states["refused"],
        warnings=sum(row.warnings or 0 for row in rows if row.state == "accepted"),
    )
