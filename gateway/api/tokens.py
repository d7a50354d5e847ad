"""Bearer tokens of one's own: made, listed, revoked."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from gateway.access.policy import Action
from gateway.access.scope import MOST, Limits, Scope
from gateway.access.tokens import NAME_LIMIT
from gateway.api import context
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.errors import (
    ConfirmationRequiredError,
    NotFoundError,
)
from storage.tokens import Token

operations = Operations("/api/v1")


class NewToken(Given):
    """A token to make. A limit that is left out or null is none."""

    name: str = Field(min_length=1, max_length=NAME_LIMIT)
    actions: list[str] | None = Field(
        None, min_length=1, max_length=MOST, description="acts, by their names in the log"
    )
    cases: list[str] | None = Field(None, min_length=1, max_length=MOST, description="ids of cases")
    networks: list[str] | None = Field(
        None, min_length=1, max_length=MOST, description="networks such as 192.0.2.0/24"
    )
    expires_at: AwareDatetime

    @property
    def limits(self) -> Limits:
        """What it is limited to."""
        return Limits(self.actions, self.cases, self.networks)


class TokenView(BaseModel):
    """A token as it is listed: never its secret."""

    id: str
    name: str
    actions: list[str] | None
    cases: list[str] | None
    networks: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class CreatedToken(TokenView):
    """A token that was just made, with its secret, which is shown this once."""

    token: str = Field(repr=False)


class TokenList(BaseModel):
    """The tokens that are good, newest first."""

    tokens: list[TokenView]


@operations.add(
    "POST",
    "/account/tokens",
    action=Action.TOKEN_CREATE,
    body=NewToken,
    answer=CreatedToken,
    status=201,
    errors=(ConfirmationRequiredError,),
)
async def create(request: web.Request, body: NewToken) -> CreatedToken:
    """Make a token of one's own; its secret is shown this once."""
    secret, token = await context.services(request).tokens.create(
        await context.actor(request),
        name=body.name,
        limits=body.limits,
        expires_at=body.expires_at,
    )
    return created(secret, token)


@operations.add("GET", "/account/tokens", action=Action.TOKEN_LIST, answer=TokenList)
async def list_tokens(request: web.Request) -> TokenList:
    """List one's own tokens."""
    found = await context.services(request).tokens.list(await context.actor(request))
    return TokenList(tokens=[view(token) for token in found])


@operations.add(
    "DELETE",
    "/account/tokens/{token_id}",
    action=Action.TOKEN_REVOKE,
    status=204,
    errors=(NotFoundError,),
)
async def revoke(request: web.Request) -> None:
    """End a token of one's own, at once."""
    await context.services(request).tokens.revoke(
        await context.actor(request), request.match_info["token_id"]
    )


def created(secret: str, token: Token) -> CreatedToken:
    """A token as it is shown once."""
    return CreatedToken(**view(token).model_dump(), token=secret)


def view(token: Token) -> TokenView:
    """A token as it is listed."""
    limits = Scope.parse(token.scope).limits
    return TokenView(
        id=token.id,
        name=token.name,
        actions=limits.actions,
        cases=limits.cases,
        networks=limits.networks,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
    )
