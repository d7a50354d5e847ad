"""Running the watch: one process follows the log, feeds the rules, and writes what they say.

It works under a lease that every write checks. One step, and what a crash leaves:

1. read the events behind the position and feed them to the engine: nothing is written yet.
2. in one transaction, write the alerts and the new position. Before its commit: the same events
   are due again, and give the same alerts. After it: nothing is left to do.

Whoever takes the lease has no engine, or one that another process has overtaken. It makes a new
one from the last days of the log, and what the rules say of those is dropped: it has been said.
That a record of those days is altered is said: it may have been altered after it was watched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.ids import new_id
from gateway.watch.engine import Engine
from gateway.watch.logcheck import altered, lagging, shortened
from gateway.watch.seen import Alert, Seen
from gateway.watch.thresholds import Thresholds
from storage import alerts, leases
from storage.accesslog import feed
from storage.alerts import Finding
from storage.database import Database
from storage.errors import LeaseLostError

BATCH = 500  # events of one step; the server answers in between
PAUSE = 1.0  # seconds between two looks
PATIENCE = 5.0  # seconds after a failure
LEASE = "watch"
LIFETIME = timedelta(seconds=8)  # a dead process is replaced within this and PAUSE
RENEWAL = LIFETIME / 2

log = structlog.get_logger()


class Watching:
    """Follows the log, in one process of all."""

    def __init__(
        self,
        main: Database,
        thresholds: Thresholds,
        node_id: str,
        clock: Callable[[], datetime],
    ) -> None:
        """The log and the alerts are in `main`."""
        self._main = main
        self._thresholds = thresholds
        self._holder = f"{node_id}/{secrets.token_hex(8)}"  # unique to this life of the process
        self._clock = clock
        self._lease: leases.Lease | None = None
        self._renew_at = clock()
        self._engine: Engine | None = None
        self._following = 0
        self._altered_before: Finding | None = None

    async def run(self) -> None:
        """Watch what comes, until cancelled. A step that fails is tried again."""
        try:
            while True:
                pause = PAUSE
                try:
                    if await self.step() == BATCH:
                        pause = 0.0
                except LeaseLostError:
                    pass
                except Exception as error:  # noqa: BLE001 - events wait where they are
                    log.error("watch_failed", error=type(error).__name__)
                    pause = PATIENCE
                await asyncio.sleep(pause)
        finally:
            if self._lease is not None:
                # The database may be what we are stopping for; the lease then runs out by itself.
                with contextlib.suppress(SQLAlchemyError, OSError):
                    await leases.release(self._main, self._lease)

    async def step(self) -> int:
        """Watch one stretch of the log, if this process holds the lease.

        Returns:
            How many places of the log it had; 0 too where somebody else watches.

        Raises:
            LeaseLostError: Somebody else took over meanwhile; nothing was written.
        """
        lease = await self._take_lease()
        if lease is None:
            return 0
        try:
            engine = self._engine or await self._rebuild()
            return await self._follow(lease, engine)
        except BaseException:
            # The engine has seen what was not written: only a new one says it again.
            self._engine = self._lease = None
            raise

    async def _follow(self, lease: leases.Lease, engine: Engine) -> int:
        async with self._main.reading() as connection:
            found = await feed.checked_from(connection, self._following, BATCH)
            size = await feed.size(connection)
            waiting_since = await feed.waiting_since(connection)
        said = [
            self._altered_before,
            altered(found, self._clock()),
            lagging(waiting_since, size, self._clock()),
        ]
        following = self._following
        if size < following:
            said.append(shortened(following, size, self._clock()))
            following = size
        findings = [finding for finding in said if finding is not None]
        for each in found:
            following = each.index + 1
            if each.event is not None:
                seen = Seen.from_record(each.index, each.event.number, each.event.record)
                findings += map(finding_of, engine.feed(seen))
        if findings or following != self._following:
            await self._write(lease, findings, following)
            self._altered_before = None
        if following < self._following:
            self._engine = None
        self._following = following
        return len(found)

    async def _write(
        self, lease: leases.Lease, findings: Sequence[Finding], following: int
    ) -> None:
        fresh: list[tuple[str, Finding]] = []
        async with self._main.transaction() as tx:
            await leases.hold(tx, lease, self._clock())
            for finding in findings:
                alert_id = new_id()
                if await alerts.record(tx, alert_id, finding, self._clock()):
                    fresh.append((alert_id, finding))
            await alerts.move(tx, following)
        for alert_id, finding in fresh:
            log.warning("alert", id=alert_id, rule=finding.rule, severity=finding.severity)

    async def _rebuild(self) -> Engine:
        """Feed the last days before the position to a new engine."""
        engine, altered_before = Engine(self._thresholds), None
        async with self._main.reading() as connection:
            following = await alerts.position(connection) or 0
            since = self._clock() - timedelta(days=self._thresholds.history_days)
            start = await feed.index_at(connection, since, following)
        while start < following:
            if await self._take_lease() is None:
                raise LeaseLostError("lease watch: it ran out")
            async with self._main.reading() as connection:
                found = await feed.checked_from(connection, start, min(BATCH, following - start))
            if not found:
                break
            altered_before = altered(found, self._clock(), altered_before)
            for each in found:
                start = each.index + 1
                if each.event is not None and start <= following:
                    engine.feed(Seen.from_record(each.index, each.event.number, each.event.record))
        self._engine, self._following = engine, following
        self._altered_before = altered_before
        return engine

    async def _take_lease(self) -> leases.Lease | None:
        now = self._clock()
        if self._lease is None or now >= self._renew_at:
            before = self._lease
            self._lease = await leases.acquire(self._main, LEASE, self._holder, LIFETIME, now)
            self._renew_at = now + RENEWAL
            if self._lease != before:
                self._engine = None  # somebody else may have gone on meanwhile
        return self._lease


def finding_of(alert: Alert) -> Finding:
    """An alert of the engine as it is kept."""
    subject = alert.subject
    return Finding(
        rule=alert.rule,
        key=alert.key,
        severity=int(alert.severity),
        at=alert.at,
        first_index=alert.first_index,
        last_index=alert.last_index,
        count=alert.count,
        facts=json.dumps(dict(alert.facts), sort_keys=True),
        account_id=subject.account_id,
        controller_id=subject.controller_id,
        case_id=subject.case_id,
        address=subject.address,
    )
