"""Where somebody is signed in: listed by device and place, ended one by one or all at once."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from pydantic import BaseModel

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.routing import Operations
from gateway.errors import (
    ConfirmationRequiredError,
    NotFoundError,
)

operations = Operations("/api/v1")


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
    entries = [
        SessionEntry(
            id=session.id,
            current=session.secret_hash == actor.session,
            device=session.device,
            address=session.address,
            proofs=session.proofs.split(),
            created_at=session.created_at,
            seen_at=session.seen_at,
            expires_at=session.expires_at,
        )
        for session in found
    ]
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
