"""Appending to the access log: many callers, one writer, one commit for all who wait.

A commit costs a flush of the disk however many rows it holds. So one task per process writes: it
takes whatever waits, commits it as one transaction, and only then lets those callers go on.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accesslog.event import AccessEvent
from storage.accesslog.writing import Row, writer
from storage.database import Database
from storage.errors import LogUnavailableError
from storage.schema import events, microseconds

BATCH = 512  # rows in one transaction at the most
SALT_SIZE = 32  # bytes; as long as the HMAC's output, so the commitment hides its record


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A row, and the caller that waits for it to be durable."""

    row: Row
    durable: asyncio.Future[None]


class AccessLog:
    """The one way to write an access event.

    Attributes:
        appended: Set after each commit; the sequencer waits for it.
        is_broken: Says that what is written is not signed any more; then nothing is written.
    """

    def __init__(self, database: Database) -> None:
        """Write to this database once started."""
        self.appended = asyncio.Event()
        self.is_broken: Callable[[], bool] = lambda: False
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue()
        self._writer = writer(database)
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write; needs a running loop."""
        self._writing = asyncio.create_task(self._write(), name="access log")

    async def close(self) -> None:
        """Write what waits, and end. Later appends are refused."""
        writing, self._writing = self._writing, None
        if writing is not None:
            self._queue.put_nowait(None)
            await writing
            await self._writer.close()

    async def append(self, event: AccessEvent) -> None:
        """Return once the event is durable.

        If the caller is cancelled while it waits, the event may be there or not.

        Raises:
            LogUnavailableError: It is not durable; what it would have allowed must not happen.
            ValueError: The event has no canonical form.
        """
        # Made here, so that an event that cannot be written fails its own caller alone.
        row = _row(event)
        if self._writing is None:
            raise LogUnavailableError("the access log is not open")
        if self.is_broken():
            raise LogUnavailableError("the access log is not signed any more")
        waiting = _Waiting(row, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        await waiting.durable

    async def append_in(self, tx: AsyncConnection, event: AccessEvent) -> None:
        """Write the event in the caller's transaction: the change and its event, or neither."""
        await tx.execute(insert(events), [_row(event)._asdict() | {"at": event.at}])

    async def _write(self) -> None:
        is_open = True
        while is_open:
            batch: list[_Waiting] = []
            entry = await self._queue.get()
            while True:
                if entry is None:
                    is_open = False
                else:
                    batch.append(entry)
                if len(batch) == BATCH or self._queue.empty():
                    break
                entry = self._queue.get_nowait()
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: list[_Waiting]) -> None:
        try:
            await self._writer.write([waiting.row for waiting in batch])
        except Exception as problem:  # noqa: BLE001  whatever it was, every waiter hears of it
            for waiting in batch:
                if not waiting.durable.done():
                    failure = LogUnavailableError("the access log could not be written")
                    failure.__cause__ = problem
                    waiting.durable.set_exception(failure)
            return
        self.appended.set()
        for waiting in batch:
            if not waiting.durable.done():  # done already: its caller was cancelled
                waiting.durable.set_result(None)


def _row(event: AccessEvent) -> Row:
    return Row(
        event.id,
        microseconds(event.at),
        event.controller_id,
        event.case_id,
        event.canonical(),
        secrets.token_bytes(SALT_SIZE),
    )
