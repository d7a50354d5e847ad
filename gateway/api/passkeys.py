"""Passkeys: added to one's account, to sign in with, and to prove oneself again.

Options and credentials are the JSON of the browser's own `parseCreationOptionsFromJSON`,
`parseRequestOptionsFromJSON` and `toJSON` (W3C Web Authentication Level 3, section 5.1).
"""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.passkeys import Ceremony
from gateway.access.policy import Action
from gateway.api import context
from gateway.api.factors import RecoveryCodes
from gateway.api.models import Given, SessionView
from gateway.api.people import check_same_site, signed_in
from gateway.api.routing import Operations
from gateway.errors import (
    CodeRefusedError,
    ConfirmationRequiredError,
    CrossSiteError,
    ForbiddenError,
    LoginFailedError,
    NotFoundError,
    PasskeyRefusedError,
    TooManyAttemptsError,
)
from gateway.ids import SECRET_PATTERN

BYTES = r"^[A-Za-z0-9_-]+$"  # base64url without padding
TICKET = rf"^{SECRET_PATTERN}$"

operations = Operations("/api/v1")


class MadeResponse(Given):
    """What an authenticator says of a passkey that it made."""

    clientDataJSON: str = Field(pattern=BYTES, max_length=8192)  # noqa: N815 - WebAuthn's names
    attestationObject: str = Field(pattern=BYTES, max_length=65536)  # noqa: N815
    authenticatorData: str | None = Field(None, max_length=65536)  # noqa: N815
    publicKey: str | None = Field(None, max_length=8192)  # noqa: N815
    publicKeyAlgorithm: int | None = None  # noqa: N815
    transports: list[str] | None = Field(None, max_length=20)


class AnswerResponse(Given):
    """What an authenticator says to a challenge."""

    clientDataJSON: str = Field(pattern=BYTES, max_length=8192)  # noqa: N815
    authenticatorData: str = Field(pattern=BYTES, max_length=65536)  # noqa: N815
    signature: str = Field(pattern=BYTES, max_length=8192)
    userHandle: str | None = Field(None, pattern=BYTES, max_length=128)  # noqa: N815
    attestationObject: str | None = Field(None, max_length=65536)  # noqa: N815


class _Credential(Given):
    """A `PublicKeyCredential` as JSON. Extensions are not asked for, and not read."""

    id: str = Field(pattern=BYTES, max_length=1364)
    rawId: str = Field(pattern=BYTES, max_length=1364)  # noqa: N815
    type: Literal["public-key"]
    authenticatorAttachment: str | None = Field(None, max_length=32)  # noqa: N815
    clientExtensionResults: dict[str, Any] = Field(default_factory=dict)  # noqa: N815


class MadeCredential(_Credential):
    """A new passkey."""

    response: MadeResponse


class AnsweringCredential(_Credential):
    """A passkey's answer."""

    response: AnswerResponse


class PasskeyAsked(Given):
    """The ticket of a sign-in that waits for a second factor; none: a passkey alone."""

    ticket: str | None = Field(None, pattern=TICKET, repr=False)


class NewPasskey(Given):
    """A passkey to add, by the name that its owner gives it."""

    ticket: str = Field(pattern=TICKET, repr=False)
    name: str = Field(max_length=60)
    credential: MadeCredential


class PasskeyAnswer(Given):
    """A passkey's answer to the challenge of a ticket."""

    ticket: str = Field(pattern=TICKET, repr=False)
    credential: AnsweringCredential


class CeremonyView(BaseModel):
    """A ticket, and options for the browser; both good for five minutes, once."""

    ticket: str
    options: dict[str, Any]


@operations.add(
    "POST",
    "/account/passkeys/options",
    action=Action.FACTOR_ADD,
    answer=CeremonyView,
    errors=(ForbiddenError, NotFoundError, ConfirmationRequiredError, CrossSiteError),
)
async def begin_registration(request: web.Request) -> CeremonyView:
    """Begin a passkey of one's own."""
    actor = await context.actor(request)
    return _view(await context.services(request).passkeys.begin_registration(actor))


@operations.add(
    "POST",
    "/account/passkeys",
    action=Action.FACTOR_ACTIVATE,
    body=NewPasskey,
    answer=RecoveryCodes,
    status=201,
    errors=(ForbiddenError, NotFoundError, CodeRefusedError, PasskeyRefusedError, CrossSiteError),
)
async def register(request: web.Request, body: NewPasskey) -> RecoveryCodes:
    """Add a passkey; the first factor brings recovery codes."""
    actor = await context.actor(request)
    fresh = await context.services(request).passkeys.register(
        actor, body.ticket, body.name, _plain(body.credential)
    )
    return RecoveryCodes(recovery_codes=list(fresh))


@operations.add(
    "POST",
    "/session/passkey/options",
    action=Action.SESSION_PROVE,
    body=PasskeyAsked,
    answer=CeremonyView,
    errors=(NotFoundError, PasskeyRefusedError, TooManyAttemptsError, CrossSiteError),
)
async def begin_sign_in(request: web.Request, body: PasskeyAsked) -> CeremonyView:
    """Begin to sign in by a passkey, alone or as the second factor."""
    await check_same_site(request)
    services, visitor = context.services(request), context.visitor(request)
    return _view(await services.passkeys.begin_sign_in(visitor, body.ticket))


@operations.add(
    "POST",
    "/session/passkey",
    action=Action.SESSION_OPEN,
    body=PasskeyAnswer,
    answer=SessionView,
    errors=(
        *(NotFoundError, CodeRefusedError, PasskeyRefusedError),
        *(LoginFailedError, CrossSiteError),
    ),
)
async def sign_in(request: web.Request, body: PasskeyAnswer) -> web.Response:
    """Sign in by a passkey; sets the session cookie."""
    await check_same_site(request)
    services, visitor = context.services(request), context.visitor(request)
    found = await services.passkeys.sign_in(
        visitor, body.ticket, _plain(body.credential), context.place(request)
    )
    return signed_in(request, found)


@operations.add(
    "POST",
    "/session/confirmation/passkey/options",
    action=Action.SESSION_CONFIRM,
    answer=CeremonyView,
    errors=(ForbiddenError, NotFoundError, CrossSiteError),
)
async def begin_confirmation(request: web.Request) -> CeremonyView:
    """Begin to prove oneself again by a passkey."""
    actor = await context.actor(request)
    return _view(await context.services(request).passkeys.begin_confirmation(actor))


@operations.add(
    "POST",
    "/session/confirmation/passkey",
    action=Action.SESSION_CONFIRM,
    body=PasskeyAnswer,
    answer=SessionView,
    errors=(ForbiddenError, NotFoundError, CodeRefusedError, PasskeyRefusedError, CrossSiteError),
)
async def confirm(request: web.Request, body: PasskeyAnswer) -> web.Response:
    """Prove oneself again by a passkey, before what cannot be undone; the cookie is a new one."""
    actor = await context.actor(request)
    found = await context.services(request).passkeys.confirm(
        actor, body.ticket, _plain(body.credential)
    )
    return signed_in(request, found)


def _view(begun: Ceremony) -> CeremonyView:
    return CeremonyView(ticket=begun.ticket, options=begun.options)


def _plain(credential: BaseModel) -> dict[str, Any]:
    return credential.model_dump(exclude_none=True)
