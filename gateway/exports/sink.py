"""Sending the access log to a syslog receiver, each event at least once.

The position is a file in the data directory: the receiver, and the index of the next event. One
step, and what a crash leaves:

1. read the position, and the events behind it.
2. deliver them and wait for the receiver's confirmation. Before it: the same events go out again.
3. put the new position in place. Before it: the same, again.

One process sends at a time, under a lease. One that slept through its lease may send events twice
and put the position back: more duplicates, never a gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.exports.entry import Entry
from gateway.exports.syslog import Receiver, message
from storage import leases
from storage.accesslog.event import AccessEvent
from storage.accesslog.feed import events_from
from storage.database import Database
from storage.durable import replace_file

BATCH = 500  # events of one connection
PAUSE = 1.0  # seconds between two looks
PATIENCE = 15.0  # seconds after a failure
LEASE = "syslog"
LIFETIME = timedelta(seconds=60)  # renewed at half of it

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SyslogSink:
    """Follows the log and delivers it."""

    main: Database
    receiver: Receiver
    position_path: Path
    node_id: str
    clock: Callable[[], datetime]

    async def run(self) -> None:
        """Deliver what comes, until cancelled. A receiver that is away is tried again."""
        holder = f"{self.node_id}/{secrets.token_hex(8)}"
        lease: leases.Lease | None = None
        renew_at = self.clock()
        try:
            while True:
                pause = PAUSE
                try:
                    if lease is None or self.clock() >= renew_at:
                        lease = await self._lease(holder)
                        renew_at = self.clock() + LIFETIME / 2
                    if lease is not None and await self.step() == BATCH:
                        pause = 0.0
                except Exception as error:  # noqa: BLE001 - events wait where they are, none is lost
                    log.error("syslog_failed", error=type(error).__name__)
                    pause = PATIENCE
                await asyncio.sleep(pause)
        finally:
            if lease is not None:
                # The database may be what we are stopping for; the lease then runs out by itself.
                with contextlib.suppress(SQLAlchemyError, OSError):
                    await leases.release(self.main, lease)

    async def step(self) -> int:
        """Deliver one batch; how many events it had.

        Raises:
            OSError: The receiver did not confirm; the same events are due again.
        """
        start = await asyncio.to_thread(self._position)
        async with self.main.reading() as connection:
            found = await events_from(connection, start, BATCH)
        if not found:
            return 0
        host = socket.gethostname()
        entries = [
            Entry(AccessEvent.from_record(event.record), event.index, event.number)
            for event in found
        ]
        messages = [message(entry, host) for entry in entries]
        await asyncio.to_thread(self.receiver.deliver, messages)
        await asyncio.to_thread(self._move, max(event.index or 0 for event in found) + 1)
        return len(found)

    async def _lease(self, holder: str) -> leases.Lease | None:
        return await leases.acquire(self.main, LEASE, holder, LIFETIME, self.clock())

    @property
    def _address(self) -> str:
        return f"{self.receiver.host}:{self.receiver.port}"

    def _position(self) -> int:
        """Where to go on. Another receiver gets the log from its first event."""
        try:
            kept = json.loads(self.position_path.read_text("ascii"))
        except FileNotFoundError:
            return 0
        return int(kept["next"]) if kept["receiver"] == self._address else 0

    def _move(self, following: int) -> None:
        kept = json.dumps({"receiver": self._address, "next": following})
        replace_file(self.position_path, f"{kept}\n".encode("ascii"))
