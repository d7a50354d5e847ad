"""One's own password and second factors."""

from __future__ import annotations

import base64
import io
from datetime import datetime
from typing import Literal

import segno
from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.errors import (
    CodeRefusedError,
    ConfirmationRequiredError,
    ForbiddenError,
    LastFactorError,
    LoginFailedError,
    NotFoundError,
    TooManyAttemptsError,
    WeakPasswordError,
)

operations = Operations("/api/v1")


class PasswordChange(Given):
    """The present password, and the new one."""

    password: str = Field(max_length=1024, repr=False)
    new_password: str = Field(max_length=1024, repr=False)


class NewFactor(Given):
    """A second factor to begin, by the name that its owner gives it."""

    name: str = Field(max_length=60)


class FirstCode(Given):
    """The first code of a new factor."""

    code: str = Field(max_length=64, repr=False)


class FactorView(BaseModel):
    """A second factor of one's own."""

    id: str
    kind: Literal["totp", "passkey"]
    name: str
    created_at: datetime
    used_at: datetime | None


class FactorsView(BaseModel):
    """One's own second factors; whether there must be one; unused recovery codes."""

    factors: list[FactorView]
    required: bool
    recovery_codes: int


class EnrolmentView(BaseModel):
    """A factor to be: the secret as text, as an address, and as a picture (SVG) of that."""

    id: str
    secret: str
    uri: str
    qr: str


class RecoveryCodes(BaseModel):
    """Recovery codes; they are shown this once."""

    recovery_codes: list[str]


@operations.add(
    "POST",
    "/account/password",
    action=Action.PASSWORD_CHANGE,
    body=PasswordChange,
    status=204,
    errors=(LoginFailedError, ForbiddenError, WeakPasswordError, TooManyAttemptsError),
)
async def change_password(request: web.Request, body: PasswordChange) -> None:
    """Change one's own password; every other session ends."""
    actor = await context.actor(request)
    change = context.services(request).password.change
    await change(actor, body.password, body.new_password)


@operations.add(
    "GET",
    "/account/factors",
    action=Action.FACTOR_LIST,
    answer=FactorsView,
    errors=(ForbiddenError,),
)
async def list_factors(request: web.Request) -> FactorsView:
    """One's own second factors, and how many recovery codes are left."""
    actor = await context.actor(request)
    found = await context.services(request).factors.list(actor)
    return FactorsView(
        factors=[
            FactorView(
                id=it.id,
                kind=it.kind,
                name=it.name,
                created_at=it.created_at,
                used_at=it.used_at,
            )
            for it in found.factors
        ],
        required=found.required,
        recovery_codes=found.recovery_codes,
    )


@operations.add(
    "POST",
    "/account/factors",
    action=Action.FACTOR_ADD,
    body=NewFactor,
    answer=EnrolmentView,
    status=201,
    errors=(ForbiddenError, ConfirmationRequiredError),
)
async def begin_factor(request: web.Request, body: NewFactor) -> EnrolmentView:
    """Begin a factor for one-time codes; its secret is shown this once."""
    actor = await context.actor(request)
    enrolment = await context.services(request).factors.enrol(actor, body.name)
    picture = io.BytesIO()
    segno.make(enrolment.uri, error="m").save(picture, kind="svg", scale=4, xmldecl=False)
    return EnrolmentView(
        id=enrolment.id,
        secret=base64.b32encode(enrolment.secret).decode(),
        uri=enrolment.uri,
        qr=picture.getvalue().decode(),
    )


@operations.add(
    "POST",
    "/account/factors/{factor_id}/activation",
    action=Action.FACTOR_ACTIVATE,
    body=FirstCode,
    answer=RecoveryCodes,
    errors=(ForbiddenError, NotFoundError, CodeRefusedError),
)
async def activate_factor(request: web.Request, body: FirstCode) -> RecoveryCodes:
    """Make a factor count by its first code; the first factor brings recovery codes."""
    actor = await context.actor(request)
    factor_id = request.match_info["factor_id"]
    fresh = await context.services(request).factors.activate(actor, factor_id, body.code)
    return RecoveryCodes(recovery_codes=list(fresh))


@operations.add(
    "DELETE",
    "/account/factors/{factor_id}",
    action=Action.FACTOR_REMOVE,
    status=204,
    errors=(ForbiddenError, NotFoundError, ConfirmationRequiredError, LastFactorError),
)
async def remove_factor(request: web.Request) -> None:
    """Remove a second factor."""
    actor = await context.actor(request)
    await context.services(request).factors.remove(actor, request.match_info["factor_id"])


@operations.add(
    "POST",
    "/account/recovery-codes",
    action=Action.RECOVERY_CODES_RENEW,
    answer=RecoveryCodes,
    errors=(ForbiddenError, NotFoundError, ConfirmationRequiredError),
)
async def renew_recovery_codes(request: web.Request) -> RecoveryCodes:
    """New recovery codes in place of the old ones."""
    actor = await context.actor(request)
    fresh = await context.services(request).factors.renew_recovery_codes(actor)
    return RecoveryCodes(recovery_codes=list(fresh))
