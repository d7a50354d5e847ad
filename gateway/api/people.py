"""Signing in and out, and proving oneself again."""

from __future__ import annotations

from aiohttp import web

from gateway.access.actors import Actor
from gateway.access.policy import Action
from gateway.access.sessions import csrf_token
from gateway.api import context
from gateway.api.models import AccountView, Confirmation, Login, SessionView
from gateway.api.routing import Operations
from gateway.errors import CrossSiteError, LoginFailedError

operations = Operations("/api/v1")


@operations.add(
    "POST",
    "/session",
    action=Action.SESSION_OPEN,
    body=Login,
    answer=SessionView,
    errors=(LoginFailedError, CrossSiteError),
)
async def sign_in(request: web.Request, body: Login) -> web.Response:
    """Sign in by password; sets the session cookie."""
    sessions, visitor = context.services(request).sessions, context.visitor(request)
    if not context.is_same_site(request):
        raise await sessions.refused(visitor, CrossSiteError())
    signed_in = await sessions.sign_in(visitor, body.email, body.password)
    view = SessionView(
        account=_account(signed_in.actor),
        csrf_token=signed_in.csrf_token,
        expires_at=signed_in.expires_at,
    )
    response = web.Response(text=view.model_dump_json(), content_type="application/json")
    response.set_cookie(
        context.cookie_name(request),
        signed_in.secret,
        path="/",
        httponly=True,
        secure=context.is_secure(request),
        samesite="Strict",
    )
    return response


@operations.add("GET", "/session", action=Action.SESSION_VIEW, answer=SessionView)
async def view_session(request: web.Request) -> SessionView:
    """Who is signed in by this cookie."""
    services = context.services(request)
    secret = request.cookies.get(context.cookie_name(request))
    if secret is None or not context.IS_SECRET(secret):
        raise await services.sessions.refused(context.visitor(request))
    actor, session = await services.sessions.by_cookie(context.visitor(request), secret)
    await services.access.authorise(actor, Action.SESSION_VIEW)
    return SessionView(
        account=_account(actor), csrf_token=csrf_token(secret), expires_at=session.expires_at
    )


@operations.add(
    "POST",
    "/session/confirmation",
    action=Action.SESSION_CONFIRM,
    body=Confirmation,
    status=204,
    errors=(LoginFailedError, CrossSiteError),
)
async def confirm(request: web.Request, body: Confirmation) -> None:
    """Give the password once more, before what cannot be undone."""
    actor = await context.actor(request)
    await context.services(request).sessions.confirm(actor, body.password)


@operations.add(
    "DELETE", "/session", action=Action.SESSION_CLOSE, status=204, errors=(CrossSiteError,)
)
async def sign_out(request: web.Request) -> web.Response:
    """Sign out."""
    actor = await context.actor(request)
    await context.services(request).sessions.sign_out(actor)
    response = web.Response(status=204)
    response.del_cookie(
        context.cookie_name(request),
        path="/",
        httponly=True,
        secure=context.is_secure(request),
        samesite="Strict",
    )
    return response


def _account(actor: Actor) -> AccountView:
    return AccountView(
        id=actor.id,
        email=actor.email or "",
        role=actor.role.value,
        controller_id=actor.controller_id,
    )
