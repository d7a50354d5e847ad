"""What changes a case for good while it goes on: one file erased, or the patient corrected.

The case is given another key (privacy/rekey.py), and what is to be gone stays behind under the old
one, which is then punctured like that of an erased case (privacy/erasure.py). The file or the old
identity is out of sight at once; the certificate follows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action
from gateway.access.sessions import Sessions
from gateway.errors import NotFoundError, WrongStateError
from gateway.ids import new_id, now
from gateway.privacy import certificate
from gateway.privacy.patients import Brief, Patient, Patients, check_patient
from gateway.privacy.reasons import Reasons, check_reason
from gateway.privacy.redaction import without_identity
from gateway.privacy.rekey import Rekey, Renewal
from storage import cases, erasures, files
from storage.database import Database
from storage.erasures import Erasure
from storage.files import File

CORRECTED = ("identity", "brief")
ERASABLE = frozenset({"accepted", "refused", "removed"})


class Corrections:
    """Takes such requests in; `Erasures` carries them out."""

    def __init__(
        self,
        *,
        main: Database,
        access: Access,
        sessions: Sessions,
        reasons: Reasons,
        rekey: Rekey,
        patients: Patients,
        requested: Callable[[], None],
    ) -> None:
        """`requested` is called when there is something to carry out."""
        self._main = main
        self._access = access
        self._sessions = sessions
        self._reasons = reasons
        self._rekey = rekey
        self._patients = patients
        self._requested = requested

    async def erase_file(self, actor: Actor, case_id: str, file_id: str, reason: str) -> Erasure:
        """Take one file out of a case for good; the case goes on under another key.

        Raises:
            InvalidInputError: No reason.
            ConfirmationRequiredError: A browser whose password was given too long ago.
            NotFoundError: There is no such file.
            WrongStateError: It is on its way in, or never became whole.
        """
        check_reason(reason)
        await self._sessions.require_confirmation(actor, Action.FILE_ERASE)
        target = Target("file", file_id)
        grant = await self._access.authorise(actor, Action.FILE_ERASE, case_id, target=target)
        async with self._main.reading() as connection:
            known = await erasures.of_file(connection, case_id, file_id)
            if known is not None:
                return known
            await _erasable(connection, case_id, file_id)
        reason = await self._reasons.cleaned([grant], reason)

        async def take_out(tx: AsyncConnection, renewal: Renewal) -> Erasure:
            file = await _erasable(tx, case_id, file_id)
            names = ("sealed_name", "sealed_verdict", "blob_id", "problem", "warnings")
            gone = dict.fromkeys(names)
            await files.change(tx, file_id, state="erased", slot=None, **gone)
            await files.delete_thumbnail(tx, file_id)
            facts = {"files": certificate.files([file]), "blob_id": file.blob_id}
            erasure = _of_key(grant, renewal, "file", facts)
            erasure = replace(erasure, file_id=file_id, reason=reason)
            await erasures.add(tx, erasure)
            await self._access.outcome_in(tx, grant, target, erasure=erasure.id)
            return erasure

        erasure = await self._rekey.renew(grant, take_out, file_id)
        self._requested()
        return erasure

    async def rectify(self, actor: Actor, case_id: str, patient: Patient) -> Erasure:
        """Correct who the patient of a case is; what stood there before opens from no copy.

        Raises:
            InvalidInputError: Names the field of the patient.
            ConfirmationRequiredError: A browser whose password was given too long ago.
        """
        check_patient(patient)
        await self._sessions.require_confirmation(actor, Action.CASE_RECTIFY)
        grant = await self._access.authorise(actor, Action.CASE_RECTIFY, case_id)
        index_key = await self._patients.index_key(grant, grant.case.controller_id)

        async def correct(tx: AsyncConnection, renewal: Renewal) -> Erasure:
            case = renewal.case
            pseudonym = await self._patients.correct(tx, index_key, case, patient)
            fields = await _seal(tx, renewal, patient, pseudonym)
            if case.pseudonym is not None:
                await cases.delete_subject_without_cases(tx, case.pseudonym)
            facts = {"records": certificate.records(case, CORRECTED)}
            erasure = _of_key(grant, renewal, "rectification", facts)
            await erasures.add(tx, erasure)
            await self._access.outcome_in(tx, grant, fields=fields, erasure=erasure.id)
            return erasure

        async with self._access.watching(grant, Target("case", case_id)):
            erasure = await self._rekey.renew(grant, correct, *CORRECTED)
        self._requested()
        return erasure


async def _erasable(connection: AsyncConnection, case_id: str, file_id: str) -> File:
    file = await files.get(connection, file_id)
    if file is None or file.case_id != case_id:
        raise NotFoundError
    if file.state not in ERASABLE:
        raise WrongStateError(needed=" / ".join(sorted(ERASABLE)), state=file.state)
    return file


async def _seal(
    tx: AsyncConnection, renewal: Renewal, patient: Patient, pseudonym: str
) -> list[str]:
    """Seal who the patient is; the names of the fields that differ from what stood there."""
    case, old, new = renewal.case, renewal.old, renewal.new
    before = Patient.from_bytes(old.unseal("identity", case.sealed_identity or b""))
    brief = Brief.from_bytes(old.unseal("brief", case.sealed_brief or b""))
    # What hid the old name hides it still; the new one is looked for as well.
    known = (patient.name, patient.birth_date, patient.number)
    notes = without_identity(brief.notes, *known).text
    age = patient.age_years(case.created_at.date())
    await cases.change(
        tx,
        case.id,
        pseudonym=pseudonym,
        sealed_identity=new.seal("identity", patient.to_bytes()),
        sealed_brief=new.seal("brief", Brief(age, notes).to_bytes()),
    )
    return patient.differences(before)


def _of_key(grant: Grant, renewal: Renewal, kind: str, facts: Mapping[str, object]) -> Erasure:
    """The request to puncture the key that a case leaves behind."""
    erasure_id = new_id()
    return Erasure(
        id=erasure_id,
        request_id=erasure_id,
        kind=kind,
        controller_id=renewal.case.controller_id,
        case_id=renewal.case.id,
        step="frozen",
        requested_by=grant.actor.id,
        requested_at=now(),
        reason="",
        key_id=renewal.old.key_id,
        facts=json.dumps(facts),
    )
