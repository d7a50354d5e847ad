"""Incidents with their timelines, scopes, measures and evidence: SQL as functions, rows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import (
    incident_alerts,
    incident_entries,
    incident_evidence,
    incident_evidence_parts,
    incident_measures,
    incident_scope_cases,
    incident_scopes,
    incidents,
)

OPEN, CONTAINED, CLOSED = "open", "contained", "closed"
INTENDED, DONE = "intended", "done"


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident: `open`, `contained` or `closed`; who runs it, and since when one knows of it.

    `severity` and `risk` are words of gateway.incidents; what people wrote is sealed.
    """

    id: str
    state: str
    severity: str
    risk: str
    owner_id: str
    aware_at: datetime
    opened_by: str
    opened_at: datetime
    sealed_title: bytes = field(repr=False)
    contained_at: datetime | None = None
    closed_at: datetime | None = None
    sealed_conclusion: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline; `ref` is the id of what it is about, `by` None: the system's."""

    id: str
    incident_id: str
    kind: str
    by: str | None
    at: datetime
    ref: str | None = None
    sealed_words: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """What the log was asked for an incident, and how far it was read."""

    id: str
    incident_id: str
    question: str
    by: str
    computed_at: datetime
    up_to: int
    acts: int
    complete: bool


@dataclass(frozen=True, slots=True)
class ScopeCase:
    """One case of an answer; `files`, `kinds` and `effects` are JSON lists."""

    scope_id: str
    case_id: str
    controller_id: str
    subject: str | None
    files: str
    kinds: str
    effects: str
    keys_exposed: bool
    events: int


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is done to contain an incident: `intended`, then `done` with its result.

    `subjects` is a JSON list of ids, `result` a JSON object of numbers.
    """

    id: str
    incident_id: str
    kind: str
    subjects: str
    state: str
    by: str
    at: datetime
    done_at: datetime | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One attachment; `size` in bytes before sealing."""

    id: str
    incident_id: str
    by: str
    at: datetime
    size: int
    sealed_head: bytes = field(repr=False)


async def add(tx: AsyncConnection, incident: Incident) -> None:
    """Insert an incident."""
    await tx.execute(insert(incidents).values(asdict(incident)))


async def get(connection: AsyncConnection, incident_id: str) -> Incident | None:
    """One incident, or None."""
    found = await connection.execute(select(incidents).where(incidents.c.id == incident_id))
    return at_most_one(Incident, found)


async def lock(tx: AsyncConnection, incident_id: str) -> Incident | None:
    """One incident under a row lock until the transaction ends, or None."""
    statement = select(incidents).where(incidents.c.id == incident_id).with_for_update()
    return at_most_one(Incident, await tx.execute(statement))


async def change(tx: AsyncConnection, incident_id: str, **columns: Any) -> None:
    """Set columns of an incident."""
    await tx.execute(update(incidents).where(incidents.c.id == incident_id).values(**columns))


async def list_incidents(
    connection: AsyncConnection, *, closed: bool, before: str | None = None, limit: int
) -> Sequence[Incident]:
    """Incidents, the newest first.

    Args:
        connection: Where to read.
        closed: Those that are closed, too.
        before: Only those older than this one.
        limit: At most so many.
    """
    statement = select(incidents).order_by(incidents.c.id.desc()).limit(limit)
    if not closed:
        statement = statement.where(incidents.c.state != CLOSED)
    if before is not None:
        statement = statement.where(incidents.c.id < before)
    return every(Incident, await connection.execute(statement))


async def count_running(connection: AsyncConnection) -> int:
    """How many incidents are not closed."""
    running = select(func.count()).select_from(incidents).where(incidents.c.state != CLOSED)
    return await connection.scalar(running) or 0


async def known(connection: AsyncConnection, ids: Sequence[str]) -> frozenset[str]:
    """Which of these ids are of incidents."""
    found = await connection.scalars(select(incidents.c.id).where(incidents.c.id.in_(ids)))
    return frozenset(found)


async def add_entry(tx: AsyncConnection, entry: Entry) -> None:
    """Insert a line of a timeline."""
    await tx.execute(insert(incident_entries).values(asdict(entry)))


async def entries_of(connection: AsyncConnection, incident_id: str) -> Sequence[Entry]:
    """The timeline, oldest first."""
    statement = select(incident_entries).where(incident_entries.c.incident_id == incident_id)
    return every(Entry, await connection.execute(statement.order_by(incident_entries.c.id)))


async def join_alert(
    tx: AsyncConnection, incident_id: str, alert_id: str, by: str, at: datetime
) -> bool:
    """Join an alert to an incident; False: it is joined already. The incident is locked."""
    there = exists().where(
        incident_alerts.c.incident_id == incident_id, incident_alerts.c.alert_id == alert_id
    )
    if await tx.scalar(select(there)):
        return False
    row = {"incident_id": incident_id, "alert_id": alert_id, "by": by, "at": at}
    await tx.execute(insert(incident_alerts).values(row))
    return True


async def alerts_of(connection: AsyncConnection, incident_id: str) -> Sequence[str]:
    """The ids of the alerts of an incident, oldest first."""
    statement = select(incident_alerts.c.alert_id).where(
        incident_alerts.c.incident_id == incident_id
    )
    return list(await connection.scalars(statement.order_by(incident_alerts.c.alert_id)))


async def incidents_of_alert(connection: AsyncConnection, alert_id: str) -> Sequence[str]:
    """The ids of the incidents that an alert is joined to."""
    statement = select(incident_alerts.c.incident_id).where(incident_alerts.c.alert_id == alert_id)
    return list(await connection.scalars(statement.order_by(incident_alerts.c.incident_id)))


async def add_scope(tx: AsyncConnection, scope: ScopeRow, found: Sequence[ScopeCase]) -> None:
    """Insert an answer with its cases."""
    await tx.execute(insert(incident_scopes).values(asdict(scope)))
    if found:
        await tx.execute(insert(incident_scope_cases), [asdict(each) for each in found])


async def latest_scope(connection: AsyncConnection, incident_id: str) -> ScopeRow | None:
    """The newest answer, or None before the first."""
    statement = select(incident_scopes).where(incident_scopes.c.incident_id == incident_id)
    newest = statement.order_by(incident_scopes.c.id.desc()).limit(1)
    return at_most_one(ScopeRow, await connection.execute(newest))


async def cases_of(connection: AsyncConnection, scope_id: str) -> Sequence[ScopeCase]:
    """The cases of an answer, by controller and case."""
    statement = select(incident_scope_cases).where(incident_scope_cases.c.scope_id == scope_id)
    columns = incident_scope_cases.c.controller_id, incident_scope_cases.c.case_id
    return every(ScopeCase, await connection.execute(statement.order_by(*columns)))


async def add_measure(tx: AsyncConnection, measure: Measure) -> None:
    """Insert a measure."""
    await tx.execute(insert(incident_measures).values(asdict(measure)))


async def measures_of(connection: AsyncConnection, incident_id: str) -> Sequence[Measure]:
    """The measures of an incident, oldest first."""
    statement = select(incident_measures).where(incident_measures.c.incident_id == incident_id)
    return every(Measure, await connection.execute(statement.order_by(incident_measures.c.id)))


async def intended(connection: AsyncConnection) -> Sequence[Measure]:
    """The measures that nobody has carried out yet, oldest first."""
    statement = select(incident_measures).where(incident_measures.c.state == INTENDED)
    return every(Measure, await connection.execute(statement.order_by(incident_measures.c.id)))


async def finish_measure(tx: AsyncConnection, measure_id: str, at: datetime, result: str) -> bool:
    """Say that a measure is done; False: somebody said so before."""
    mine = (incident_measures.c.id == measure_id) & (incident_measures.c.state == INTENDED)
    done = update(incident_measures).where(mine).values(state=DONE, done_at=at, result=result)
    return (await tx.execute(done)).rowcount == 1


async def add_evidence(tx: AsyncConnection, evidence: Evidence, parts: Sequence[bytes]) -> None:
    """Insert an attachment with its sealed parts."""
    await tx.execute(insert(incident_evidence).values(asdict(evidence)))
    rows = [
        {"evidence_id": evidence.id, "number": number, "sealed": sealed}
        for number, sealed in enumerate(parts)
    ]
    await tx.execute(insert(incident_evidence_parts), rows)


async def evidence_of(connection: AsyncConnection, incident_id: str) -> Sequence[Evidence]:
    """The attachments of an incident, oldest first."""
    statement = select(incident_evidence).where(incident_evidence.c.incident_id == incident_id)
    return every(Evidence, await connection.execute(statement.order_by(incident_evidence.c.id)))


async def evidence_parts(connection: AsyncConnection, evidence_id: str) -> Sequence[bytes]:
    """The sealed parts of an attachment, in order."""
    statement = select(incident_evidence_parts.c.sealed).where(
        incident_evidence_parts.c.evidence_id == evidence_id
    )
    return list(await connection.scalars(statement.order_by(incident_evidence_parts.c.number)))
