"""Says that this process lives and with which keys; lets go of versions on their way out."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.ids import now
from gateway.privacy.puncture import Punctures
from keys.keyring import Keyring
from storage import nodes
from storage.database import Database

BEAT_SECONDS = 1.0
LIFETIME = timedelta(seconds=10)  # a node that is silent for so long is taken for dead

log = structlog.get_logger()


class Heartbeat:
    """One per serving process."""

    def __init__(
        self, main: Database, punctures: Punctures, keyring: Keyring, node_id: str
    ) -> None:
        """Beat as `node_id`."""
        self._main = main
        self._punctures = punctures
        self._keyring = keyring
        self._edition = ""
        self._node_id = node_id

    async def beat(self) -> None:
        """Beat once."""
        async with self._main.transaction() as tx:
            await nodes.beat(tx, self._node_id, now(), now() + LIFETIME)
            await nodes.use(tx, self._node_id, self._edition)
        await self._punctures.let_go()
        # After the beat, and told by the next: keys that cannot be read make no node seem dead.
        self._edition = await self._keyring.edition()

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
