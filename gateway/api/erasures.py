"""Erasing for good: cases, one file, what stood of a patient; and how far that is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given, NewPatient
from gateway.api.routing import Operations
from gateway.errors import (
    CaseFrozenError,
    ConfirmationRequiredError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    WrongStateError,
)
from gateway.ids import ID_PATTERN
from gateway.privacy.patients import Patient
from storage.erasures import Erasure

operations = Operations("/api/v1")
OF_CASE = (NotFoundError, ForbiddenError, WrongStateError, CaseFrozenError)
ASKING = (*OF_CASE, ConfirmationRequiredError)


class NewErasure(Given):
    """The instruction to erase a case, or one file. `confirm` repeats its id."""

    reason: str = Field(max_length=500)
    confirm: str = Field(max_length=36)


class NewErasures(Given):
    """The instruction to erase cases together. `confirm` repeats how many they are."""

    cases: list[Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]] = Field(
        min_length=1, max_length=1_000
    )
    reason: str = Field(max_length=500)
    confirm: int = Field(strict=True)


class ErasureView(BaseModel):
    """How far an erasure is; the certificate once it is done.

    What was asked for at once shares `request_id`. While it waits, `waits_until` says how long at
    the most; null: until a second person approves.
    """

    id: str
    request_id: str
    kind: Literal["case", "file", "rectification", "client"]
    case_id: str | None
    file_id: str | None
    step: Literal[
        "waiting", "withdrawn", "frozen", "punctured", "proved", "deleted", "recorded", "done"
    ]
    requested_by: str
    requested_at: datetime
    waits_until: datetime | None
    certificate: dict[str, Any] | None


class ErasureList(BaseModel):
    """Erasures, oldest first; `open` counts those that are neither done nor withdrawn."""

    open: int
    erasures: list[ErasureView]


class RuleView(BaseModel):
    """When erasures of a practice wait: from so many cases in a day (0: never), so long (0: on)."""

    controller_id: str
    second_person_from: int
    delay_hours: int


class OpenErasures(ErasureList):
    """What waits or is under way, and the rules of the practices that one may see."""

    rules: list[RuleView]


@operations.add(
    "POST",
    "/cases/{case_id}/erasure",
    action=Action.CASE_ERASE,
    body=NewErasure,
    answer=ErasureView,
    status=202,
    errors=ASKING,
)
async def erase(request: web.Request, body: NewErasure) -> ErasureView:
    """Have a case erased; it is frozen at once, and the certificate follows."""
    case_id = request.match_info["case_id"]
    _check_confirmed(body.confirm, case_id)
    [erasure] = await context.services(request).instructions.erase_cases(
        await context.actor(request), [case_id], body.reason
    )
    return _view(erasure)


@operations.add(
    "GET",
    "/cases/{case_id}/erasure",
    action=Action.ERASURE_VIEW,
    answer=ErasureView,
    errors=OF_CASE,
)
async def view(request: web.Request) -> ErasureView | web.Response:
    """See how far the erasure of a case is, and its certificate."""
    return _with_receipt(
        await context.services(request).instructions.view(
            await context.actor(request), request.match_info["case_id"]
        )
    )


@operations.add(
    "POST",
    "/cases/{case_id}/files/{file_id}/erasure",
    action=Action.FILE_ERASE,
    body=NewErasure,
    answer=ErasureView,
    status=202,
    errors=ASKING,
)
async def erase_file(request: web.Request, body: NewErasure) -> ErasureView:
    """Have one file of a case erased; it is gone at once, and the certificate follows."""
    case_id, file_id = request.match_info["case_id"], request.match_info["file_id"]
    _check_confirmed(body.confirm, file_id)
    return _view(
        await context.services(request).corrections.erase_file(
            await context.actor(request), case_id, file_id, body.reason
        )
    )


@operations.add(
    "GET",
    "/cases/{case_id}/files/{file_id}/erasure",
    action=Action.ERASURE_VIEW,
    answer=ErasureView,
    errors=OF_CASE,
)
async def view_of_file(request: web.Request) -> ErasureView | web.Response:
    """See how far the erasure of a file is, and its certificate."""
    return _with_receipt(
        await context.services(request).instructions.view(
            await context.actor(request),
            request.match_info["case_id"],
            request.match_info["file_id"],
        )
    )


@operations.add(
    "PUT",
    "/cases/{case_id}/patient",
    action=Action.CASE_RECTIFY,
    body=NewPatient,
    answer=ErasureView,
    status=202,
    errors=ASKING,
)
async def rectify(request: web.Request, body: NewPatient) -> ErasureView:
    """Correct who the patient of a case is; what stood there is erased, with a certificate."""
    patient = Patient(body.name.strip(), body.birth_date, body.number.strip())
    return _view(
        await context.services(request).corrections.rectify(
            await context.actor(request), request.match_info["case_id"], patient
        )
    )


@operations.add(
    "POST",
    "/erasures",
    action=Action.CASE_ERASE,
    body=NewErasures,
    answer=ErasureList,
    status=202,
    errors=ASKING,
)
async def erase_many(request: web.Request, body: NewErasures) -> ErasureList:
    """Have cases erased together: one request, a certificate a case."""
    _check_confirmed(body.confirm, len(set(body.cases)))
    return _list(
        await context.services(request).instructions.erase_cases(
            await context.actor(request), body.cases, body.reason
        )
    )


@operations.add(
    "GET",
    "/erasures",
    action=Action.ERASURE_VIEW,
    answer=OpenErasures,
    errors=(ForbiddenError,),
)
async def list_open(request: web.Request) -> OpenErasures:
    """See what waits for a second person or is under way, and from when on it waits."""
    found, practices = await context.services(request).instructions.open_requests(
        await context.actor(request)
    )
    rules = [
        RuleView(
            controller_id=each.id,
            second_person_from=each.erasure_second_from,
            delay_hours=each.erasure_delay_hours,
        )
        for each in practices
    ]
    return OpenErasures(**dict(_list(found)), rules=rules)


@operations.add(
    "GET",
    "/erasures/{request_id}",
    action=Action.ERASURE_VIEW,
    answer=ErasureList,
    errors=OF_CASE,
)
async def view_request(request: web.Request) -> ErasureList:
    """See how far what was asked for at once is, and its certificates."""
    return _list(
        await context.services(request).instructions.view_request(
            await context.actor(request), request.match_info["request_id"]
        )
    )


@operations.add(
    "POST",
    "/erasures/{request_id}/approval",
    action=Action.ERASURE_APPROVE,
    answer=ErasureList,
    status=202,
    errors=ASKING,
)
async def approve(request: web.Request) -> ErasureList:
    """Agree, as a second person, that what waits is carried out."""
    return _list(
        await context.services(request).instructions.approve(
            await context.actor(request), request.match_info["request_id"]
        )
    )


@operations.add(
    "DELETE",
    "/erasures/{request_id}",
    action=Action.ERASURE_WITHDRAW,
    status=204,
    errors=OF_CASE,
)
async def withdraw(request: web.Request) -> None:
    """Take back what waits."""
    await context.services(request).instructions.withdraw(
        await context.actor(request), request.match_info["request_id"]
    )


def _check_confirmed(given: object, expected: object) -> None:
    if given != expected:
        what = "how many cases they are" if isinstance(expected, int) else "the id"
        raise InvalidInputError(field="confirm", reason=f"repeat {what}")


def _with_receipt(erasure: Erasure) -> ErasureView | web.Response:
    view = _view(erasure)
    return view if erasure.event_id is None else context.answer(view, erasure.event_id)


def _list(found: Sequence[Erasure]) -> ErasureList:
    over = ("done", "withdrawn")
    return ErasureList(
        open=sum(erasure.step not in over for erasure in found),
        erasures=[_view(erasure) for erasure in found],
    )


def _view(erasure: Erasure) -> ErasureView:
    return ErasureView.model_validate(
        {
            "id": erasure.id,
            "request_id": erasure.request_id,
            "kind": erasure.kind,
            "case_id": erasure.case_id,
            "file_id": erasure.file_id,
            "step": erasure.step,
            "requested_by": erasure.requested_by,
            "requested_at": erasure.requested_at,
            "waits_until": erasure.waits_until,
            "certificate": None if erasure.certificate is None else json.loads(erasure.certificate),
        }
    )
