"""Says that this process lives, and lets go of key versions that are on their way out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.ids import now
from gateway.privacy.puncture import Punctures
from storage import nodes
from storage.database import Database

BEAT_SECONDS = 1.0
LIFETIME = timedelta(seconds=10)  # a node that is silent for so long is taken for dead

log = structlog.get_logger()


class Heartbeat:
    """One per serving process."""

    def __init__(self, main: Database, punctures: Punctures, node_id: str) -> None:
        """Beat as `node_id`."""
        self._main = main
        self._punctures = punctures
        self._node_id = node_id

    async def beat(self) -> None:
        """Beat once."""
        async with self._main.transaction() as tx:
            await nodes.beat(tx, self._node_id, now(), now() + LIFETIME)
        await self._punctures.let_go()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            try:
                await self.beat()
            except Exception as error:  # noqa: BLE001 - a database away for a while; try again
                log.error("heartbeat_failed", error=type(error).__name__)
            await asyncio.sleep(BEAT_SECONDS)

    async def leave(self) -> None:
        """Sign off, so that others need not wait for the lease to run out.

        The database may be what we are stopping for; the lease then runs out by itself.
        """
        with suppress(SQLAlchemyError, OSError):
            async with self._main.transaction() as tx:
                await nodes.leave(tx, self._node_id)
