"""What the watch found, what people did about it, and how far the watch has read.

SQL as functions, frozen rows out. The position and the alerts of a stretch of the log are written
in one transaction, so that whoever goes on after a crash neither misses an alert nor says it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import alert_notes, alerts, misuse_reports, watch_days, watch_position

OPEN, DISMISSED = "open", "dismissed"
Follower = Literal["engine", "instant"]
"""Whose place in the log it is: of all rules, or of those that need no past."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found. The same rule and key found again is the same alert.

    Attributes:
        rule: Name of the rule.
        key: What folds duplicates.
        severity: 1 notice, 2 warning, 3 high.
        at: When the last of what was found happened.
        first_index: Place in the log of the first of it.
        last_index: Of the last.
        count: How often it was found.
        facts: JSON object of numbers.
    """

    rule: str
    key: str
    severity: int
    at: datetime
    first_index: int
    last_index: int
    count: int
    facts: str = "{}"
    account_id: str | None = None
    controller_id: str | None = None
    case_id: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """A finding with its life among people: `open` or `dismissed`, and who looks into it."""

    id: str
    rule: str
    key: str
    severity: int
    account_id: str | None
    controller_id: str | None
    case_id: str | None
    address: str | None
    first_index: int
    last_index: int
    count: int
    facts: str
    at: datetime
    raised_at: datetime
    state: str
    assigned_to: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody said about an alert: an `assignment`, a `comment` or a `dismissal`."""

    id: str
    alert_id: str
    kind: str
    by: str
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class MisuseReport:
    """What a practice said about the reading of one of its cases."""

    id: str
    case_id: str
    controller_id: str
    by: str
    at: datetime
    words: str


async def position(connection: AsyncConnection, of: Follower = "engine") -> int | None:
    """The index of the next event to watch; None before the first."""
    statement = select(watch_position.c.following).where(watch_position.c.name == of)
    following: int | None = await connection.scalar(statement)
    return following


async def move(tx: AsyncConnection, following: int, of: Follower = "engine") -> None:
    """Say that everything before this index was watched; whoever calls holds the lease."""
    there = update(watch_position).where(watch_position.c.name == of)
    if (await tx.execute(there.values(following=following))).rowcount == 0:
        await tx.execute(insert(watch_position).values(name=of, following=following))


async def count_people(tx: AsyncConnection, day: date, people: int) -> None:
    """Say how many accounts acted on a day."""
    there = update(watch_days).where(watch_days.c.day == day.isoformat())
    if (await tx.execute(there.values(people=people))).rowcount == 0:
        await tx.execute(insert(watch_days).values(day=day.isoformat(), people=people))


async def user_days(connection: AsyncConnection, first: date, last: date) -> int:
    """On how many days how many accounts acted, added up, from the first to the last day."""
    day = watch_days.c.day
    statement = select(func.coalesce(func.sum(watch_days.c.people), 0))
    days: int = (
        await connection.scalar(statement.where(day >= first.isoformat(), day <= last.isoformat()))
        or 0
    )
    return int(days)


async def record(tx: AsyncConnection, alert_id: str, found: Finding, now: datetime) -> bool:
    """Add an alert, or what was found again to the one that there is.

    An alert that was dismissed stays so unless it has become more severe.

    Returns:
        Whether it is a new one; only then `alert_id` is its id.
    """
    known = (alerts.c.rule == found.rule) & (alerts.c.key == found.key)
    worse = alerts.c.severity < found.severity
    earlier = alerts.c.first_index > found.first_index
    again = (
        update(alerts)
        .where(known)
        .values(
            severity=case((worse, found.severity), else_=alerts.c.severity),
            state=case((worse, OPEN), else_=alerts.c.state),
            at=found.at,
            first_index=case((earlier, found.first_index), else_=alerts.c.first_index),
            last_index=found.last_index,
            count=found.count,
            facts=found.facts,
        )
    )
    if (await tx.execute(again)).rowcount:
        return False
    row = {**asdict(found), "id": alert_id, "raised_at": now, "state": OPEN}
    await tx.execute(insert(alerts).values(row))
    return True


async def find(connection: AsyncConnection, rule: str, key: str) -> Alert | None:
    """The alert of a rule about the same thing, or None."""
    known = select(alerts).where(alerts.c.rule == rule, alerts.c.key == key)
    return at_most_one(Alert, await connection.execute(known))


async def get(connection: AsyncConnection, alert_id: str) -> Alert | None:
    """One alert, or None."""
    rows = await connection.execute(select(alerts).where(alerts.c.id == alert_id))
    return at_most_one(Alert, rows)


async def list_alerts(
    connection: AsyncConnection,
    *,
    state: str | None,
    least_severity: int,
    before: str | None,
    limit: int,
) -> Sequence[Alert]:
    """Alerts, the newest first.

    Args:
        connection: Where to read.
        state: Only those in it; None: all.
        least_severity: Only those at least so severe.
        before: Only those older than this alert.
        limit: At most so many.
    """
    statement = select(alerts).where(alerts.c.severity >= least_severity)
    if state is not None:
        statement = statement.where(alerts.c.state == state)
    if before is not None:
        statement = statement.where(alerts.c.id < before)
    rows = await connection.execute(statement.order_by(alerts.c.id.desc()).limit(limit))
    return every(Alert, rows)


async def open_by_severity(connection: AsyncConnection) -> Mapping[int, int]:
    """How many alerts are open, by severity."""
    counted = select(alerts.c.severity, func.count()).where(alerts.c.state == OPEN)
    rows = await connection.execute(counted.group_by(alerts.c.severity))
    return {row[0]: row[1] for row in rows}


async def change(
    tx: AsyncConnection, alert_id: str, *, state: str | None = None, assigned_to: str | None = None
) -> bool:
    """Dismiss an open alert, or say who looks into it; False: it is not open."""
    given = {"state": state, "assigned_to": assigned_to}
    changed = {name: value for name, value in given.items() if value is not None}
    is_open = (alerts.c.id == alert_id) & (alerts.c.state == OPEN)
    return (await tx.execute(update(alerts).where(is_open).values(changed))).rowcount == 1


async def add_note(tx: AsyncConnection, note: Note) -> None:
    """Insert what somebody said."""
    await tx.execute(insert(alert_notes).values(asdict(note)))


async def notes_of(connection: AsyncConnection, alert_id: str) -> Sequence[Note]:
    """What was said about an alert, oldest first."""
    statement = select(alert_notes).where(alert_notes.c.alert_id == alert_id)
    return every(Note, await connection.execute(statement.order_by(alert_notes.c.id)))


async def add_misuse_report(tx: AsyncConnection, report: MisuseReport) -> None:
    """Insert a practice's report."""
    await tx.execute(insert(misuse_reports).values(asdict(report)))


async def misuse_reports_of(connection: AsyncConnection, case_id: str) -> Sequence[MisuseReport]:
    """What was reported about a case, oldest first."""
    statement = select(misuse_reports).where(misuse_reports.c.case_id == case_id)
    return every(MisuseReport, await connection.execute(statement.order_by(misuse_reports.c.id)))
