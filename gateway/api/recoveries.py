"""A lost second factor: asked for by one person, agreed to by another, stopped by its owner."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.errors import (
    ConfirmationRequiredError,
    CrossSiteError,
    NotFoundError,
    OutOfScopeError,
    WrongStateError,
)
from storage.recoveries import FactorRecovery

operations = Operations("/api/v1")

ERRORS = (
    *(NotFoundError, WrongStateError),
    *(CrossSiteError, ConfirmationRequiredError, OutOfScopeError),
)


class NewRecovery(Given):
    """Why somebody cannot use their second factor."""

    reason: Literal["lost", "stolen", "broken", "replaced"]


class RecoveryView(BaseModel):
    """A request to remove somebody's second factors; they go at `due_at`."""

    id: str
    account_id: str
    reason: str
    state: Literal["asked", "agreed", "stopped", "done"]
    asked_by: str
    asked_at: datetime
    agreed_by: str | None
    due_at: datetime | None


class RecoveryList(BaseModel):
    """The requests that are open, oldest first."""

    recoveries: list[RecoveryView]


@operations.add(
    "POST",
    "/accounts/{account_id}/factor-recovery",
    action=Action.FACTOR_RECOVERY_ASK,
    body=NewRecovery,
    answer=RecoveryView,
    status=202,
    errors=ERRORS,
)
async def ask_recovery(request: web.Request, body: NewRecovery) -> RecoveryView:
    """Say that somebody lost their second factor; another person must agree."""
    actor = await context.actor(request)
    recoveries = context.services(request).recoveries
    return _view(await recoveries.ask(actor, request.match_info["account_id"], body.reason))


@operations.add(
    "GET", "/factor-recoveries", action=Action.FACTOR_RECOVERY_LIST, answer=RecoveryList
)
async def list_recoveries(request: web.Request) -> RecoveryList:
    """List the requests that are open."""
    actor = await context.actor(request)
    found = await context.services(request).recoveries.open(actor)
    return RecoveryList(recoveries=[_view(recovery) for recovery in found])


@operations.add(
    "POST",
    "/factor-recoveries/{recovery_id}/agreement",
    action=Action.FACTOR_RECOVERY_AGREE,
    answer=RecoveryView,
    errors=ERRORS,
)
async def agree_to_recovery(request: web.Request) -> RecoveryView:
    """Agree, as another person than who asked; the delay begins."""
    actor = await context.actor(request)
    recoveries = context.services(request).recoveries
    return _view(await recoveries.agree(actor, request.match_info["recovery_id"]))


@operations.add(
    "POST",
    "/factor-recoveries/{recovery_id}/objection",
    action=Action.FACTOR_RECOVERY_OBJECT,
    status=204,
    errors=ERRORS,
)
async def object_to_recovery(request: web.Request) -> None:
    """Stop it: the owner of the account, or one who runs it."""
    actor = await context.actor(request)
    await context.services(request).recoveries.object(actor, request.match_info["recovery_id"])


def _view(recovery: FactorRecovery) -> RecoveryView:
    return RecoveryView.model_validate(recovery, from_attributes=True)
