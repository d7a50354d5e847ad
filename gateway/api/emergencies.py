"""Emergency access: declared, listed, reviewed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.cases import OF_CASE
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.errors import ForbiddenError
from gateway.ids import now
from gateway.privacy.reasons import REASON_LIMIT
from storage.emergencies import Emergency

operations = Operations("/api/v1")


class NewEmergency(Given):
    """Why, and for how long."""

    reason: str = Field(max_length=REASON_LIMIT, repr=False)
    minutes: int = Field(ge=1, le=240)


class Review(Given):
    """Whether it was an emergency, and why one thinks so."""

    verdict: Literal["justified", "unjustified"]
    words: str = Field(max_length=REASON_LIMIT, repr=False)


class EmergencyQuery(Given):
    """Which emergencies to list."""

    reviewed: Literal["no", "yes"] = "no"
    before: str | None = Field(None, pattern=r"^[0-9a-f-]{36}$")
    limit: int = Field(50, ge=1, le=200)


class EmergencyView(BaseModel):
    """One emergency; `overdue`: its review is late."""

    id: str
    case_id: str
    account_id: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    review_due_at: datetime
    overdue: bool
    reviewed_by: str | None
    reviewed_at: datetime | None
    verdict: Literal["justified", "unjustified"] | None
    words: str | None


class EmergencyList(BaseModel):
    """Emergencies, newest first; `next` continues the list as `before`."""

    emergencies: list[EmergencyView]
    next: str | None


@operations.add(
    "POST",
    "/cases/{case_id}/emergency",
    action=Action.EMERGENCY_DECLARE,
    body=NewEmergency,
    answer=EmergencyView,
    status=201,
    errors=OF_CASE,
)
async def declare(request: web.Request, body: NewEmergency) -> EmergencyView:
    """Open a case to oneself in an emergency, for some minutes."""
    declared = await context.services(request).emergencies.declare(
        await context.actor(request), request.match_info["case_id"], body.reason, body.minutes
    )
    return _view(declared, now())


@operations.add(
    "GET",
    "/emergencies",
    action=Action.EMERGENCY_LIST,
    query=EmergencyQuery,
    answer=EmergencyList,
    errors=(ForbiddenError,),
)
async def list_emergencies(request: web.Request, query: EmergencyQuery) -> EmergencyList:
    """List emergencies: those that nobody reviewed yet, or all."""
    found = await context.services(request).emergencies.list(
        await context.actor(request),
        reviewed=query.reviewed == "yes",
        before=query.before,
        limit=query.limit,
    )
    at = now()
    following = found[-1].id if len(found) == query.limit else None
    return EmergencyList(emergencies=[_view(one, at) for one in found], next=following)


@operations.add(
    "POST",
    "/emergencies/{emergency_id}/review",
    action=Action.EMERGENCY_REVIEW,
    body=Review,
    answer=EmergencyView,
    errors=OF_CASE,
)
async def review(request: web.Request, body: Review) -> EmergencyView:
    """Review an emergency of somebody else."""
    reviewed = await context.services(request).emergencies.review(
        await context.actor(request), request.match_info["emergency_id"], body.verdict, body.words
    )
    return _view(reviewed, now())


def _view(emergency: Emergency, at: datetime) -> EmergencyView:
    return EmergencyView(
        id=emergency.id,
        case_id=emergency.case_id,
        account_id=emergency.account_id,
        reason=emergency.reason,
        starts_at=emergency.starts_at,
        ends_at=emergency.ends_at,
        review_due_at=emergency.review_due_at,
        overdue=emergency.verdict is None and at >= emergency.review_due_at,
        reviewed_by=emergency.reviewed_by,
        reviewed_at=emergency.reviewed_at,
        verdict=emergency.verdict,
        words=emergency.words,
    )
