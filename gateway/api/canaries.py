"""Canaries, for privacy officers."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.errors import ForbiddenError, NotFoundError, WrongStateError
from gateway.ids import ID_PATTERN
from gateway.privacy.reasons import REASON_LIMIT

operations = Operations("/api/v1")


class NewCanary(Given):
    """A draft that its practice entered for this, and who of the practice agreed."""

    case_id: str = Field(pattern=f"^{ID_PATTERN}$")
    consent: str = Field(max_length=REASON_LIMIT, repr=False)


class CanaryView(BaseModel):
    """A case that is or was a canary."""

    id: str
    case_id: str
    by: str
    at: datetime
    consent: str
    ended_at: datetime | None


class CanaryList(BaseModel):
    """All of them, newest first."""

    canaries: list[CanaryView]


@operations.add(
    "POST",
    "/canaries",
    action=Action.CANARY_MAKE,
    body=NewCanary,
    answer=CanaryView,
    status=201,
    errors=(ForbiddenError, WrongStateError),
)
async def make(request: web.Request, body: NewCanary) -> CanaryView:
    """Make a case a canary: whoever opens it is an alert."""
    canaries = context.services(request).canaries
    made = await canaries.make(await context.actor(request), body.case_id, body.consent)
    return CanaryView.model_validate(made, from_attributes=True)


@operations.add(
    "GET", "/canaries", action=Action.CANARY_LIST, answer=CanaryList, errors=(ForbiddenError,)
)
async def list_canaries(request: web.Request) -> CanaryList:
    """List the canaries."""
    found = await context.services(request).canaries.list(await context.actor(request))
    views = [CanaryView.model_validate(each, from_attributes=True) for each in found]
    return CanaryList(canaries=views)


@operations.add(
    "DELETE",
    "/canaries/{canary_id}",
    action=Action.CANARY_END,
    status=204,
    errors=(NotFoundError, ForbiddenError, WrongStateError),
)
async def end(request: web.Request) -> None:
    """Let a case be a canary no more."""
    canaries = context.services(request).canaries
    await canaries.end(await context.actor(request), request.match_info["canary_id"])
