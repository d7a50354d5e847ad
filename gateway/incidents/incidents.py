"""Incidents: opened, run by somebody, scoped, contained, closed with a conclusion (P35, P36).

Only privacy officers see them. That they do, and every change, are events of the house: in no
practice's series, for who is suspected may be somebody of that practice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Detail, Grant, Target
from gateway.access.notices import announce
from gateway.access.policy import Action, Role
from gateway.errors import InvalidInputError, NotFoundError, WrongStateError
from gateway.ids import new_id, now
from gateway.incidents.clocks import Clock, clocks
from gateway.incidents.gathering import gather
from gateway.incidents.keeping import read_scope, rows_of
from gateway.incidents.scope import Question, Scope, ScopeOfController
from gateway.incidents.sealing import IncidentKeys, OpenIncident
from gateway.incidents.timeline import Line, LineSight, add_line, read_lines
from gateway.incidents.words import Risk, Severity
from storage import accounts, alerts, incidents
from storage.database import Database
from storage.incidents import Evidence, Incident, Measure

TITLE_LIMIT, WORDS_LIMIT = 200, 10_000


@dataclass(frozen=True, slots=True)
class IncidentSight:
    """One incident, what people wrote of it opened."""

    incident: Incident
    title: str = field(repr=False)
    conclusion: str | None = field(default=None, repr=False)
    lines: Sequence[LineSight] = ()
    alerts: Sequence[str] = ()
    measures: Sequence[Measure] = ()
    evidence: Sequence[tuple[Evidence, bytes]] = ()
    scope: Scope | None = None
    clocks: Sequence[Clock] = ()


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """What to change of an incident; None leaves it as it is."""

    state: str | None = None
    severity: Severity | None = None
    risk: Risk | None = None
    owner_id: str | None = None
    conclusion: str | None = field(default=None, repr=False)


class Incidents:
    """What privacy officers do with incidents."""

    def __init__(self, main: Database, access: Access, keys: IncidentKeys) -> None:
        """Rows in `main`; what people write is sealed by `keys`."""
        self.access = access
        self._main = main
        self.keys = keys

    async def open(
        self, actor: Actor, title: str, severity: Severity, aware_at: datetime | None
    ) -> IncidentSight:
        """Open an incident; who opens it runs it. The clocks run from `aware_at`, or from now.

        Raises:
            InvalidInputError: No title, or aware in the future.
        """
        _check(title, "title", TITLE_LIMIT)
        at = now()
        if aware_at is not None and (aware_at.tzinfo is None or aware_at > at):
            raise InvalidInputError(field="aware_at", reason="say a past time, with its zone")
        incident_id = new_id()
        grant = await self.access.authorise(
            actor, Action.INCIDENT_OPEN, target=Target("incident", incident_id)
        )
        # A crash after this leaves an orphan key; the sweep removes it.
        opened = await self.keys.create(incident_id)
        incident = Incident(
            id=incident_id,
            state=incidents.OPEN,
            severity=severity.value,
            risk=Risk.UNKNOWN.value,
            owner_id=actor.id,
            aware_at=aware_at or at,
            opened_by=actor.id,
            opened_at=at,
            sealed_title=opened.seal("title", title.strip().encode()),
        )
        async with self._main.transaction() as tx:
            await incidents.add(tx, incident)
            await add_line(tx, opened, Line.OPENED, by=actor.id)
            await announce(tx, "incident.opened", id=incident_id)
            await self.access.outcome_in(tx, grant, severity=severity.value)
            return await self._sight(tx, opened)

    async def list(
        self, actor: Actor, *, closed: bool, before: str | None, limit: int
    ) -> Sequence[IncidentSight]:
        """Incidents by title, the newest first; arguments as in `storage.incidents`."""
        grant = await self.access.authorise(actor, Action.INCIDENT_LIST)
        async with self._main.reading() as connection:
            found = await incidents.list_incidents(
                connection, closed=closed, before=before, limit=limit
            )
        await self.access.outcome(grant, incidents=[each.id for each in found])
        return [_plain(each, await self.keys.open(each.id)) for each in found]

    async def view(self, actor: Actor, incident_id: str) -> IncidentSight:
        """One incident with all there is of it. Raises NotFoundError."""
        await self.authorise(actor, Action.INCIDENT_VIEW, incident_id)
        return await self.sight(incident_id)

    async def sight(self, incident_id: str) -> IncidentSight:
        """The same for whoever was allowed it otherwise."""
        opened = await self.unlocked(incident_id)
        async with self._main.reading() as connection:
            return await self._sight(connection, opened)

    async def change(self, actor: Actor, incident_id: str, change: IncidentChange) -> IncidentSight:
        """Say who runs it, how bad it is, that it is contained, or close it with a conclusion.

        Raises:
            NotFoundError: There is no such incident.
            InvalidInputError: The owner is no privacy officer; or it closes without a conclusion,
                or without a word on the risk.
            WrongStateError: It is closed; open it again first.
        """
        if change.conclusion is not None:
            _check(change.conclusion, "conclusion", WORDS_LIMIT)
        grant = await self.authorise(actor, Action.INCIDENT_CHANGE, incident_id)
        opened = await self.unlocked(incident_id)
        async with self._main.transaction() as tx:
            incident = await self._locked(tx, incident_id)
            if incident.state == incidents.CLOSED and change.state in {None, incidents.CLOSED}:
                raise WrongStateError(needed="open", state=incidents.CLOSED)
            changed = _columns(incident, change, opened)
            if change.owner_id is not None:
                await check_officer(tx, change.owner_id)
                await add_line(tx, opened, Line.OWNER, by=actor.id, ref=change.owner_id)
            if changed.keys() - {"owner_id"}:
                state = change.state or incident.state
                words = change.conclusion
                await add_line(tx, opened, Line.STATE, by=actor.id, ref=state, words=words)
            if changed:
                await incidents.change(tx, incident_id, **changed)
            said: dict[str, Detail] = {
                name: str(value)
                for name in ("state", "severity", "risk", "owner_id")
                if (value := getattr(change, name)) is not None
            }
            target = Target("incident", incident_id)
            await self.access.outcome_in(tx, grant, target, controller_id=None, **said)
            return await self._sight(tx, opened)

    async def note(self, actor: Actor, incident_id: str, words: str) -> IncidentSight:
        """Write something into the timeline. Raises InvalidInputError, NotFoundError."""
        _check(words, "words", WORDS_LIMIT)
        grant = await self.authorise(actor, Action.INCIDENT_NOTE, incident_id)
        opened = await self.unlocked(incident_id)
        async with self._main.transaction() as tx:
            await self._locked(tx, incident_id)
            await add_line(tx, opened, Line.NOTE, by=actor.id, words=words.strip())
            await self.access.outcome_in(tx, grant)
            return await self._sight(tx, opened)

    async def join(self, actor: Actor, incident_id: str, alert_id: str) -> IncidentSight:
        """Join an alert to an incident; one that is joined already stays so.

        Raises:
            NotFoundError: There is no such incident, or no such alert.
        """
        grant = await self.authorise(actor, Action.INCIDENT_JOIN, incident_id)
        opened = await self.unlocked(incident_id)
        async with self._main.transaction() as tx:
            await self._locked(tx, incident_id)
            if await alerts.get(tx, alert_id) is None:
                raise NotFoundError
            if await incidents.join_alert(tx, incident_id, alert_id, actor.id, now()):
                await add_line(tx, opened, Line.ALERT, by=actor.id, ref=alert_id)
            await self.access.outcome_in(tx, grant, alert=alert_id)
            return await self._sight(tx, opened)

    async def compute(self, actor: Actor, incident_id: str, question: Question) -> Scope:
        """Compute the scope from the log, and keep it; what was computed before stays.

        Raises:
            NotFoundError: There is no such incident.
            InvalidInputError: The question names what there is not.
        """
        grant = await self.authorise(actor, Action.INCIDENT_SCOPE, incident_id)
        opened = await self.unlocked(incident_id)
        scope = await gather(self._main, question, now())
        scope_id = new_id()
        row, found = rows_of(scope, scope_id, incident_id, actor.id)
        async with self._main.transaction() as tx:
            await self._locked(tx, incident_id)
            await incidents.add_scope(tx, row, found)
            await add_line(tx, opened, Line.SCOPE, by=actor.id, ref=scope_id)
            target = Target("incident", incident_id)
            await self.access.outcome_in(tx, grant, target, scope=scope_id, cases=len(found))
        return scope

    async def scope_of(self, incident_id: str) -> Sequence[ScopeOfController]:
        """The newest answer of the log, by controller; nothing before the first."""
        async with self._main.reading() as connection:
            scope = await latest(connection, incident_id)
        return () if scope is None else scope.controllers

    async def authorise(self, actor: Actor, action: Action, incident_id: str) -> Grant:
        """Allow an act on an incident, or refuse it."""
        return await self.access.authorise(actor, action, target=Target("incident", incident_id))

    async def unlocked(self, incident_id: str) -> OpenIncident:
        """The incident's key. Raises NotFoundError, IntegrityFailedError."""
        async with self._main.reading() as connection:
            if await incidents.get(connection, incident_id) is None:
                raise NotFoundError
        return await self.keys.open(incident_id)

    @staticmethod
    async def _locked(tx: AsyncConnection, incident_id: str) -> Incident:
        incident = await incidents.lock(tx, incident_id)
        if incident is None:
            raise NotFoundError
        return incident

    @staticmethod
    async def _sight(connection: AsyncConnection, opened: OpenIncident) -> IncidentSight:
        incident = await incidents.get(connection, opened.incident_id)
        if incident is None:
            raise NotFoundError
        plain = _plain(incident, opened)
        entries = await incidents.entries_of(connection, incident.id)
        scope = await latest(connection, incident.id)
        evidence = await incidents.evidence_of(connection, incident.id)
        within = [] if scope is None else [each.controller_id for each in scope.controllers]
        return IncidentSight(
            incident=incident,
            title=plain.title,
            conclusion=plain.conclusion,
            lines=read_lines(opened, entries),
            alerts=await incidents.alerts_of(connection, incident.id),
            measures=await incidents.measures_of(connection, incident.id),
            evidence=[
                (each, opened.unseal(f"evidence/{each.id}", each.sealed_head)) for each in evidence
            ],
            scope=scope,
            clocks=clocks(within, incident.aware_at, entries, now()),
        )


async def latest(connection: AsyncConnection, incident_id: str) -> Scope | None:
    """The newest answer of the log, or None before the first."""
    row = await incidents.latest_scope(connection, incident_id)
    return None if row is None else read_scope(row, await incidents.cases_of(connection, row.id))


async def check_officer(tx: AsyncConnection, account_id: str) -> None:
    """Refuse an account that is none of a privacy officer. Raises InvalidInputError."""
    account = await accounts.get_account(tx, account_id)
    if account is None or account.role != Role.PRIVACY_OFFICER or account.disabled_at is not None:
        raise InvalidInputError(field="owner_id", reason="name a privacy officer")


def _plain(incident: Incident, opened: OpenIncident) -> IncidentSight:
    title = opened.unseal("title", incident.sealed_title).decode()
    return IncidentSight(incident, title, opened.read("conclusion", incident.sealed_conclusion))


def _columns(incident: Incident, change: IncidentChange, opened: OpenIncident) -> dict[str, object]:
    """What changes. Raises InvalidInputError."""
    changed: dict[str, object] = {
        name: str(value)
        for name in ("severity", "risk", "owner_id")
        if (value := getattr(change, name)) is not None
    }
    if change.conclusion is not None:
        changed["sealed_conclusion"] = opened.seal("conclusion", change.conclusion.encode())
    if change.state is None or change.state == incident.state:
        return changed
    changed["state"] = change.state
    changed["closed_at"] = now() if change.state == incidents.CLOSED else None
    if change.state == incidents.CONTAINED:
        changed["contained_at"] = now()
    if change.state == incidents.CLOSED:
        if change.conclusion is None and incident.sealed_conclusion is None:
            raise InvalidInputError(field="conclusion", reason="say what came of it")
        if (change.risk or incident.risk) == Risk.UNKNOWN:
            raise InvalidInputError(field="risk", reason="say what it means to people")
    return changed


def _check(words: str, name: str, limit: int) -> None:
    if not words.strip() or len(words) > limit:
        raise InvalidInputError(field=name, reason=f"take 1 to {limit} characters")
