"""Restricting a case until a doubt is settled, and releasing it."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.cases import OF_CASE
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.privacy.reasons import REASON_LIMIT

operations = Operations("/api/v1")


class WithReason(Given):
    """Why."""

    reason: str = Field(max_length=REASON_LIMIT, repr=False)


@operations.add(
    "POST",
    "/cases/{case_id}/restriction",
    action=Action.CASE_RESTRICT,
    body=WithReason,
    status=204,
    errors=OF_CASE,
)
async def restrict(request: web.Request, body: WithReason) -> None:
    """Have a case stored and nothing else, until a doubt is settled."""
    await context.services(request).restriction.restrict(
        await context.actor(request), request.match_info["case_id"], body.reason
    )


@operations.add(
    "POST",
    "/cases/{case_id}/release",
    action=Action.CASE_RELEASE,
    body=WithReason,
    status=204,
    errors=OF_CASE,
)
async def release(request: web.Request, body: WithReason) -> None:
    """Let the work on a restricted case go on."""
    await context.services(request).restriction.release(
        await context.actor(request), request.match_info["case_id"], body.reason
    )
