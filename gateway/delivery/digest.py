"""Once a day every privacy officer is told by mail what waits for them: counts, and nothing else.

One process of all does it. Where nothing waits nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.notices import tell
from gateway.access.policy import Role
from gateway.ids import new_id
from storage import accounts, alerts, incidents, leases, notices
from storage.database import Database

LOOK_SECONDS = 60.0
NEVER = -1
LEASE = "digest"
HIGH = 3  # severity of an alert
DAY = timedelta(days=1)
OPENING = timedelta(minutes=5)  # for writing it; what died meanwhile is tried again then

log = structlog.get_logger()


class Digest:
    """Writes the day's digest once its hour has come."""

    def __init__(self, main: Database, hour: int, clock: Callable[[], datetime]) -> None:
        """Count in `main`.

        Args:
            main: Alerts, incidents and notices.
            hour: Of the day, in UTC; NEVER: no digest.
            clock: The time.
        """
        self._main = main
        self._hour = hour
        self._clock = clock

    async def run(self) -> None:
        """Write digests until cancelled; ends at once where none is wanted."""
        while self._hour != NEVER:
            try:
                await self.step()
            except Exception as error:  # noqa: BLE001 - it is tried again in a minute
                log.error("digest_failed", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> bool:
        """Write the digest of today if its hour is now and nobody has; whether it did."""
        now = self._clock()
        if now.hour != self._hour:
            return False
        # A lease that nobody gives back: it is free again when tomorrow's hour comes.
        lease = await leases.acquire(self._main, LEASE, new_id(), OPENING, now)
        if lease is None:
            return False
        today = now.replace(minute=0, second=0, microsecond=0)
        async with self._main.transaction() as tx:
            await leases.hold(tx, lease, self._clock())
            counts = await _counts(tx)
            if any(counts.values()):
                said = {name: str(count) for name, count in counts.items()}
                for officer in await accounts.able_ids(tx, Role.PRIVACY_OFFICER):
                    await tell(tx, "digest", account_id=officer, **said)
            await leases.extend(tx, lease, today + DAY)
        return True


async def _counts(tx: AsyncConnection) -> dict[str, int]:
    severities = await alerts.open_by_severity(tx)
    return {
        "high": severities.get(HIGH, 0),
        "alerts": sum(count for severity, count in severities.items() if severity != HIGH),
        "incidents": await incidents.count_running(tx),
        "dead": await notices.count_dead(tx),
    }
