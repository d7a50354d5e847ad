"""The software of a practice and its tokens, as its manager keeps them."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.access.service_accounts import Service
from gateway.access.tokens import NAME_LIMIT
from gateway.api import context, tokens
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.api.tokens import CreatedToken, NewToken, TokenView
from gateway.errors import (
    ConfirmationRequiredError,
    NotFoundError,
)

operations = Operations("/api/v1")


class NewService(Given):
    """A program of the practice."""

    name: str = Field(min_length=1, max_length=NAME_LIMIT)


class ServiceView(BaseModel):
    """A program of the practice, with its tokens that are good."""

    id: str
    name: str
    created_at: datetime
    tokens: list[TokenView]


class ServiceList(BaseModel):
    """The programs of the practice by their names."""

    services: list[ServiceView]


@operations.add(
    "POST",
    "/practice/services",
    action=Action.SERVICE_ADD,
    body=NewService,
    answer=ServiceView,
    status=201,
)
async def add(request: web.Request, body: NewService) -> ServiceView:
    """Add a program of one's own practice."""
    actor = await context.actor(request)
    return _view(await context.services(request).service_accounts.add(actor, body.name))


@operations.add(
    "GET",
    "/practice/services",
    action=Action.SERVICE_LIST,
    answer=ServiceList,
)
async def list_services(request: web.Request) -> ServiceList:
    """List the programs of one's own practice and their tokens."""
    found = await context.services(request).service_accounts.list(await context.actor(request))
    return ServiceList(services=[_view(service) for service in found])


@operations.add(
    "DELETE",
    "/practice/services/{account_id}",
    action=Action.SERVICE_CHANGE,
    status=204,
    errors=(NotFoundError,),
)
async def end(request: web.Request) -> None:
    """End a program of the practice and its tokens, at once."""
    actor = await context.actor(request)
    await context.services(request).service_accounts.end(actor, request.match_info["account_id"])


@operations.add(
    "POST",
    "/practice/services/{account_id}/tokens",
    action=Action.SERVICE_CHANGE,
    body=NewToken,
    answer=CreatedToken,
    status=201,
    errors=(ConfirmationRequiredError, NotFoundError),
)
async def add_token(request: web.Request, body: NewToken) -> CreatedToken:
    """Make a token of a program; its secret is shown this once."""
    secret, token = await context.services(request).service_accounts.add_token(
        await context.actor(request),
        request.match_info["account_id"],
        name=body.name,
        limits=body.limits,
        expires_at=body.expires_at,
    )
    return tokens.created(secret, token)


@operations.add(
    "DELETE",
    "/practice/services/{account_id}/tokens/{token_id}",
    action=Action.SERVICE_CHANGE,
    status=204,
    errors=(NotFoundError,),
)
async def revoke_token(request: web.Request) -> None:
    """End a token of a program, at once."""
    actor, path = await context.actor(request), request.match_info
    await context.services(request).service_accounts.revoke_token(
        actor, path["account_id"], path["token_id"]
    )


def _view(service: Service) -> ServiceView:
    return ServiceView(
        id=service.account.id,
        name=service.account.name or "",
        created_at=service.account.created_at,
        tokens=[tokens.view(token) for token in service.tokens],
    )
