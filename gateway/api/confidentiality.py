"""One's own duty of confidentiality: to read, and to confirm."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access import duty
from gateway.access.confidentiality import Confirmation
from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.errors import CrossSiteError

operations = Operations("/api/v1/account")


class ConfidentialityConfirmation(Given):
    """Which version of the text was read."""

    version: int = Field(ge=1, le=1_000_000)


class ConfidentialityView(BaseModel):
    """The duty in the reader's language; null times: not confirmed as it reads now."""

    version: int
    text: str
    confirmed_at: datetime | None
    until: datetime | None


@operations.add(
    "GET", "/confidentiality", action=Action.CONFIDENTIALITY_VIEW, answer=ConfidentialityView
)
async def view(request: web.Request) -> ConfidentialityView:
    """Read the duty of confidentiality, and when one confirmed it."""
    actor = await context.actor(request)
    return _view(request, await context.services(request).confidentiality.view(actor))


@operations.add(
    "POST",
    "/confidentiality",
    action=Action.CONFIDENTIALITY_CONFIRM,
    body=ConfidentialityConfirmation,
    answer=ConfidentialityView,
    errors=(CrossSiteError,),
)
async def confirm(request: web.Request, body: ConfidentialityConfirmation) -> ConfidentialityView:
    """Confirm one's duty of confidentiality, for a year."""
    actor = await context.actor(request)
    services = context.services(request)
    return _view(request, await services.confidentiality.confirm(actor, body.version))


def _view(request: web.Request, confirmation: Confirmation) -> ConfidentialityView:
    return ConfidentialityView(
        version=duty.VERSION,
        text=duty.TEXT[language(request)],
        confirmed_at=confirmation.confirmed_at,
        until=confirmation.until,
    )
