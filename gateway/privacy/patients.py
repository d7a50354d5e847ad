"""Who the patient is: sealed on arrival, replaced by a pseudonym, found back by blind index.

Only the practice's own people ever see an identity (invariant 6). What a planner needs - the age
in years and the notes without identifiers - is sealed apart as the brief, so that showing a case
to a planner never opens the identity at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.grants import Grant
from gateway.errors import InvalidInputError, NotFoundError
from gateway.ids import now
from gateway.privacy.casekeys import CaseKeys
from keys.pseudonym import blind_index, new_pseudonym, normalise
from keys.secret import SecretKey
from storage import accounts, cases
from storage.cases import Case

OLDEST = date(1900, 1, 1)
TEXT_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Patient:
    """A data subject as the practice knows them; silent when printed."""

    name: str = field(repr=False)
    birth_date: date = field(repr=False)
    number: str = field(repr=False)

    def to_bytes(self) -> bytes:
        """As JSON, for sealing."""
        return json.dumps([self.name, self.birth_date.isoformat(), self.number]).encode()

    @classmethod
    def from_bytes(cls, sealed: bytes) -> Patient:
        """What `to_bytes` wrote."""
        name, birth_date, number = json.loads(sealed)
        return cls(name, date.fromisoformat(birth_date), number)

    def differences(self, other: Patient) -> list[str]:
        """The names of the fields in which they differ."""
        names = ("name", "birth_date", "number")
        return [name for name in names if getattr(self, name) != getattr(other, name)]

    def age_years(self, on: date) -> int:
        """Whole years lived on that day."""
        had_birthday = (on.month, on.day) >= (self.birth_date.month, self.birth_date.day)
        return on.year - self.birth_date.year - (not had_birthday)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a planner is told of a patient."""

    age_years: int
    notes: str = field(repr=False)

    def to_bytes(self) -> bytes:
        """As JSON, for sealing."""
        return json.dumps([self.age_years, self.notes]).encode()

    @classmethod
    def from_bytes(cls, sealed: bytes) -> Brief:
        """What `to_bytes` wrote."""
        return cls(*json.loads(sealed))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a practice searches a patient by; what is given must all match."""

    name: str | None = field(default=None, repr=False)
    birth_date: date | None = field(default=None, repr=False)
    number: str | None = field(default=None, repr=False)


class Patients:
    """Gives a patient their pseudonym, the same one each time within one practice."""

    def __init__(self, keys: CaseKeys) -> None:
        """Index keys come from `keys`."""
        self._keys = keys

    async def index_key(self, grant: Grant, controller_id: str) -> SecretKey:
        """The key of the practice's blind indexes, fetched before a transaction begins."""
        return await self._keys.index_key(grant, controller_id)

    async def register(
        self, tx: AsyncConnection, index_key: SecretKey, controller_id: str, patient: Patient
    ) -> str:
        """The patient's pseudonym: theirs if the practice's number is known, else a new one.

        Raises:
            NotFoundError: The practice was closed meanwhile.
        """
        # Two cases of one patient begun at one moment must find each other.
        await accounts.lock_controller(tx, controller_id)
        if await accounts.is_closed(tx, controller_id):
            raise NotFoundError
        digests = _digests(index_key, patient)
        known = await cases.find_subjects(tx, controller_id, "number", digests["number"])
        pseudonym = min(known, default="") or new_pseudonym()
        if not known:
            await cases.add_subject(tx, pseudonym, controller_id, now())
        await cases.index_subject(tx, pseudonym, controller_id, digests.items())
        return pseudonym

    async def correct(
        self, tx: AsyncConnection, index_key: SecretKey, case: Case, patient: Patient
    ) -> str:
        """The pseudonym of a case whose patient turns out to be this one.

        It stays where the practice's number does, or where nobody else has either; then the
        patient is found by what is right, and no longer by what was wrong. Else the case is of
        another patient, known or new.
        """
        await accounts.lock_controller(tx, case.controller_id)
        digests = _digests(index_key, patient)
        known = await cases.find_subjects(tx, case.controller_id, "number", digests["number"])
        stays = not known and not await cases.shares_pseudonym(tx, case)
        if case.pseudonym is None or not (case.pseudonym in known or stays):
            return await self.register(tx, index_key, case.controller_id, patient)
        await cases.unindex_subject(tx, case.pseudonym)
        await cases.index_subject(tx, case.pseudonym, case.controller_id, digests.items())
        return case.pseudonym

    async def find(
        self, connection: AsyncConnection, index_key: SecretKey, controller_id: str, wanted: Wanted
    ) -> frozenset[str]:
        """Pseudonyms of the patients of this practice that match everything given."""
        fields = {
            "number": wanted.number,
            "name": wanted.name,
            "birth_date": wanted.birth_date.isoformat() if wanted.birth_date else None,
        }
        found: frozenset[str] | None = None
        for name, value in fields.items():
            if value is not None:
                digest = blind_index(index_key, name, value)
                hits = await cases.find_subjects(connection, controller_id, name, digest)
                found = hits if found is None else found & hits
        return found or frozenset()


def _digests(index_key: SecretKey, patient: Patient) -> Mapping[str, bytes]:
    return {
        "number": blind_index(index_key, "number", patient.number),
        "name": blind_index(index_key, "name", patient.name),
        "birth_date": blind_index(index_key, "birth_date", patient.birth_date.isoformat()),
    }


def check_patient(patient: Patient) -> None:
    """Refuse what cannot be a patient.

    Raises:
        InvalidInputError: Names the field.
    """
    check_text("patient.name", patient.name)
    check_text("patient.number", patient.number)
    if not OLDEST <= patient.birth_date <= now().date():
        raise InvalidInputError(field="patient.birth_date", reason="take a day from 1900 to today")


def check_text(name: str, value: str) -> None:
    """Refuse what no blind index could find back. Raises InvalidInputError."""
    usable = normalise(value) != "" and value.isprintable()
    if not usable or len(value) > TEXT_LIMIT:
        reason = f"take 1 to {TEXT_LIMIT} characters, with a letter or digit, on one line"
        raise InvalidInputError(field=name, reason=reason)
