"""Recomputing the whole log, in constant memory, and naming the first index that is wrong.

For every index in order: the record's salted commitment, the columns that readers search by, the
controller's running number, the leaf, the tiles. For every checkpoint, the head included: the
signature, and the root at its size. What this cannot see: a log that was rolled back or written
anew together with everything that was ever published of it, and an access nobody logged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from storage.accesslog.checkpoint import Head, OpenNote, open_checkpoint
from storage.accesslog.event import AccessEvent, commitment
from storage.accesslog.tiles import tile_reader
from storage.accesslog.tree import (
    HASH_SIZE,
    TILE_WIDTH,
    RunningRoot,
    extend,
    leaf_hash,
)
from storage.database import Database
from storage.errors import LogInconsistentError
from storage.schema import checkpoints, events, log_entries, tiles

PAGE = 4 * TILE_WIDTH  # indexes read at a time


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        size: Entries that were recomputed and found right, from the first one on.
        root: The root over them.
        ok: Nothing is wrong.
        problem: What is wrong first, as a sentence, without personal data.
        wrong_index: The first index it concerns. Where only a signature tells, the first index
            that the last right checkpoint does not cover.
        pending: Events that wait for their place.
    """

    size: int
    root: bytes
    ok: bool
    problem: str | None
    wrong_index: int | None
    pending: int


async def verify(database: Database, open_note: OpenNote, head: Head | None) -> Verification:
    """Recompute the log as it stands at this moment.

    Args:
        database: The main database; read in one consistent state.
        open_note: Gives the text of a note whose signature is right, and raises otherwise.
        head: What the signer remembers outside the database, or None to do without.
    """
    async with database.reading() as connection:
        return await connection.run_sync(lambda sync: _Verifier(sync, open_note, head).run())


class _WrongError(Exception):
    """The first thing that is wrong; ends the recomputation."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(problem)
        self.index = index


@dataclass(slots=True)
class _Verifier:
    connection: Connection
    open_note: OpenNote
    head: Head | None
    tree: RunningRoot = field(default_factory=RunningRoot)
    # The last tile of each level: its number, its hashes as recomputed here.
    last_tiles: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    numbers: dict[str | None, int] = field(default_factory=dict)
    covered: int = 0  # size of the last checkpoint that was right

    def run(self) -> Verification:
        wrong: _WrongError | None = None
        try:
            size = self._size()
            for start in range(0, size, PAGE):
                self._page(start, min(start + PAGE, size))
            self._end()
        except _WrongError as found:
            wrong = found
        pending = select(func.count()).select_from(events).where(events.c.index.is_(None))
        return Verification(
            size=self.tree.size,
            root=self.tree.root(),
            ok=wrong is None,
            problem=None if wrong is None else str(wrong),
            wrong_index=None if wrong is None else wrong.index,
            pending=self.connection.scalar(pending) or 0,
        )

    def _size(self) -> int:
        """One more than the highest index of an entry, or of an event that claims one."""
        highest = [
            self.connection.scalar(select(func.max(table.c.index)))
            for table in (log_entries, events)
        ]
        return max(-1 if index is None else index for index in highest) + 1

    def _page(self, start: int, stop: int) -> None:
        entries = self._by_index(log_entries, start, stop)
        records = self._by_index(events, start, stop)
        leaves: list[bytes] = []
        wrong: _WrongError | None = None
        try:
            for index in range(start, stop):
                self._check_event(index, entries.get(index), records.get(index))
                leaves.append(leaf_hash(entries[index].commitment))
        except _WrongError as found:
            wrong = found
        # What comes before the wrong entry may be wrong too, and is named first. The tiles are
        # exact to the entry, checkpoints only to a range: so tiles before checkpoints.
        self._check_tiles(start, leaves)
        self._check_checkpoints(leaves)
        if wrong:
            raise wrong

    def _by_index(self, table: Table, start: int, stop: int) -> dict[int, Row[Any]]:
        rows = self.connection.execute(
            select(table.c.index.label("place"), table).where(
                table.c.index >= start, table.c.index < stop
            )
        )
        return {row.place: row for row in rows}

    def _check_event(self, index: int, entry: Row[Any] | None, event: Row[Any] | None) -> None:
        if entry is None:
            raise _WrongError(index, f"entry {index} is missing")
        if event is None:
            raise _WrongError(index, f"the event of entry {index} is missing")
        due = self.numbers.get(event.controller_id, 0) + 1
        if event.number != due:
            raise _WrongError(
                index, f"entry {index} has its controller's number {event.number}, not {due}"
            )
        self.numbers[event.controller_id] = due
        if event.record is None and event.salt is None:
            return  # pruned when its legal term ended; the commitment stays
        if event.record is None or event.salt is None:
            raise _WrongError(index, f"the event of entry {index} is half pruned")
        if commitment(event.salt, event.record) != entry.commitment:
            raise _WrongError(index, f"the event of entry {index} is not what was committed to")
        if not _columns_agree(event):
            raise _WrongError(index, f"the columns of entry {index} contradict its record")

    def _check_tiles(self, start: int, leaves: Sequence[bytes]) -> None:
        """Compare what is stored, as far as these leaves go; the last tiles may go further."""
        changed = extend(start, leaves, lambda level, _: self.last_tiles[level][1])
        stored = tile_reader(self.connection)
        for (level, number), hashes in changed.items():
            found = stored(level, number)[: len(hashes)]
            if found != hashes:
                position = number * TILE_WIDTH + _first_difference(found, hashes)
                raise _WrongError(
                    position * TILE_WIDTH**level,
                    f"tile {level}/{number} is not that of the entries",
                )
            self.last_tiles[level] = (number, hashes)

    def _check_checkpoints(self, leaves: Sequence[bytes]) -> None:
        """Add the leaves one by one, and compare the root at each size that was signed."""
        start = self.tree.size
        rows = self.connection.execute(
            select(checkpoints.c.size, checkpoints.c.root, checkpoints.c.note).where(
                checkpoints.c.size > start, checkpoints.c.size <= start + len(leaves)
            )
        )
        signed = {row.size: [Head(*row)] for row in rows}
        if self.head:
            signed.setdefault(self.head.size, []).append(self.head)
        for leaf in leaves:
            self.tree.append(leaf)
            for head in signed.get(self.tree.size, ()):
                self._check_signed(head)

    def _check_signed(self, head: Head) -> None:
        try:
            checkpoint = open_checkpoint(head.note, self.open_note)
        except LogInconsistentError as problem:
            raise _WrongError(head.size - 1, f"size {head.size}: {problem}") from None
        if (checkpoint.size, checkpoint.root) != (head.size, head.root):
            raise _WrongError(head.size - 1, f"the checkpoint of size {head.size} was altered")
        if self.tree.root() != head.root:
            raise _WrongError(
                self.covered,
                f"entries {self.covered} to {head.size - 1} are not those that were signed",
            )
        self.covered = head.size

    def _end(self) -> None:
        """Nothing is signed, and no tile stored, beyond the last entry."""
        size = self.tree.size
        signed = self.connection.scalar(select(func.max(checkpoints.c.size))) or 0
        signed = max(signed, self.head.size if self.head else 0)
        if signed > size:
            raise _WrongError(size, f"{signed} entries were signed, {size} are there")
        stored = tile_reader(self.connection)
        too_long = any(
            stored(level, number) != hashes for level, (number, hashes) in self.last_tiles.items()
        )
        count = self.connection.scalar(select(func.count()).select_from(tiles))
        if too_long or count != _tile_count(size):
            raise _WrongError(size, "there are tiles beyond the last entry")


def _columns_agree(event: Row[Any]) -> bool:
    """Is the event found by the same id, time, controller and case that its record states?"""
    try:
        record = json.loads(event.record)
        number, stated = record["number"], AccessEvent.from_record(record)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    return (number, stated.id, stated.at, stated.controller_id, stated.case_id) == (
        event.number,
        event.id,
        event.at,
        event.controller_id,
        event.case_id,
    )


def _first_difference(found: bytes, hashes: bytes) -> int:
    """The position of the first hash that differs or is missing."""
    return next(
        at // HASH_SIZE
        for at in range(0, len(hashes), HASH_SIZE)
        if found[at : at + HASH_SIZE] != hashes[at : at + HASH_SIZE]
    )


def _tile_count(size: int) -> int:
    """How many tiles a tree has: full ones and the partial one, on every level."""
    count = 0
    while size:
        count += -(-size // TILE_WIDTH)
        size //= TILE_WIDTH
    return count
