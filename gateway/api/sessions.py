"""Where somebody is signed in: listed by device and place, ended one by one or all at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.actors import Actor
from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.errors import ConfirmationRequiredError, NotFoundError
from gateway.ids import ID_PATTERN
from storage.accounts import Session

operations = Operations("/api/v1")
PAGE = 500


class SessionEntry(BaseModel):
    """One session. `proofs` is how its person proved themself."""

    id: str
    current: bool
    device: str
    address: str | None
    proofs: list[str]
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class SessionEntries(BaseModel):
    """One's own sessions, last used first."""

    sessions: list[SessionEntry]


class EverybodysQuery(Given):
    """A page of everybody's sessions."""

    before: str | None = Field(None, pattern=f"^{ID_PATTERN}$")
    limit: int = Field(100, ge=1, le=PAGE)


class SomebodysSession(SessionEntry):
    """One session, and whose."""

    account_id: str
    email: str
    role: str
    controller_id: str | None


class EverybodysSessions(BaseModel):
    """Sessions, the newest first; `next` continues the list as `before`."""

    sessions: list[SomebodysSession]
    next: str | None


class Ended(BaseModel):
    """How many sessions were ended."""

    ended: int


@operations.add(
    "GET",
    "/account/sessions",
    action=Action.SESSION_LIST,
    answer=SessionEntries,
)
async def list_sessions(request: web.Request) -> SessionEntries:
    """List where one is signed in."""
    actor = await context.actor(request)
    found = await context.services(request).session_list.own(actor)
    entries = [SessionEntry(**_shown(session, actor)) for session in found]
    return SessionEntries(sessions=entries)


@operations.add(
    "DELETE",
    "/account/sessions/{session_id}",
    action=Action.SESSION_END,
    status=204,
    errors=(ConfirmationRequiredError, NotFoundError),
)
async def end(request: web.Request) -> None:
    """End one of one's own sessions, at once and everywhere."""
    await context.services(request).session_list.end(
        await context.actor(request), request.match_info["session_id"]
    )


@operations.add(
    "DELETE",
    "/account/sessions",
    action=Action.SESSION_END,
    answer=Ended,
    errors=(ConfirmationRequiredError,),
)
async def end_others(request: web.Request) -> Ended:
    """End all of one's own sessions but this one."""
    actor = await context.actor(request)
    return Ended(ended=await context.services(request).session_list.end_others(actor))


@operations.add(
    "DELETE",
    "/accounts/{account_id}/sessions",
    action=Action.SESSION_END,
    answer=Ended,
    errors=(ConfirmationRequiredError, NotFoundError),
)
async def end_of(request: web.Request) -> Ended:
    """End every session of somebody: for an administrator, or their practice's manager."""
    actor, account_id = await context.actor(request), request.match_info["account_id"]
    return Ended(ended=await context.services(request).session_list.end_of(actor, account_id))


@operations.add(
    "GET",
    "/sessions",
    action=Action.SESSION_LIST_ALL,
    query=EverybodysQuery,
    answer=EverybodysSessions,
)
async def list_all(request: web.Request, query: EverybodysQuery) -> EverybodysSessions:
    """List who is signed in, and where: an administrator's everybody, a manager's practice."""
    actor = await context.actor(request)
    services = context.services(request)
    found = await services.session_list.all(actor, query.before, query.limit)
    entries = [
        SomebodysSession(
            **_shown(session, actor),
            account_id=account.id,
            email=account.email,
            role=account.role,
            controller_id=account.controller_id,
        )
        for session, account in found
    ]
    following = found[-1][0].id if len(found) == query.limit else None
    return EverybodysSessions(sessions=entries, next=following)


@operations.add(
    "DELETE",
    "/sessions",
    action=Action.SESSION_END_ALL,
    answer=Ended,
    errors=(ConfirmationRequiredError,),
)
async def end_all(request: web.Request) -> Ended:
    """End everybody's sessions but this one; a manager's everybody is the own practice."""
    actor = await context.actor(request)
    return Ended(ended=await context.services(request).session_list.end_all(actor))


@operations.add(
    "DELETE",
    "/sessions/{session_id}",
    action=Action.SESSION_END,
    status=204,
    errors=(ConfirmationRequiredError, NotFoundError),
)
async def end_any(request: web.Request) -> None:
    """End one session of somebody whose account one runs."""
    await context.services(request).session_list.end_any(
        await context.actor(request), request.match_info["session_id"]
    )


def _shown(session: Session, actor: Actor) -> dict[str, Any]:
    return {
        "id": session.id,
        "current": session.secret_hash == actor.session,
        "device": session.device,
        "address": session.address,
        "proofs": session.proofs.split(),
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "expires_at": session.expires_at,
    }
