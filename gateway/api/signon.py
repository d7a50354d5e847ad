"""Signing on at a provider of OpenID Connect. The page that it comes back to is `/sign-on`."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from gateway.access.policy import Action
from gateway.access.signin import TICKET_LIFETIME
from gateway.api import context
from gateway.api.models import Given, SecondFactorNeeded, SessionView
from gateway.api.people import check_same_site, signed_in
from gateway.api.routing import FORM, Operations
from gateway.errors import (
    BadRequestError,
    CrossSiteError,
    LoginFailedError,
    NotFoundError,
    SignOnRefusedError,
    TooManyAttemptsError,
)

operations = Operations("/api/v1")


class WaysIn(BaseModel):
    """Which ways to sign in there are here, besides a password."""

    passkeys: bool
    oidc: bool


class SignOnBegun(BaseModel):
    """Where the browser goes to sign on."""

    address: str


class SignOnAnswer(Given):
    """What the provider added to the address of the page: `iss` where it names itself."""

    code: str = Field(min_length=1, max_length=4096, repr=False)
    state: str = Field(min_length=1, max_length=256, repr=False)
    iss: str | None = Field(None, max_length=2048)


class SignOnLogout(Given):
    """A logout token; what else stands beside it is not read (Back-Channel Logout, 2.5)."""

    model_config = ConfigDict(extra="ignore")

    logout_token: str = Field("", max_length=65536, repr=False)


@operations.add("GET", "/sign-on", action=None, answer=WaysIn)
async def ways_in(request: web.Request) -> WaysIn:
    """Which ways to sign in there are here, besides a password."""
    services = context.services(request)
    return WaysIn(passkeys=services.passkeys.is_set_up, oidc=services.sign_on.is_set_up)


@operations.add(
    "POST",
    "/session/oidc",
    action=Action.SESSION_PROVE,
    answer=SignOnBegun,
    errors=(NotFoundError, TooManyAttemptsError, CrossSiteError),
)
async def begin(request: web.Request) -> web.Response:
    """Begin to sign on; sets a cookie that what comes back must belong to."""
    await check_same_site(request)
    begun = await context.services(request).sign_on.begin(context.visitor(request))
    view = SignOnBegun(address=begun.address)
    response = web.Response(text=view.model_dump_json(), content_type="application/json")
    response.set_cookie(
        _cookie(request),
        begun.secret,
        path="/",
        httponly=True,
        secure=context.is_secure(request),
        samesite="Strict",
        max_age=int(TICKET_LIFETIME.total_seconds()),
    )
    return response


@operations.add(
    "POST",
    "/session/oidc/callback",
    action=Action.SESSION_OPEN,
    body=SignOnAnswer,
    answer=SessionView,
    also={202: SecondFactorNeeded},
    errors=(NotFoundError, SignOnRefusedError, LoginFailedError, CrossSiteError),
)
async def finish(request: web.Request, body: SignOnAnswer) -> web.Response:
    """Sign on by what the provider sent; sets the session cookie, or asks for a second factor."""
    await check_same_site(request)
    secret = request.cookies.get(_cookie(request), "")
    found = await context.services(request).sign_on.finish(
        context.visitor(request),
        secret if context.IS_SECRET(secret) else None,
        state=body.state,
        code=body.code,
        issuer=body.iss,
        place=context.place(request),
    )
    response = signed_in(request, found)
    response.del_cookie(
        _cookie(request), path="/", httponly=True, secure=context.is_secure(request)
    )
    return response


@operations.add(
    "POST",
    "/session/oidc/logout",
    action=Action.SESSION_END,
    body=SignOnLogout,
    takes=FORM,
    errors=(NotFoundError, BadRequestError),
)
async def logout(request: web.Request, body: SignOnLogout) -> web.Response:
    """End sessions that a sign-on began; for the provider, by a logout token."""
    try:
        await context.services(request).sign_on.logout(context.visitor(request), body.logout_token)
    except SignOnRefusedError:
        raise BadRequestError from None
    return web.Response(headers={"Cache-Control": "no-store"})


def _cookie(request: web.Request) -> str:
    return f"{context.cookie_name(request)}-sign-on"
