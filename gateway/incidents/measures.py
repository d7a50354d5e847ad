"""What contains an incident, at one decision: each measure is one act that there is anyway.

A decision is written down before anything is done, and carried out under it; then it is said that
it was. What a crash leaves is a measure that is `intended`: whoever starts next carries it out.
Every act can be done twice without harm, so nothing hangs on where it broke off.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.access.accountkeys import HOUSE
from gateway.access.accounts import Accounts
from gateway.access.actors import Actor, system
from gateway.access.grants import Target
from gateway.access.policy import Action
from gateway.access.sessionlist import SessionList
from gateway.access.sessions import Sessions
from gateway.errors import (
    CaseFrozenError,
    CaseRestrictedError,
    InvalidInputError,
    NotFoundError,
    WrongStateError,
)
from gateway.ids import new_id, now
from gateway.incidents.incidents import Incidents, latest
from gateway.incidents.timeline import Line, add_line
from gateway.incidents.words import Remedy
from gateway.privacy.assignments import Assignments
from gateway.privacy.restriction import Restriction
from gateway.privacy.rotation import Rotations
from storage import accounts, cases, incidents
from storage.database import Database
from storage.incidents import Measure

MOST_SUBJECTS = 10_000
PAUSE = 15.0  # seconds between two looks for what a crash left
LATE = timedelta(minutes=2)  # whoever decided has carried it out by then, or is gone

log = structlog.get_logger()


_OF_ACCOUNTS = frozenset({Remedy.SESSIONS, Remedy.ACCOUNTS, Remedy.ASSIGNMENTS})


@dataclass(frozen=True, slots=True)
class Acts:
    """The acts that measures consist of; `sessions` knows who has just proved themself."""

    sessions: Sessions
    accounts: Accounts
    session_list: SessionList
    assignments: Assignments
    restriction: Restriction
    rotations: Rotations
    requested: Callable[[], None]


class Measures:
    """Decides on measures and carries them out."""

    def __init__(self, main: Database, register: Incidents, acts: Acts) -> None:
        """Rows in `main`; `register` knows the incidents."""
        self._main = main
        self._incidents = register
        self._acts = acts

    async def take(
        self, actor: Actor, incident_id: str, remedy: Remedy, subjects: Sequence[str]
    ) -> Measure:
        """Decide on a measure and carry it out.

        Args:
            actor: Who decides.
            incident_id: Against what.
            remedy: What to do.
            subjects: Ids of accounts, cases or practices; none: those of the incident's scope.

        Raises:
            NotFoundError: There is no such incident.
            InvalidInputError: No subject, too many, or one that there is not.
            ConfirmationRequiredError: The password was given too long ago.
        """
        grant = await self._incidents.authorise(actor, Action.INCIDENT_MEASURE, incident_id)
        await self._acts.sessions.require_confirmation(actor, Action.INCIDENT_MEASURE)
        opened = await self._incidents.unlocked(incident_id)
        # Before the transaction: nothing else waits while thousands are looked up.
        chosen = sorted(set(subjects)) or await self._of_scope(incident_id, remedy)
        await self._check(remedy, chosen)
        async with self._main.transaction() as tx:
            if await incidents.lock(tx, incident_id) is None:
                raise NotFoundError
            subjects_text, at = json.dumps(chosen), now()
            measure = Measure(
                *(new_id(), incident_id, remedy.value, subjects_text),
                *(incidents.INTENDED, actor.id, at),
            )
            await incidents.add_measure(tx, measure)
            await add_line(tx, opened, Line.MEASURE, by=actor.id, ref=measure.id)
            await self._incidents.access.outcome_in(
                tx,
                grant,
                Target("incident", incident_id),
                measure=measure.id,
                kind=remedy.value,
                subjects=len(chosen),
            )
        return await self._carry_out(measure)

    async def resume(self, before: timedelta = timedelta()) -> int:
        """Carry out what was decided so long ago and not done; how many there were."""
        async with self._main.reading() as connection:
            left = await incidents.intended(connection)
        due = [measure for measure in left if measure.at <= now() - before]
        for measure in due:
            try:
                await self._carry_out(measure)
            except Exception as error:  # noqa: BLE001 - it stays intended, and is tried again
                log.error("measure_failed", id=measure.id, error=type(error).__name__)
        return len(due)

    async def run(self) -> None:
        """Carry out what a crash left, now and from time to time, until cancelled."""
        before = timedelta()
        while True:
            try:
                await self.resume(before)
            except Exception as error:  # noqa: BLE001 - the next look finds the same
                log.error("measures_failed", error=type(error).__name__)
            before = LATE
            await asyncio.sleep(PAUSE)

    async def _carry_out(self, measure: Measure) -> Measure:
        result = json.dumps(await self._do(measure), sort_keys=True)
        opened = await self._incidents.unlocked(measure.incident_id)
        async with self._main.transaction() as tx:
            if await incidents.finish_measure(tx, measure.id, now(), result):
                await add_line(tx, opened, Line.DONE, by=None, ref=measure.id)
            found = await incidents.measures_of(tx, measure.incident_id)
        return next(each for each in found if each.id == measure.id)

    async def _do(self, measure: Measure) -> Mapping[str, int]:
        """The act itself, by the house; in the log every event of it carries the measure's id."""
        actor = Actor("system:containment", system("containment").role, request_id=measure.id)
        subjects, remedy = json.loads(measure.subjects), Remedy(measure.kind)
        acts = self._acts
        match remedy:
            case Remedy.SESSIONS:
                ended = [await acts.session_list.end_of(actor, each) for each in subjects]
                revoked = [await acts.accounts.revoke_all(actor, each) for each in subjects]
                return {"sessions": sum(ended), "tokens": sum(revoked)}
            case Remedy.ACCOUNTS:
                revoked = [await acts.accounts.shut_out(actor, each) for each in subjects]
                return {"accounts": len(subjects), "tokens": sum(revoked)}
            case Remedy.ASSIGNMENTS:
                ended = [await acts.assignments.end_all(actor, each) for each in subjects]
                return {"cases": sum(ended)}
            case Remedy.FREEZE:
                reason = f"incident {measure.incident_id}"
                frozen = [await self._freeze(actor, each, reason) for each in subjects]
                return {"cases": sum(frozen), "left_out": frozen.count(False)}
            case Remedy.KEYS:
                begun = [await self._renew(actor, each) for each in subjects]
                acts.requested()
                return {"practices": sum(begun), "left_out": begun.count(False)}

    async def _freeze(self, actor: Actor, case_id: str, reason: str) -> bool:
        """Restrict a case; False: it is so already, or is being erased, which holds more."""
        try:
            await self._acts.restriction.restrict(actor, case_id, reason)
        except (CaseRestrictedError, CaseFrozenError, WrongStateError):
            return False
        return True

    async def _renew(self, actor: Actor, controller_id: str) -> bool:
        """Ask for a new key; False: there is none to renew, such as of a practice that ended."""
        try:
            await self._acts.rotations.request(actor, [controller_id])
        except InvalidInputError:
            return False
        return True

    async def _of_scope(self, incident_id: str, remedy: Remedy) -> list[str]:
        """What the scope of the incident names."""
        async with self._main.reading() as connection:
            scope = await latest(connection, incident_id)
        if scope is None:
            return []
        if remedy in _OF_ACCOUNTS:
            return sorted(scope.question.accounts)
        if remedy is Remedy.KEYS:
            return [each.controller_id for each in scope.controllers]
        return sorted(case.case_id for each in scope.controllers for case in each.cases)

    async def _check(self, remedy: Remedy, subjects: Sequence[str]) -> None:
        if not 1 <= len(subjects) <= MOST_SUBJECTS:
            reason = f"name 1 to {MOST_SUBJECTS}, or compute the scope first"
            raise InvalidInputError(field="subjects", reason=reason)
        async with self._main.reading() as connection:
            for each in subjects:
                there: object
                if remedy in _OF_ACCOUNTS:
                    there = await accounts.get_account(connection, each)
                elif remedy is Remedy.KEYS:
                    there = each == HOUSE or await accounts.get_controller(connection, each)
                else:
                    there = await cases.get(connection, each)
                if not there:
                    raise InvalidInputError(field="subjects", reason="one of them is not there")
