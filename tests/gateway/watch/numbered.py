"""A log that one sequencer numbers and a watch follows, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.watch.engine import Engine
from gateway.watch.seen import Seen
from gateway.watch.thresholds import Thresholds
from gateway.watch.watching import Watching
from storage import alerts
from storage.accesslog.event import AccessEvent
from storage.accesslog.feed import events_from
from storage.alerts import Alert
from storage.database import Database
from tests.storage.accesslog.log_ground import Ground, event


class Numbered(Ground):
    """One log that one sequencer numbers."""

    def __init__(self, database: Database, directory: Path) -> None:
        super().__init__(database, directory)
        self.numbering = self.sequencer()


def alarm(number: int) -> AccessEvent:
    """An event that is an alert by itself; each is of another case, so nothing folds."""
    code, case_id = "integrity.alarm", f"case-{number}"
    return event(number, code=code, action="E", stage="refused", case_id=case_id)


def watch(ground: Numbered, node_id: str = "node-1") -> Watching:
    return Watching(ground.database, Thresholds(), node_id, lambda: ground.time)


async def logged(ground: Numbered, written: Sequence[AccessEvent]) -> None:
    await ground.write(written)
    await ground.numbering.step()


async def found(ground: Numbered) -> Sequence[Alert]:
    async with ground.database.reading() as connection:
        return await alerts.list_alerts(
            connection, state=None, least_severity=1, before=None, limit=10_000
        )


async def following(ground: Numbered) -> int | None:
    async with ground.database.reading() as connection:
        return await alerts.position(connection)


async def undisturbed(ground: Ground) -> Sequence[tuple[str, str, int]]:
    """What the rules say of the whole log in one go."""
    async with ground.database.reading() as connection:
        logged = await events_from(connection, 0, 10_000)
    engine, said = Engine(Thresholds()), {}
    for each in logged:
        for alert in engine.feed(Seen.from_record(each.index or 0, each.number, each.record)):
            said[alert.rule, alert.key] = alert.count
    return [(*name, count) for name, count in said.items()]
