"""Running the watch: one process follows the log, feeds the rules, and writes what they say.

It works under a lease that every write checks. One step, and what a crash leaves:

1. read the events behind the position and feed them to the engine: nothing is written yet.
2. in one transaction, write the alerts and the new position. Before its commit: the same events
   are due again, and give the same alerts. After it: nothing is left to do.

Whoever takes the lease has no engine, or one that another process has overtaken. It makes a new
one from the last days of the log, and what the rules say of those is dropped: it has been said.
That a record of those days is altered is said: it may have been altered after it was watched.

To read many days takes longer than a breach may wait. Meanwhile those rules that need no past
follow the log, with a position of their own; the others come behind, and miss nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.access.alarms import raise_alarm
from gateway.ids import new_id
from gateway.watch.engine import Engine
from gateway.watch.logcheck import altered, lagging, legible, shortened
from gateway.watch.rules import INSTANT
from gateway.watch.seen import Alert, Severity
from gateway.watch.thresholds import Thresholds
from storage import alerts, canaries, leases
from storage.accesslog import feed
from storage.alerts import Finding
from storage.database import Database
from storage.errors import LeaseLostError

BATCH = 500  # events read at a time; the server answers in between
AT_ONCE = 2000  # of the past, in one step
WARM = timedelta(hours=1)  # of the past, for rules that need none
PAUSE = 1.0  # seconds between two looks
PATIENCE = 5.0  # seconds after a failure
LEASE = "watch"
LIFETIME = timedelta(seconds=7)  # a dead process is replaced within this and PAUSE
RENEWAL = LIFETIME / 2

log = structlog.get_logger()


@dataclass(slots=True)
class _Follower:
    """Rules on their way through the log.

    Attributes:
        name: Whose position it is.
        engine: The rules.
        place: The next place to feed; behind `following` it is the past, of which nothing is said.
        following: The next place of which everything is said.
    """

    name: alerts.Follower
    engine: Engine
    place: int
    following: int


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
        self._whole: _Follower | None = None
        self._quick: _Follower | None = None  # while the whole is behind
        self._altered_before: Finding | None = None

    async def run(self) -> None:
        """Watch what comes, until cancelled. A step that fails is tried again."""
        try:
            while True:
                pause = PAUSE
                try:
                    if await self.step() == BATCH or self._quick is not None:
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
            whole = self._whole or await self._begin()
            if self._quick is None:
                while whole.place < whole.following:
                    await self._remember(whole)
                return await self._follow(lease, whole, BATCH)
            count = await self._follow(lease, self._quick, BATCH)
            await self._catch_up(lease)
        except BaseException:
            # The rules have seen what was not written: only new ones say it again.
            self._whole = self._quick = self._lease = None
            raise
        return count

    async def _begin(self) -> _Follower:
        """Make rules anew, at the beginning of the past that they shall know."""
        since = self._clock() - timedelta(days=self._thresholds.history_days)
        async with self._main.reading() as connection:
            following = await alerts.position(connection) or 0
            start = await feed.index_at(connection, since, following)
            marked = await canaries.cases(connection)
            if following - start > AT_ONCE:
                head = max(following, await alerts.position(connection, "instant") or 0)
                warm = await feed.index_at(connection, self._clock() - WARM, head)
                engine = Engine(self._thresholds, rules=INSTANT, canaries=marked)
                begin = max(warm, head - AT_ONCE)
                self._quick = _Follower("instant", engine, begin, head)
        if self._quick is not None:
            while self._quick.place < self._quick.following:
                await self._remember(self._quick)
        engine = Engine(self._thresholds, canaries=marked)
        self._whole = _Follower("engine", engine, start, following)
        self._altered_before = None
        return self._whole

    async def _remember(self, follower: _Follower) -> int:
        """Feed a stretch of the past; how many places it had."""
        place, following = follower.place, follower.following
        async with self._main.reading() as connection:
            found = await feed.checked_from(connection, place, min(BATCH, following - place))
        if follower is self._whole:
            self._altered_before = altered(found, self._clock(), self._altered_before)
        for each in found:
            if each.index < following and (seen := legible(each)) is not None:
                follower.engine.feed(seen)
        follower.place = found[-1].index + 1 if found else following
        return len(found)

    async def _catch_up(self, lease: leases.Lease) -> None:
        """Bring the whole a stretch nearer to the rules that went ahead, which then end."""
        whole, quick, count = self._whole, self._quick, 0
        while whole is not None and quick is not None and count < AT_ONCE:
            if whole.place < whole.following:
                count += await self._remember(whole)
            elif whole.following < quick.following:
                left = min(BATCH, quick.following - whole.following)
                count += await self._follow(lease, whole, left)
            else:
                self._quick = None
                return

    async def _follow(self, lease: leases.Lease, follower: _Follower, limit: int) -> int:
        """Feed what came, and write what is said of it; how many places it had."""
        following = follower.following
        async with self._main.reading() as connection:
            found = await feed.checked_from(connection, following, limit)
            size = await feed.size(connection)
            waiting_since = await feed.waiting_since(connection)
        if size < following:
            await self._shorten(lease, follower, size)
            return 0
        said: list[Finding | None] = []
        if follower is (self._quick or self._whole):
            said = [
                altered(found, self._clock()),
                lagging(waiting_since, size, self._clock()),
            ]
        if follower is self._whole:
            said.append(self._altered_before)
        findings, days = [finding for finding in said if finding is not None], set[date]()
        for each in found:
            following = each.index + 1
            if (seen := legible(each)) is not None:
                findings += map(finding_of, follower.engine.feed(seen))
                days.add(seen.at.date())
        if findings or following != follower.following:
            people = {day: follower.engine.people_on(day) for day in days}
            is_whole = follower is self._whole
            await self._write(
                lease, findings, {follower.name: following}, people if is_whole else {}
            )
            if is_whole:
                self._altered_before = None
        follower.place = follower.following = following
        return len(found)

    async def _shorten(self, lease: leases.Lease, follower: _Follower, size: int) -> None:
        """Say that the log lost its end, and begin anew there."""
        cut: dict[alerts.Follower, int] = {"instant": size}
        if self._whole is not None:
            cut["engine"] = min(self._whole.following, size)
        said = shortened(follower.following, size, self._clock())
        await self._write(lease, [said], cut, {})
        self._whole = self._quick = None

    async def _write(
        self,
        lease: leases.Lease,
        findings: Sequence[Finding],
        positions: Mapping[alerts.Follower, int],
        people: Mapping[date, int],
    ) -> None:
        fresh: list[tuple[str, Finding]] = []
        async with self._main.transaction() as tx:
            await leases.hold(tx, lease, self._clock())
            for finding in findings:
                alert_id = new_id()
                known = await alerts.find(tx, finding.rule, finding.key)
                if await alerts.record(tx, alert_id, finding, self._clock()):
                    fresh.append((alert_id, finding))
                before = 0 if known is None else known.severity
                if before < Severity.HIGH <= finding.severity:
                    await raise_alarm(tx, known.id if known else alert_id, finding.rule)
            for name, following in positions.items():
                await alerts.move(tx, following, name)
            for day, count in people.items():
                await alerts.count_people(tx, day, count)
        for alert_id, finding in fresh:
            log.warning("alert", id=alert_id, rule=finding.rule, severity=finding.severity)

    async def _take_lease(self) -> leases.Lease | None:
        now = self._clock()
        if self._lease is None or now >= self._renew_at:
            before = self._lease
            self._lease = await leases.acquire(self._main, LEASE, self._holder, LIFETIME, now)
            self._renew_at = now + RENEWAL
            if self._lease != before:
                self._whole = self._quick = None  # somebody else may have gone on meanwhile
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
