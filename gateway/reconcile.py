"""Reconciliation: every file key that the keys room opened, held against the access log.

The keyring counts what it hands out (keys/keyring.py), and whoever opens a file key on a Grant
claims the event of that Grant. A key without a claim, or a claim on an event that is not in the
log, is bytes that may have left without a trace: that is an event itself, an alarm.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog

from gateway.access.actors import system
from gateway.access.grants import Access
from gateway.access.policy import Action
from keys.context import Purpose
from storage.accesslog.reading import known_events
from storage.database import Database

INTERVAL = 5.0  # seconds between two looks
PAGE = 500  # claims looked up at a time

log = structlog.get_logger()


class Reconciliation:
    """Holds one process's file keys against the events that allowed them."""

    def __init__(self, main: Database, access: Access, unwraps: Counter[Purpose]) -> None:
        """Look for events in `main`; `unwraps` is what the keyring counts."""
        self._main = main
        self._access = access
        self._unwraps = unwraps
        self._seen = unwraps[Purpose.FILE_KEY]
        self._claims: list[str] = []

    def claim(self, event_id: str) -> None:
        """Say that one file key was opened on the ground of this event."""
        self._claims.append(event_id)

    async def check(self) -> int:
        """Hold what was counted since the last look against the log; log an alarm if they differ.

        Returns:
            How many file keys were opened that no event accounts for.

        Raises:
            UnavailableError: The alarm could not be written; the next look finds the same.
        """
        # Count and claim happen without a pause between them: read without one, they agree.
        claims, counted = list(self._claims), self._unwraps[Purpose.FILE_KEY]
        unclaimed = max(counted - self._seen - len(claims), 0)
        unlogged: list[str] = []
        async with self._main.reading() as connection:
            for start in range(0, len(claims), PAGE):
                page = claims[start : start + PAGE]
                known = await known_events(connection, set(page))
                unlogged += [event_id for event_id in page if event_id not in known]
        if missing := unclaimed + len(unlogged):
            await self._access.note(
                system("reconciliation"),
                Action.INTEGRITY_ALARM,
                refused=True,
                reason="file keys were opened without an event",
                keys=missing,
                events=sorted(set(unlogged))[:PAGE],
            )
            log.critical("unreconciled", keys=missing)
        del self._claims[: len(claims)]
        self._seen = counted
        return missing

    async def run(self) -> None:
        """Look every few seconds, until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(INTERVAL)
                try:
                    await self.check()
                except Exception as error:  # noqa: BLE001 - nothing is lost: the next look has it
                    log.error("reconciliation_failed", error=type(error).__name__)
        finally:
            await self.check()
