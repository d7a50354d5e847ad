"""Notices of a breach: to each practice that is in an incident, by GDPR article 33(2) and 33(3).

A notice is what the log says of that practice (its scope) and what the privacy officer wrote. What
is not known yet is said to be so, and follows in a later version (article 33(4)); each version is
kept as it was written, and says what is other than in the one that was sent before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target
from gateway.access.notices import announce, tell
from gateway.access.policy import Action
from gateway.access.sessions import Sessions
from gateway.errors import InvalidInputError, NotFoundError, WrongStateError
from gateway.exports.breach import Breach, Figures, Words
from gateway.ids import new_id, now
from gateway.incidents.incidents import latest
from gateway.incidents.scope import Scope, ScopeOfController
from gateway.incidents.sealing import IncidentKeys, OpenIncident
from gateway.incidents.timeline import Line, add_line
from storage import accounts, breaches, incidents
from storage.breaches import BreachNotice
from storage.database import Database
from storage.incidents import Incident

WORDS_LIMIT = 5_000  # characters of one part
PARTS = ("nature", "contact", "consequences", "measures")


class Phase(StrEnum):
    """How much is known (article 33(4)). The names are API."""

    FIRST = "first"
    FURTHER = "further"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class NoticeSight:
    """One version, and what it says."""

    notice: BreachNotice
    breach: Breach = field(repr=False)


class BreachNotices:
    """Writes notices, sends them, shows them to their practices, and takes their confirmation."""

    def __init__(
        self, main: Database, access: Access, sessions: Sessions, keys: IncidentKeys
    ) -> None:
        """Rows in `main`; what they say is sealed by `keys`."""
        self._main = main
        self._access = access
        self._sessions = sessions
        self._keys = keys

    async def compose(
        self,
        actor: Actor,
        incident_id: str,
        phase: Phase,
        words: Mapping[str, Words],
        controllers: Sequence[str] | None,
    ) -> Sequence[NoticeSight]:
        """Write the next version for some practices; none given: for all that are in the scope.

        Raises:
            InvalidInputError: Nobody to ask is named; a final notice leaves something open; or a
                practice is in no scope and was never told anything.
            WrongStateError: The scope was not computed yet.
        """
        _check(phase, words)
        grant = await self._authorise(actor, Action.BREACH_COMPOSE, "incident", incident_id)
        async with self._main.transaction() as tx:
            incident = await incidents.lock(tx, incident_id)
            if incident is None:
                raise NotFoundError
            opened = await self._keys.open(incident_id)
            scope = await latest(tx, incident_id)
            if scope is None:
                raise WrongStateError(needed="a scope", state="none")
            earlier = await breaches.of_incident(tx, incident_id)
            within = _within(scope, earlier)
            chosen = within.keys() if controllers is None else set(controllers)
            if not chosen or not chosen <= within.keys():
                reason = "name practices that are in the scope of the incident"
                raise InvalidInputError(field="controllers", reason=reason)
            written = []
            for controller_id in sorted(chosen):
                theirs = [each for each in earlier if each.controller_id == controller_id]
                breach = await _breach(tx, incident, within[controller_id], phase, words)
                breach = replace(breach, version=len(theirs) + 1)
                breach = replace(breach, changed=_changed(opened, theirs, breach))
                written.append(await _write(tx, opened, actor, controller_id, breach))
            told_of = [sight.notice.id for sight in written]
            await self._access.outcome_in(tx, grant, notices=told_of)
        return written

    async def of_incident(self, actor: Actor, incident_id: str) -> Sequence[NoticeSight]:
        """All versions of an incident's notices, by practice. Raises NotFoundError."""
        grant = await self._authorise(actor, Action.INCIDENT_VIEW, "incident", incident_id)
        async with self._main.reading() as connection:
            if await incidents.get(connection, incident_id) is None:
                raise NotFoundError
            found = await breaches.of_incident(connection, incident_id)
        await self._access.outcome(grant, notices=[each.id for each in found])
        opened = await self._keys.open(incident_id)
        return [_sight(each, opened) for each in found]

    async def of_practice(
        self, actor: Actor, *, before: str | None, limit: int
    ) -> Sequence[NoticeSight]:
        """What one's own practice was sent, the newest first."""
        grant = await self._access.authorise(actor, Action.BREACH_LIST)
        async with self._main.reading() as connection:
            own = str(actor.controller_id)
            found = await breaches.sent_to(connection, own, before=before, limit=limit)
        await self._access.outcome(grant, notices=[each.id for each in found])
        return [_sight(each, await self._keys.open(each.incident_id)) for each in found]

    async def view(self, actor: Actor, notice_id: str) -> NoticeSight:
        """One notice. Raises NotFoundError: there is none, it is another's, or was not sent."""
        grant, notice = await self._found(actor, Action.BREACH_VIEW, notice_id)
        series = None if actor.controller_id is None else notice.controller_id
        await self._access.outcome(grant, controller_id=series, incident=notice.incident_id)
        return _sight(notice, await self._keys.open(notice.incident_id))

    async def send(self, actor: Actor, notice_id: str) -> NoticeSight:
        """Send the newest version to its practice: a mail says that it is there to be read.

        Raises:
            WrongStateError: It was sent before, or there is a newer version.
            ConfirmationRequiredError: The password was given too long ago.
        """
        grant, notice = await self._found(actor, Action.BREACH_SEND, notice_id)
        await self._sessions.require_confirmation(actor, Action.BREACH_SEND)
        opened, at = await self._keys.open(notice.incident_id), now()
        async with self._main.transaction() as tx:
            await incidents.lock(tx, notice.incident_id)
            if await breaches.newest_version(tx, notice) != notice.version:
                raise WrongStateError(needed="the newest version", state="older")
            if not await breaches.send(tx, notice_id, actor.id, at):
                raise WrongStateError(needed="not sent", state="sent")
            controller_id = notice.controller_id
            await add_line(tx, opened, Line.NOTICE, by=actor.id, ref=controller_id)
            if await accounts.get_controller(tx, controller_id) is not None:
                await tell(tx, "breach_notice", controller_id=controller_id)
            await announce(tx, "breach_notice.sent", id=notice_id, incident=notice.incident_id)
            await self._access.outcome_in(
                tx, grant, controller_id=controller_id, version=notice.version
            )
        return _sight(replace(notice, sent_by=actor.id, sent_at=at), opened)

    async def acknowledge(self, actor: Actor, notice_id: str) -> NoticeSight:
        """Confirm, for the practice, that it was read; the first one to do so counts."""
        grant, notice = await self._found(actor, Action.BREACH_ACKNOWLEDGE, notice_id)
        async with self._main.transaction() as tx:
            first = await breaches.acknowledge(tx, notice_id, actor.id, now())
            await self._access.outcome_in(tx, grant, first=first)
            known = await breaches.get(tx, notice_id)
        return _sight(known or notice, await self._keys.open(notice.incident_id))

    async def _authorise(self, actor: Actor, action: Action, kind: str, object_id: str) -> Grant:
        return await self._access.authorise(actor, action, target=Target(kind, object_id))

    async def _found(
        self, actor: Actor, action: Action, notice_id: str
    ) -> tuple[Grant, BreachNotice]:
        """A notice as far as this actor may know of it. Raises NotFoundError."""
        grant = await self._authorise(actor, action, "breach_notice", notice_id)
        async with self._main.reading() as connection:
            notice = await breaches.get(connection, notice_id)
        if notice is None:
            raise NotFoundError
        if actor.controller_id is not None and (
            actor.controller_id != notice.controller_id or notice.sent_at is None
        ):
            await self._refuse(actor, action, notice_id)
        return grant, notice

    async def _refuse(self, actor: Actor, action: Action, object_id: str) -> None:
        await self._access.note(actor, action, refused=True, object=object_id)
        raise NotFoundError


def _check(phase: Phase, words: Mapping[str, Words]) -> None:
    if not words:
        raise InvalidInputError(field="words", reason="write in English, Dutch or both")
    for language, said in words.items():
        for name in PARTS:
            part = getattr(said, name)
            if part is not None and not 0 < len(part.strip()) <= WORDS_LIMIT:
                reason = f"take 1 to {WORDS_LIMIT} characters, or leave it out: not known yet"
                raise InvalidInputError(field=f"words.{language}.{name}", reason=reason)
            if part is None and (name == "contact" or phase is Phase.FINAL):
                reason = "say where to ask" if name == "contact" else "a final notice says it"
                raise InvalidInputError(field=f"words.{language}.{name}", reason=reason)


def _within(scope: Scope, earlier: Sequence[BreachNotice]) -> Mapping[str, ScopeOfController]:
    """What there is to say by practice: to those in the scope, and to those that were told before.

    Who was told, and is in the scope no more, is told that.
    """
    nothing = {
        each.controller_id: ScopeOfController(
            each.controller_id, (), scope.computed_at, scope.up_to, scope.complete
        )
        for each in earlier
        if each.sent_at is not None
    }
    return nothing | {each.controller_id: each for each in scope.controllers}


async def _breach(
    tx: AsyncConnection,
    incident: Incident,
    scope: ScopeOfController,
    phase: Phase,
    words: Mapping[str, Words],
) -> Breach:
    practice = await accounts.get_controller(tx, scope.controller_id)
    return Breach(
        incident_id=incident.id,
        practice=scope.controller_id if practice is None else practice.name,
        version=0,
        phase=phase.value,
        created_at=now(),
        aware_at=incident.aware_at,
        figures=Figures(
            subjects=scope.subjects,
            files=scope.files,
            cases=[case.case_id for case in scope.cases],
            kinds=list(scope.kinds),
            effects=list(scope.effects),
            content=scope.content,
            keys_exposed=scope.keys_exposed,
            complete=scope.complete,
            computed_at=scope.computed_at,
        ),
        words=words,
    )


def _changed(
    opened: OpenIncident, earlier: Sequence[BreachNotice], breach: Breach
) -> Sequence[str] | None:
    """Which parts are other than in what the practice was sent last; None: it was sent nothing."""
    sent = [notice for notice in earlier if notice.sent_at is not None]
    if not sent:
        return None
    last = _sight(sent[-1], opened).breach
    changed = [
        name
        for name in PARTS
        if {tongue: getattr(each, name) for tongue, each in last.words.items()}
        != {tongue: getattr(each, name) for tongue, each in breach.words.items()}
    ]
    if replace(last.figures, computed_at=breach.figures.computed_at) != breach.figures:
        changed.insert(1 if "nature" in changed else 0, "numbers")
    return changed


async def _write(
    tx: AsyncConnection, opened: OpenIncident, actor: Actor, controller_id: str, breach: Breach
) -> NoticeSight:
    notice_id = new_id()
    body = json.dumps(asdict(breach), default=datetime.isoformat).encode()
    notice = BreachNotice(
        id=notice_id,
        incident_id=breach.incident_id,
        controller_id=controller_id,
        version=breach.version,
        phase=breach.phase,
        created_by=actor.id,
        created_at=breach.created_at,
        sealed_body=opened.seal(f"notice/{notice_id}", body),
    )
    await breaches.add(tx, notice)
    return NoticeSight(notice, breach)


def _sight(notice: BreachNotice, opened: OpenIncident) -> NoticeSight:
    """A notice with what it says. Raises IntegrityFailedError."""
    said = json.loads(opened.unseal(f"notice/{notice.id}", notice.sealed_body))
    figures = said.pop("figures")
    figures["computed_at"] = datetime.fromisoformat(figures["computed_at"])
    breach = Breach(
        figures=Figures(**figures),
        words={tongue: Words(**each) for tongue, each in said.pop("words").items()},
        created_at=datetime.fromisoformat(said.pop("created_at")),
        aware_at=datetime.fromisoformat(said.pop("aware_at")),
        **said,
    )
    return NoticeSight(notice, breach)
