"""Signing in and out, and proving oneself again."""

from __future__ import annotations

from aiohttp import web

from gateway.access.actors import Actor
from gateway.access.policy import Action
from gateway.access.sessions import SignedIn, csrf_token
from gateway.access.signin import Pending
from gateway.api import context
from gateway.api.models import (
    AccountView,
    Confirmation,
    Login,
    SecondFactor,
    SecondFactorNeeded,
    SessionView,
)
from gateway.api.routing import Operations
from gateway.errors import (
    CodeRefusedError,
    CrossSiteError,
    LoginFailedError,
    TooManyAttemptsError,
)

operations = Operations("/api/v1")

DEVICE_SECONDS = 365 * 24 * 3600  # a browser is known again for a year

LEFT_BEHIND = '"cache", "storage"'
"""What a browser forgets at sign-out; not its cookies: one tells that the browser is known."""


@operations.add(
    "POST",
    "/session",
    action=Action.SESSION_OPEN,
    body=Login,
    answer=SessionView,
    also={202: SecondFactorNeeded},
    errors=(LoginFailedError, CrossSiteError, TooManyAttemptsError),
)
async def sign_in(request: web.Request, body: Login) -> web.Response:
    """Sign in by password; sets the session cookie, or asks for a second factor."""
    await check_same_site(request)
    services, visitor = context.services(request), context.visitor(request)
    found = await services.signin.by_password(
        visitor, body.email, body.password, context.place(request)
    )
    return signed_in(request, found)


@operations.add(
    "POST",
    "/session/factor",
    action=Action.SESSION_OPEN,
    body=SecondFactor,
    answer=SessionView,
    errors=(CodeRefusedError, LoginFailedError, CrossSiteError, TooManyAttemptsError),
)
async def give_code(request: web.Request, body: SecondFactor) -> web.Response:
    """Sign in by the second factor, a one-time or recovery code; sets the session cookie."""
    await check_same_site(request)
    services, visitor = context.services(request), context.visitor(request)
    found = await services.signin.by_code(visitor, body.ticket, body.code, context.place(request))
    return signed_in(request, found)


async def check_same_site(request: web.Request) -> None:
    """Return if no other site made the request. Raises CrossSiteError."""
    if not context.is_same_site(request):
        sessions = context.services(request).sessions
        raise await sessions.refused(context.visitor(request), CrossSiteError())


def signed_in(request: web.Request, found: SignedIn | Pending) -> web.Response:
    """The answer to a sign-in: the session with its cookie, or what is to follow."""
    if isinstance(found, Pending):
        needed = SecondFactorNeeded(
            ticket=found.ticket,
            methods=[method.value for method in found.methods],
            expires_at=found.expires_at,
        )
        return web.Response(
            text=needed.model_dump_json(), status=202, content_type="application/json"
        )
    view = SessionView(
        account=_account(found.actor),
        csrf_token=found.csrf_token,
        expires_at=found.expires_at,
        restricted=found.actor.restricted,
    )
    response = web.Response(text=view.model_dump_json(), content_type="application/json")
    response.set_cookie(
        context.cookie_name(request),
        found.secret,
        path="/",
        httponly=True,
        secure=context.is_secure(request),
        samesite="Strict",
    )
    if found.device_secret is not None:
        response.set_cookie(
            context.device_cookie_name(request),
            found.device_secret,
            max_age=DEVICE_SECONDS,
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
        account=_account(actor),
        csrf_token=csrf_token(secret),
        expires_at=session.expires_at,
        restricted=actor.restricted,
    )


@operations.add(
    "POST",
    "/session/confirmation",
    action=Action.SESSION_CONFIRM,
    body=Confirmation,
    answer=SessionView,
    errors=(LoginFailedError, CrossSiteError, TooManyAttemptsError),
)
async def confirm(request: web.Request, body: Confirmation) -> web.Response:
    """Give the password once more, or a code; unlocks, and renews the cookie and its token."""
    actor = await context.actor(request)
    sessions = context.services(request).sessions
    found = await sessions.confirm(actor, password=body.password, code=body.code)
    return signed_in(request, found)


@operations.add(
    "DELETE", "/session", action=Action.SESSION_CLOSE, status=204, errors=(CrossSiteError,)
)
async def sign_out(request: web.Request) -> web.Response:
    """Sign out."""
    actor = await context.actor(request)
    await context.services(request).sessions.sign_out(actor)
    response = web.Response(status=204, headers={"Clear-Site-Data": LEFT_BEHIND})
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
