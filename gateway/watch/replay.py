"""The same log gives the same alerts: the watch over a stretch of the past, writing nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.access.actors import Actor
from gateway.access.grants import Access
from gateway.access.policy import Action, Role
from gateway.watch.engine import Engine
from gateway.watch.logcheck import is_altered, legible
from gateway.watch.seen import Alert, Severity
from gateway.watch.thresholds import Thresholds
from storage import canaries
from storage.accesslog import feed
from storage.database import Database

BATCH = 1000  # events read at a time
_NOBODY = frozenset({Role.SYSTEM, Role.OPERATOR, Role.NOBODY})


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the rules say of a stretch.

    Attributes:
        alerts: Each once, as it was said last, in the order in which they were said first.
        events: How many there were.
        altered: How many records of the stretch, and of the days before it that the rules look back
            on, are not what their place in the tree holds: the rules were not shown them.
        user_days: On how many days how many people did something, added up.
    """

    alerts: Sequence[Alert]
    events: int
    altered: int
    user_days: int

    def noise(self, severity: Severity) -> float:
        """Alerts of this severity in a thousand user-days."""
        count = sum(alert.severity is severity for alert in self.alerts)
        return 1000 * count / max(self.user_days, 1)


async def replay(
    main: Database, access: Access, who: Actor, thresholds: Thresholds, since: datetime
) -> Replayed:
    """Feed the log from `since` to an engine that knows the days before it."""
    await access.authorise(who, Action.WATCH_REPLAY)
    said, days = dict[tuple[str, str], Alert](), set()
    events = altered = 0
    async with main.reading() as connection:
        size = await feed.size(connection)
        begin = await feed.index_at(connection, since, size)
        history = since - timedelta(days=thresholds.history_days)
        place = await feed.index_at(connection, history, begin)
        engine = Engine(thresholds, canaries=await canaries.cases(connection))
    while place < size:
        async with main.reading() as connection:
            found = await feed.checked_from(connection, place, min(BATCH, size - place))
        if not found:
            break
        for each in found:
            place = each.index + 1
            altered += is_altered(each)
            if (seen := legible(each)) is None:
                continue
            alerts = engine.feed(seen)
            if place > begin:
                events += 1
                said.update({(alert.rule, alert.key): alert for alert in alerts})
                if seen.actor_role not in _NOBODY:
                    days.add((seen.actor_id, seen.at.date()))
    return Replayed(tuple(said.values()), events, altered, len(days))
