"""What goes in and out as JSON. Unknown fields are refused, so nothing can be smuggled in."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.inspection.errors import PROBLEMS
from gateway.privacy.cases import CaseSight, FileSight
from gateway.privacy.completeness import Slot, Treatment
from storage.cases import Assignment


class Given(BaseModel):
    """Base of what comes in."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    @field_validator("*")
    @classmethod
    def _storable(cls, value: object) -> object:
        """Refuse text that no database and no file would keep as it is."""
        if isinstance(value, str):
            if "\0" in value:
                raise ValueError("leave out the character NUL")
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("it is not Unicode text") from None
        return value


class Login(Given):
    """E-mail address and password."""

    email: str = Field(max_length=254)
    password: str = Field(max_length=1024, repr=False)


class SecondFactor(Given):
    """The ticket of a sign-in under way, and a one-time or recovery code."""

    ticket: str = Field(max_length=64, repr=False)
    code: str = Field(max_length=64, repr=False)


class Confirmation(Given):
    """The password once more, or a code."""

    password: str | None = Field(None, max_length=1024, repr=False)
    code: str | None = Field(None, max_length=64, repr=False)


class NewPatient(Given):
    """Who the patient is. Sealed on arrival."""

    name: str = Field(max_length=200, repr=False)
    birth_date: date = Field(repr=False)
    number: str = Field(max_length=200, repr=False, description="the practice's own number")


class NewCase(Given):
    """A case to begin."""

    patient: NewPatient
    notes: str = Field("", max_length=20_000, repr=False)
    treatment: Treatment = Treatment.ALIGNER
    due: date | None = Field(None, description="the day that its plan is wanted by")


class CaseQuery(Given):
    """Which cases to list."""

    state: Literal["draft", "submitted", "planning", "completed", "erased"] | None = None
    before: str | None = Field(None, pattern=r"^[0-9a-f-]{36}$")
    limit: int = Field(50, ge=1, le=200)


class CaseSearch(Given):
    """A patient of one's own practice; what is given must all match."""

    patient_number: str | None = Field(None, max_length=200, repr=False)
    patient_name: str | None = Field(None, max_length=200, repr=False)
    birth_date: date | None = Field(None, repr=False)


class Placement(Given):
    """Which place a file fills; null: none that it names."""

    slot: Slot | None


class AccountView(BaseModel):
    """An account."""

    id: str
    email: str
    role: str
    controller_id: str | None


class SessionView(BaseModel):
    """Who is signed in. `csrf_token` goes into X-CSRF-Token with every change by cookie."""

    account: AccountView
    csrf_token: str
    expires_at: datetime
    restricted: str | None = None


class SecondFactorNeeded(BaseModel):
    """The password is right; what is to follow. The ticket is a secret of a few minutes."""

    ticket: str
    methods: list[str]
    expires_at: datetime


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None


class FileProblem(BaseModel):
    """Why a file was refused, and what to do."""

    code: str
    message: str
    remedy: str


class FileView(BaseModel):
    """A file of a case, from its first byte to its verdict."""

    id: str
    kind: Literal["scan", "photo", "plan"]
    number: int | None
    slot: Slot | None
    name: str | None
    state: Literal[
        "receiving", "received", "accepted", "refused", "removed", "erased", "expired", "cancelled"
    ]
    created_at: datetime
    length: int
    received: int
    size: int | None
    sha256: str | None
    media_type: str | None
    report: dict[str, Any] | None
    problem: FileProblem | None


class PatientView(BaseModel):
    """Who the patient is; for the practice's own people alone."""

    name: str
    birth_date: date
    number: str


class AssignmentView(BaseModel):
    """A planner's access."""

    id: str
    account_id: str
    email: str
    starts_at: datetime
    ends_at: datetime | None


class PlaceView(BaseModel):
    """A file that a treatment asks for."""

    kind: Literal["scan", "photo"]
    slot: Slot


class GlanceView(BaseModel):
    """The files of a case as numbers: accepted ones by kind, and what a person should look at."""

    scans: int
    photos: int
    plans: int
    on_their_way: int
    refused: int
    warnings: int


class CaseView(BaseModel):
    """A case as who asks may see it; the rest is null.

    `missing` is advice: what the treatment asks for and no accepted file is said to be; null in a
    list, which has `glance` and no files.
    """

    id: str
    controller_id: str
    pseudonym: str | None
    state: Literal["draft", "submitted", "planning", "completed", "erased"]
    treatment: Treatment
    due: date | None
    frozen: bool
    restricted: bool
    created_at: datetime
    submitted_at: datetime | None
    completed_at: datetime | None
    age_years: int | None
    notes: str | None
    patient: PatientView | None
    removed_from_notes: list[str] | None
    files: list[FileView]
    missing: list[PlaceView] | None
    glance: GlanceView | None
    assignments: list[AssignmentView]


class CaseList(BaseModel):
    """Cases, newest first; `next` continues the list as `before`."""

    cases: list[CaseView]
    next: str | None


def file_view(sight: FileSight, language: str) -> FileView:
    """Render one file."""
    row = sight.file
    return FileView.model_validate(
        {
            "id": row.id,
            "kind": row.kind,
            "number": row.number,
            "slot": row.slot,
            "name": sight.name,
            "state": row.state,
            "created_at": row.created_at,
            "length": row.length,
            "received": row.received,
            "size": row.size,
            "sha256": sight.verdict and sight.verdict.sha256,
            "media_type": row.media_type,
            "report": sight.verdict and sight.verdict.report,
            "problem": None if row.problem is None else _problem(json.loads(row.problem), language),
        }
    )


def case_view(sight: CaseSight, language: str) -> CaseView:
    """Render one case."""
    case, patient = sight.case, sight.patient
    return CaseView.model_validate(
        {
            "id": case.id,
            "controller_id": case.controller_id,
            "pseudonym": case.pseudonym,
            "state": case.state,
            "treatment": case.treatment,
            "due": case.due_on,
            "frozen": case.frozen_at is not None,
            "restricted": case.restricted_at is not None,
            "created_at": case.created_at,
            "submitted_at": case.submitted_at,
            "completed_at": case.completed_at,
            "age_years": sight.age_years,
            "notes": sight.notes,
            "patient": None
            if patient is None
            else PatientView(
                name=patient.name, birth_date=patient.birth_date, number=patient.number
            ),
            "removed_from_notes": sight.removed_from_notes,
            "files": [file_view(file, language) for file in sight.files],
            "missing": None
            if sight.missing is None
            else [PlaceView(kind=place.kind, slot=place.slot) for place in sight.missing],
            "glance": None if sight.glance is None else asdict(sight.glance),
            "assignments": [
                assignment_view(assignment, email) for assignment, email in sight.assignments
            ],
        }
    )


def assignment_view(assignment: Assignment, email: str) -> AssignmentView:
    """Render one assignment; `email` is its planner's address."""
    return AssignmentView(
        id=assignment.id,
        account_id=assignment.account_id,
        email=email,
        starts_at=assignment.starts_at,
        ends_at=assignment.ends_at,
    )


INTEGRITY = {
    "en": ("The file was altered while it waited to be checked.", "Send it once more."),
    "nl": ("Het bestand is gewijzigd terwijl het wachtte op controle.", "Stuur het opnieuw."),
}


def _problem(stored: dict[str, Any], language: str) -> FileProblem:
    known = PROBLEMS.get(stored["code"])
    if known is None:
        message, remedy = INTEGRITY[language]
        return FileProblem(code=stored["code"], message=message, remedy=remedy)
    error = known(stored["reason"], **stored["numbers"])
    if language == "nl":
        return FileProblem(code=error.code, message=error.message_nl, remedy=error.remedy_nl)
    return FileProblem(code=error.code, message=error.message_en, remedy=error.remedy)
