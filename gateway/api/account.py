"""One's own account and one's own practice: seen, corrected, taken along, closed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.access.profile import STRETCH, Held
from gateway.api import context
from gateway.api.eventviews import EventView, event_view
from gateway.api.models import Given
from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.errors import (
    ConfirmationRequiredError,
    CrossSiteError,
    OutOfScopeError,
    WrongStateError,
)
from storage.accounts import Account, Controller

operations = Operations("/api/v1")

Language = Literal["en", "nl"]
LARGEST = 2**63 - 1 - STRETCH


class ProfileChange(Given):
    """What to correct of one's own account; what is left out stays, null takes out."""

    name: str = Field("", max_length=200)
    phone: str | None = Field(None, max_length=50)
    language: Language = "en"


class PracticeChange(Given):
    """What to correct of the practice; what is left out stays, null takes out."""

    name: str = Field("", max_length=200)
    email: str = Field("", max_length=254)
    address: str | None = Field(None, max_length=500)
    phone: str | None = Field(None, max_length=50)
    second_factor_required: bool = False


class ProfileView(BaseModel):
    """One's own account."""

    id: str
    email: str
    name: str | None
    phone: str | None
    language: Language
    role: str
    controller_id: str | None
    created_at: datetime


class PracticeView(BaseModel):
    """One's own practice."""

    id: str
    name: str
    email: str
    address: str | None
    phone: str | None
    second_factor_required: bool
    created_at: datetime


class HeldSession(BaseModel):
    """A session that runs."""

    device: str
    address: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class HeldToken(BaseModel):
    """A token that is good."""

    name: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class HeldFactor(BaseModel):
    """A second factor."""

    kind: str
    name: str
    created_at: datetime
    used_at: datetime | None


class HeldIdentity(BaseModel):
    """Who one is to a sign-on provider."""

    issuer: str
    subject: str
    created_at: datetime


class OwnEventsQuery(Given):
    """Which events: those behind a place in the log."""

    after: int = Field(-1, ge=-1, le=LARGEST)


class OwnEvents(BaseModel):
    """What one did or tried, in the order of the log; `next` continues as `after`.

    One answer looks at a stretch of the log: it may hold nothing and still have a `next`.
    """

    events: list[EventView]
    next: int | None


class ProfileExport(BaseModel):
    """All that is held about oneself, but for secrets, and the events of the log (own route)."""

    account: ProfileView
    has_password: bool
    confidential_at: datetime | None
    practice: PracticeView | None
    sessions: list[HeldSession]
    tokens: list[HeldToken]
    factors: list[HeldFactor]
    identities: list[HeldIdentity]
    recovery_codes_left: int


@operations.add("GET", "/account", action=Action.PROFILE_VIEW, answer=ProfileView)
async def view_account(request: web.Request) -> ProfileView:
    """Show one's own account."""
    actor = await context.actor(request)
    return _profile(await context.services(request).profile.view(actor))


@operations.add(
    "PATCH",
    "/account",
    action=Action.PROFILE_CHANGE,
    body=ProfileChange,
    answer=ProfileView,
    errors=(CrossSiteError,),
)
async def change_own_account(request: web.Request, body: ProfileChange) -> ProfileView:
    """Correct one's own name, phone or language."""
    actor = await context.actor(request)
    changed = body.model_dump(exclude_unset=True)
    return _profile(await context.services(request).profile.change(actor, changed))


@operations.add("GET", "/account/export", action=Action.PROFILE_EXPORT, answer=ProfileExport)
async def export_account(request: web.Request) -> ProfileExport:
    """Give all that is held about oneself."""
    actor = await context.actor(request)
    return _export(await context.services(request).profile.export(actor))


@operations.add(
    "GET",
    "/account/events",
    action=Action.PROFILE_EXPORT,
    query=OwnEventsQuery,
    answer=OwnEvents,
)
async def own_events(request: web.Request, query: OwnEventsQuery) -> OwnEvents:
    """Give what one did or tried, as the access log has it."""
    actor = await context.actor(request)
    found, following = await context.services(request).profile.events(actor, query.after)
    own = {actor.id: actor.email or ""}
    return OwnEvents(
        events=[event_view(event, own, language(request)) for event in found], next=following
    )


@operations.add(
    "DELETE",
    "/account",
    action=Action.PROFILE_CLOSE,
    status=204,
    errors=(CrossSiteError, ConfirmationRequiredError, OutOfScopeError, WrongStateError),
)
async def close_account(request: web.Request) -> None:
    """Close one's own account for good; the last manager of a practice cannot."""
    actor = await context.actor(request)
    await context.services(request).profile.close(actor)


@operations.add("GET", "/practice", action=Action.PRACTICE_VIEW, answer=PracticeView)
async def view_practice(request: web.Request) -> PracticeView:
    """Show one's own practice."""
    actor = await context.actor(request)
    return _practice(await context.services(request).profile.view_practice(actor))


@operations.add(
    "PATCH",
    "/practice",
    action=Action.PRACTICE_CHANGE,
    body=PracticeChange,
    answer=PracticeView,
    errors=(CrossSiteError, ConfirmationRequiredError),
)
async def change_practice(request: web.Request, body: PracticeChange) -> PracticeView:
    """Correct the practice's details, or ask a second factor of its people."""
    actor = await context.actor(request)
    changed = body.model_dump(exclude_unset=True)
    return _practice(await context.services(request).profile.change_practice(actor, changed))


def _profile(account: Account) -> ProfileView:
    return ProfileView.model_validate(account, from_attributes=True)


def _practice(practice: Controller) -> PracticeView:
    return PracticeView.model_validate(practice, from_attributes=True)


def _export(held: Held) -> ProfileExport:
    def views(model: type[BaseModel], rows: tuple[object, ...]) -> list[BaseModel]:
        return [model.model_validate(row, from_attributes=True) for row in rows]

    return ProfileExport.model_validate(
        {
            "account": _profile(held.account),
            "has_password": held.account.password_hash is not None,
            "confidential_at": held.account.confidential_at,
            "practice": _practice(held.practice) if held.practice else None,
            "sessions": views(HeldSession, held.sessions),
            "tokens": views(HeldToken, held.tokens),
            "factors": views(HeldFactor, held.factors),
            "identities": views(HeldIdentity, held.identities),
            "recovery_codes_left": held.recovery_codes_left,
        }
    )
