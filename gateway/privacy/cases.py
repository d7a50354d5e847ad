"""The life of a case: created, submitted, assigned, completed; and who sees what of it.

The practice's own people see the patient. An assigned planner sees pseudonym, age and cleaned
notes. A coordinator sees that there is a case and in what state: nothing of it is opened.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target, require_still
from gateway.access.policy import Action, Relation
from gateway.errors import (
    CaseFrozenError,
    IntegrityFailedError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
    WrongStateError,
)
from gateway.ids import new_id, now
from gateway.privacy.casekeys import CaseKeys, OpenCase
from gateway.privacy.completeness import Place, Treatment, missing
from gateway.privacy.glances import Glance, glance
from gateway.privacy.patients import (
    Brief,
    Patient,
    Patients,
    Wanted,
    check_patient,
    check_text,
)
from gateway.privacy.redaction import without_bsn, without_identity
from gateway.privacy.verdict import Verdict
from storage import accounts, cases, files
from storage.cases import Assignment, Case
from storage.database import Database
from storage.files import File

NOTES_LIMIT = 20_000
LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.025, 0.5  # between two looks for an awaited verdict


@dataclass(frozen=True, slots=True)
class FileSight:
    """One file as somebody may see it: original names for the practice alone."""

    file: File
    name: str | None = field(default=None, repr=False)
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class CaseSight:
    """One case as somebody may see it; what they may not is None, as is what was not looked up.

    `missing` is what the treatment asks for and no accepted file is said to be; `glance` is what a
    list tells of the files.
    """

    case: Case
    patient: Patient | None = None
    age_years: int | None = None
    notes: str | None = field(default=None, repr=False)
    files: tuple[FileSight, ...] = ()
    assignments: tuple[tuple[Assignment, str], ...] = ()
    removed_from_notes: tuple[str, ...] | None = None
    missing: tuple[Place, ...] | None = None
    glance: Glance | None = None


class Cases:
    """What people do with cases."""

    def __init__(
        self,
        main: Database,
        access: Access,
        keys: CaseKeys,
        patients: Patients,
        grace: timedelta,
    ) -> None:
        """Rows in `main`; assignments end `grace` after the completion."""
        self._main = main
        self._access = access
        self._keys = keys
        self._patients = patients
        self._grace = grace

    async def create(
        self,
        actor: Actor,
        patient: Patient,
        notes: str,
        treatment: Treatment,
        due: date | None = None,
    ) -> CaseSight:
        """Begin a case. Identity and notes are sealed before anything is written.

        Args:
            actor: Who begins it.
            patient: Whose it is.
            notes: For who plans it.
            treatment: What it is to become.
            due: The day that its plan is wanted by.

        Raises:
            InvalidInputError: Names the field of the patient or the notes.
        """
        _check(patient, notes)
        grant = await self._access.authorise(actor, Action.CASE_CREATE)
        if actor.controller_id is None:
            raise NotFoundError
        case_id, at = new_id(), now()
        bare = without_bsn(notes)
        cleaned = without_identity(bare.text, patient.name, patient.birth_date, patient.number)
        brief = Brief(patient.age_years(at.date()), cleaned.text)
        index_key = await self._patients.index_key(grant, actor.controller_id)
        # A crash after this leaves an orphan key, which the sweep removes.
        opened = await self._keys.create_case(grant, actor.controller_id, case_id)
        async with self._main.transaction() as tx:
            pseudonym = await self._patients.register(tx, index_key, actor.controller_id, patient)
            case = Case(
                id=case_id,
                controller_id=actor.controller_id,
                key_id=opened.key_id,
                pseudonym=pseudonym,
                state="draft",
                treatment=treatment.value,
                due_on=None if due is None else due.isoformat(),
                created_by=actor.id,
                created_at=at,
                sealed_identity=opened.seal("identity", patient.to_bytes()),
                sealed_notes=opened.seal("notes", bare.text.encode()),
                sealed_brief=opened.seal("brief", brief.to_bytes()),
            )
            await cases.add(tx, case)
            made = replace(grant, subject=case)
            await self._access.outcome_in(tx, made, removed=list(bare.removed))
        removed = tuple(dict.fromkeys((*bare.removed, *cleaned.removed)))
        return CaseSight(
            case,
            patient,
            brief.age_years,
            bare.text,
            removed_from_notes=removed,
            missing=missing(treatment, ()),
        )

    async def view(self, actor: Actor, case_id: str) -> CaseSight:
        """One case with its files and assignments."""
        return await self.sight(await self._access.authorise(actor, Action.CASE_VIEW, case_id))

    async def sight(self, grant: Grant) -> CaseSight:
        """What the Grant's actor may see of its case, as it is now."""
        async with self._main.reading() as connection:
            case = await cases.get(connection, grant.case.id) or grant.case
            rows = await files.of_case(connection, case.id)
            assigned = []
            for assignment in await cases.assignments_of(connection, case.id):
                planner = await accounts.get_account(connection, assignment.account_id)
                assigned.append((assignment, planner.email if planner else ""))
        plain = CaseSight(
            case,
            files=tuple(map(FileSight, rows)),
            assignments=tuple(assigned),
            missing=None if case.frozen_at else missing(Treatment(case.treatment), rows),
        )
        if grant.relation is Relation.SUPERVISOR or case.frozen_at is not None:
            return plain
        grant = replace(grant, subject=case)  # whose key sealed the rows that were read with it
        opened = await self._keys.open_case(grant)
        async with self._access.watching(grant, Target("case", case.id)):
            seen = tuple(file_sight(opened, row, grant) for row in rows)
            return replace(_opened(plain, opened, grant), files=seen)

    async def list(
        self, actor: Actor, state: str | None, before: str | None, limit: int
    ) -> Sequence[CaseSight]:
        """Cases that the actor may see, newest first; a practice sees whose its own are."""
        grant = await self._access.authorise(actor, Action.CASE_LIST)
        async with self._main.reading() as connection:
            found = await cases.list_cases(
                connection,
                now(),
                controller_id=actor.controller_id,
                assigned_to=actor.id if grant.relation is Relation.ASSIGNED else None,
                state=state,
                before=before,
                limit=limit,
            )
            listed = await _listed(connection, found)
        await self._log_found(grant, found)
        return [await self._named(grant, sight) for sight in listed]

    async def search(self, actor: Actor, wanted: Wanted, limit: int) -> Sequence[CaseSight]:
        """Cases of a patient. The log gets the fields and the results, never the term."""
        given = [name for name in ("name", "birth_date", "number") if getattr(wanted, name)]
        if not given:
            raise InvalidInputError(field="patient_number", reason="give at least one search field")
        for name in ("name", "number"):
            if getattr(wanted, name) is not None:
                check_text(f"patient_{name}", getattr(wanted, name))
        grant = await self._access.authorise(actor, Action.CASE_SEARCH, detail={"fields": given})
        if actor.controller_id is None:
            raise NotFoundError
        index_key = await self._patients.index_key(grant, actor.controller_id)
        async with self._main.reading() as connection:
            pseudonyms = await self._patients.find(
                connection, index_key, actor.controller_id, wanted
            )
            found = await cases.list_cases(
                connection,
                now(),
                controller_id=actor.controller_id,
                pseudonyms=pseudonyms,
                limit=limit,
            )
            listed = await _listed(connection, found)
        await self._log_found(grant, found)
        return [await self._named(grant, sight) for sight in listed]

    async def submit(self, actor: Actor, case_id: str) -> CaseSight:
        """Hand a draft in for planning.

        Raises:
            WrongStateError: Not a draft, a file is still on its way, or no scan is accepted.
        """
        grant = await self._access.authorise(actor, Action.CASE_SUBMIT, case_id)
        async with self._main.transaction() as tx:
            require_still(grant, await cases.lock(tx, case_id))
            rows = await files.of_case(tx, case_id)
            if any(row.state in {"receiving", "received"} for row in rows):
                raise WrongStateError(needed="all files checked", state="files on their way")
            if not any(row.kind == "scan" and row.state == "accepted" for row in rows):
                raise WrongStateError(needed="an accepted scan", state="no scan")
            await cases.change(tx, case_id, state="submitted", submitted_at=now())
            await self._access.outcome_in(tx, grant)
        return await self.sight(grant)

    async def complete(self, actor: Actor, case_id: str) -> CaseSight:
        """Close the planning.

        Raises:
            WrongStateError: Not in planning, or no plan is accepted yet.
        """
        grant = await self._access.authorise(actor, Action.CASE_COMPLETE, case_id)
        async with self._main.transaction() as tx:
            require_still(grant, await cases.lock(tx, case_id))
            rows = await files.of_case(tx, case_id)
            if any(row.kind == "plan" and row.state in {"receiving", "received"} for row in rows):
                raise WrongStateError(needed="all files checked", state="files on their way")
            if not any(row.kind == "plan" and row.state == "accepted" for row in rows):
                raise WrongStateError(needed="an accepted plan", state="no plan")
            at = now()
            await cases.change(tx, case_id, state="completed", completed_at=at)
            # What the planner needs it for is over, but for questions.
            await cases.end_assignments(tx, case_id, at + self._grace)
            await self._access.outcome_in(tx, grant)
        return await self.sight(grant)

    async def file(
        self, actor: Actor, case_id: str, file_id: str, *, wait_seconds: float = 0.0
    ) -> FileSight:
        """One file's state and verdict.

        Args:
            actor: Who looks.
            case_id: The case.
            file_id: One of its files.
            wait_seconds: How long to wait for a verdict that is not there yet. It is one look.
        """
        grant = await self._access.authorise(
            actor, Action.FILE_VIEW, case_id, target=Target("file", file_id)
        )
        case, row = await self._file(grant.case, file_id)
        until, pause = time.monotonic() + wait_seconds, LOOK_SECONDS
        while row is not None and row.state == "received" and time.monotonic() < until:
            # Whichever process gives the verdict, the row says so.
            await asyncio.sleep(pause)
            pause = min(1.2 * pause, LONGEST_LOOK_SECONDS)
            case, row = await self._file(grant.case, file_id)
        if row is None:
            raise NotFoundError
        if row.state == "receiving" or grant.relation is Relation.SUPERVISOR:
            return FileSight(row)
        grant = replace(grant, subject=case)
        opened = await self._keys.open_case(grant)
        async with self._access.watching(grant, Target("file", file_id)):
            return file_sight(opened, row, grant)

    async def _file(self, case: Case, file_id: str) -> tuple[Case, File | None]:
        """The file, and its case as it was when the file's records were sealed so."""
        async with self._main.reading() as connection:
            case = await cases.get(connection, case.id) or case
            row = await files.get(connection, file_id)
        return case, row if row is not None and row.case_id == case.id else None

    async def _named(self, grant: Grant, sight: CaseSight) -> CaseSight:
        """The same with its patient, for the practice's own people; nobody else's list opens it."""
        sealed, opens = sight.case.sealed_identity, grant.relation is Relation.OWN_PRACTICE
        if sealed is None or not opens or sight.case.frozen_at is not None:
            return sight
        grant = replace(grant, subject=sight.case)
        # What does not open is logged, and costs no other case its place in the list.
        with suppress(IntegrityFailedError, CaseFrozenError, UnavailableError):
            opened = await self._keys.open_case(grant)
            async with self._access.watching(grant, Target("case", sight.case.id)):
                patient = Patient.from_bytes(opened.unseal("identity", sealed))
                return replace(sight, patient=patient)
        return sight

    async def _log_found(self, grant: Grant, found: Sequence[Case]) -> None:
        """Log the results, apart for each controller: nothing crosses between them."""
        by_controller: dict[str, list[str]] = defaultdict(list)
        for case in found:
            by_controller[case.controller_id].append(case.id)
        for controller_id, ids in by_controller.items():
            await self._access.outcome(grant, controller_id=controller_id, cases=ids)


async def _listed(connection: AsyncConnection, found: Sequence[Case]) -> Sequence[CaseSight]:
    """Cases as they stand in a list, none of them opened: who plans each, what files it has."""
    running = await cases.open_assignments(connection, [case.id for case in found], now())
    emails = await accounts.emails_of(connection, {each.account_id for each in running})
    planned: dict[str, list[tuple[Assignment, str]]] = defaultdict(list)
    for each in running:
        planned[each.case_id].append((each, emails.get(each.account_id, "")))
    rows: dict[str, list[File]] = defaultdict(list)
    for row in await files.of_cases(connection, [case.id for case in found]):
        rows[row.case_id].append(row)
    return [
        CaseSight(case, assignments=tuple(planned[case.id]), glance=glance(rows[case.id]))
        for case in found
    ]


def file_sight(opened: OpenCase, row: File, grant: Grant) -> FileSight:
    """One file as the Grant's actor may see it: its name is the practice's own."""
    verdict = row.sealed_verdict
    name = row.sealed_name if grant.relation is Relation.OWN_PRACTICE else None
    return FileSight(
        row,
        opened.unseal(f"name/{row.id}", name).decode() if name is not None else None,
        None
        if verdict is None
        else Verdict.from_bytes(opened.unseal(f"verdict/{row.id}", verdict)),
    )


def _opened(sight: CaseSight, opened: OpenCase, grant: Grant) -> CaseSight:
    case = sight.case
    if case.sealed_identity is None or case.sealed_notes is None or case.sealed_brief is None:
        return sight
    brief = Brief.from_bytes(opened.unseal("brief", case.sealed_brief))
    if grant.relation is not Relation.OWN_PRACTICE:
        return replace(sight, age_years=brief.age_years, notes=brief.notes)
    return replace(
        sight,
        patient=Patient.from_bytes(opened.unseal("identity", case.sealed_identity)),
        age_years=brief.age_years,
        notes=opened.unseal("notes", case.sealed_notes).decode(),
    )


def _check(patient: Patient, notes: str) -> None:
    check_patient(patient)
    if len(notes) > NOTES_LIMIT or "\0" in notes:
        raise InvalidInputError(field="notes", reason=f"take at most {NOTES_LIMIT} characters")
