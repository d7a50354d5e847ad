"""Giving committed events their place in the tree, and signing the tree.

Events are committed without an index, so no commit order can lose one: whichever commits late is
simply numbered later. One sequencer at a time, under a lease whose fence every write checks.

One step, and what a crash leaves:

1. take or renew the lease. Then: a lease that runs out by itself.
2. read: check the tree against what was signed, and find the waiting events. Nobody else numbers,
   so what is read stays true.
   Then, batch by batch in a transaction each, write places, commitments and tiles. Before a commit:
   nothing. After it: entries that no checkpoint covers yet; the next step signs them.
3. in a second transaction, sign, put the head file in place, and add the checkpoint row. After the
   head: a head with no row; the next step signs the same tree again, with the same root, and adds
   the row. After the commit: nothing is left to do.

The head comes before the row: what was given out is always something the signer remembers. It is
written while the lease's row is locked, so of processes that share it none can put it back.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import structlog
from sqlalchemy import Connection, exists, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from storage import leases
from storage.accesslog.checkpoint import Checkpoint, Head, OpenNote, Sign, open_checkpoint
from storage.accesslog.numbering import in_batches, log_size, place, waiting
from storage.accesslog.tiles import tile_reader
from storage.accesslog.tree import Tree
from storage.database import Database
from storage.errors import LeaseLostError, LogInconsistentError
from storage.schema import checkpoints, events

STRETCH = 4096  # events numbered under one signature at the most
INTERVAL = timedelta(seconds=0.5)  # between two looks, when nobody nudges
PAUSE = timedelta(seconds=0.1)  # between two steps, however often somebody nudges
LEASE = "sequencer"
PATIENCE = timedelta(seconds=30)  # with a signer that fails; then the log takes no more events
LIFETIME = timedelta(seconds=10)  # of the lease; renewed at half of it

_log = structlog.get_logger(__name__)


class Sequencer:
    """Numbers and signs. One per process; whichever holds the lease works, the others stand by."""

    def __init__(
        self,
        database: Database,
        *,
        sign: Sign,
        open_note: OpenNote,
        origin: str,
        head_path: Path,
        node_id: str,
        clock: Callable[[], datetime],
    ) -> None:
        """Set up; nothing is read or written yet.

        Args:
            database: Where events, entries, tiles and checkpoints are.
            sign: Makes a signed note of a text (C2SP signed-note).
            open_note: The reverse: gives the text, or raises when the signature is not ours.
            origin: The log's name, the first line of its checkpoints.
            head_path: This node's memory of what it last signed, outside the database.
            node_id: Names the node in the lease.
            clock: The time, aware.
        """
        self._database = database
        self._sign = sign
        self._open_note = open_note
        self._origin = origin
        self._head_path = head_path
        self._holder = f"{node_id}/{secrets.token_hex(8)}"  # unique to this life of the process
        self._clock = clock
        self._lease: leases.Lease | None = None
        self._renew_at: datetime | None = None
        self._failing_since: datetime | None = None

    async def run(self, stop: asyncio.Event, nudge: asyncio.Event) -> None:
        """Step until `stop` is set: at once when nudged, else every half second.

        Under a steady stream it pauses between steps, so that one signature serves many events.

        Raises:
            LogInconsistentError: The log is not what was signed. Nothing is signed any more.
        """
        while not stop.is_set():
            nudge.clear()
            if await self._try_step() < STRETCH:
                await _first_of(stop, timeout=PAUSE)
                await _first_of(stop, nudge, timeout=INTERVAL)
        await self._try_step()  # what was acknowledged just before the end
        await self._let_go()

    async def step(self) -> int:
        """Number a stretch of waiting events and sign the tree, if this node holds the lease.

        Returns:
            How many events were numbered.

        Raises:
            LeaseLostError: Another node took over meanwhile; nothing was written.
            LogInconsistentError: The log does not extend what was signed; nothing was written.
        """
        if not await self._something_waits() or not (lease := await self._take_lease()):
            return 0
        head = await asyncio.to_thread(Head.read, self._head_path)
        async with self._database.reading() as connection:
            size = await connection.run_sync(self._check, head)
            joining = await connection.run_sync(waiting, STRETCH)
        try:
            for batch in in_batches(joining, size):
                async with self._database.transaction() as tx:
                    await leases.hold(tx, lease, self._clock())
                    await tx.run_sync(place, batch)
                await self._take_lease()  # a slow disk must not outlive it
            async with self._database.transaction() as tx:
                await leases.hold(tx, lease, self._clock())
                size, root = await tx.run_sync(_measure)
                signed = Head(size, root, self._sign(Checkpoint(self._origin, size, root).text()))
                await asyncio.to_thread(signed.write, self._head_path)
                await tx.run_sync(_publish, signed, self._clock())
        except LeaseLostError:
            self._lease = None
            raise
        return len(joining.rows)

    def is_broken(self) -> bool:
        """Say whether nothing could be numbered and signed for longer than PATIENCE."""
        since = self._failing_since
        return since is not None and self._clock() - since > PATIENCE

    async def _try_step(self) -> int:
        try:
            count = await self.step()
        except LeaseLostError:
            return 0
        except LogInconsistentError:
            raise
        except Exception as problem:  # noqa: BLE001
            # A step lets nobody see anything, and is idempotent: a database that restarts (its
            # driver raises errors of its own) must not end the numbering for good.
            _log.warning("sequencer_step_failed", problem=type(problem).__name__)
            self._failing_since = self._failing_since or self._clock()
            return 0
        self._failing_since = None
        return count

    async def _let_go(self) -> None:
        if self._lease is not None:
            lease, self._lease = self._lease, None
            # The database may be what we are stopping for; the lease then runs out by itself.
            with contextlib.suppress(SQLAlchemyError, OSError):
                await leases.release(self._database, lease)

    async def _something_waits(self) -> bool:
        """Say without taking any lock: an event without index, or an entry without checkpoint."""
        async with self._database.reading() as connection:
            size = await connection.run_sync(log_size)
            signed = await connection.scalar(select(func.max(checkpoints.c.size)))
            waits = await connection.scalar(select(exists().where(events.c.index.is_(None))))
        return bool(waits) or size != (signed or 0)

    async def _take_lease(self) -> leases.Lease | None:
        now = self._clock()
        if self._lease is None or self._renew_at is None or now >= self._renew_at:
            self._lease = await leases.acquire(self._database, LEASE, self._holder, LIFETIME, now)
            self._renew_at = now + LIFETIME / 2
        return self._lease

    def _check(self, connection: Connection, head: Head | None) -> int:
        """Refuse a log that does not extend our head and the last published checkpoint.

        Another node may have signed since our head was written, and a new node has none: then
        the last checkpoint in the database stands in, whose signature only we can make.

        Returns:
            The size of the tree.
        """
        size = log_size(connection)
        tree = Tree(cache(tile_reader(connection)))
        last = connection.scalar(
            select(checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)
        )
        for note in filter(None, (head and head.note, last)):
            signed = open_checkpoint(note, self._open_note)
            if signed.origin != self._origin:
                raise LogInconsistentError("the last checkpoint is of another log")
            if signed.size > size:
                raise LogInconsistentError(f"{signed.size} entries were signed, {size} are left")
            if tree.root(signed.size) != signed.root:
                raise LogInconsistentError(f"the first {signed.size} entries are not as signed")
        return size


def _measure(connection: Connection) -> tuple[int, bytes]:
    """Size and root of the tree as it is written."""
    size = log_size(connection)
    return size, Tree(tile_reader(connection)).root(size)


def _publish(connection: Connection, head: Head, now: datetime) -> None:
    """Add the checkpoint row, unless another holder of the lease added this or a later one."""
    last = connection.scalar(select(func.max(checkpoints.c.size)))
    if last is None or last < head.size:
        connection.execute(
            insert(checkpoints).values(
                size=head.size, root=head.root, note=head.note, signed_at=now
            )
        )


async def _first_of(*waited: asyncio.Event, timeout: timedelta) -> None:  # noqa: ASYNC109
    tasks = [asyncio.ensure_future(event.wait()) for event in waited]
    try:
        await asyncio.wait(
            tasks, timeout=timeout.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for task in tasks:
            task.cancel()
