"""The register of all incidents (GDPR article 33(5)): facts, effects, and what was done about them.

It names no patient and no case: counts alone. As CSV it opens in any spreadsheet, and nothing in it
is taken for a formula there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from gateway.access.actors import Actor
from gateway.access.policy import Action
from gateway.incidents.incidents import Incidents, IncidentSight
from gateway.incidents.timeline import Line
from storage import incidents
from storage.database import Database

_MOST = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Registered:
    """One incident as the register has it; `measures` are those carried out, in order."""

    id: str
    title: str = field(repr=False)
    state: str
    severity: str
    risk: str
    aware_at: datetime
    opened_at: datetime
    contained_at: datetime | None
    closed_at: datetime | None
    practices: int
    practices_told: int
    cases: int
    files: int
    people: int
    kinds: Sequence[str]
    effects: Sequence[str]
    content: bool
    keys_exposed: bool
    complete: bool
    measures: Sequence[str]
    conclusion: str | None = field(repr=False)


class Register:
    """Gives the register."""

    def __init__(self, main: Database, register: Incidents) -> None:
        """Rows in `main`; `register` knows the incidents."""
        self._main = main
        self._incidents = register

    async def all(self, actor: Actor) -> Sequence[Registered]:
        """Every incident, the oldest first."""
        grant = await self._incidents.access.authorise(actor, Action.INCIDENT_REGISTER)
        async with self._main.reading() as connection:
            found = await incidents.list_incidents(connection, closed=True, limit=_MOST)
        rows = [registered(await self._incidents.sight(each.id)) for each in reversed(found)]
        await self._incidents.access.outcome(grant, incidents=len(rows))
        return rows


def registered(sight: IncidentSight) -> Registered:
    """An incident as the register has it."""
    incident, scope = sight.incident, sight.scope
    controllers = () if scope is None else scope.controllers
    return Registered(
        id=incident.id,
        title=sight.title,
        state=incident.state,
        severity=incident.severity,
        risk=incident.risk,
        aware_at=incident.aware_at,
        opened_at=incident.opened_at,
        contained_at=incident.contained_at,
        closed_at=incident.closed_at,
        practices=len(controllers),
        practices_told=len({line.entry.ref for line in sight.lines if _tells(line.entry.kind)}),
        cases=sum(len(each.cases) for each in controllers),
        files=sum(each.files for each in controllers),
        people=sum(each.subjects for each in controllers),
        kinds=sorted({kind.value for each in controllers for kind in each.kinds}),
        effects=sorted({effect.value for each in controllers for effect in each.effects}),
        content=any(each.content for each in controllers),
        keys_exposed=any(each.keys_exposed for each in controllers),
        complete=scope is not None and scope.complete,
        measures=[each.kind for each in sight.measures if each.state == incidents.DONE],
        conclusion=sight.conclusion,
    )


def as_csv(rows: Sequence[Registered]) -> str:
    """The register as CSV (RFC 4180), one line an incident."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = [each.name for each in fields(Registered)]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return out.getvalue()


def _tells(kind: str) -> bool:
    return kind == Line.NOTICE


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
