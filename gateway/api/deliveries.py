"""What did not leave, by mail or webhook: listed, and sent again."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.errors import ForbiddenError, NotFoundError, WrongStateError
from gateway.ids import ID_PATTERN
from storage.notices import Notice

operations = Operations("/api/v1")


class DeliveryQuery(Given):
    """Which to list."""

    state: Literal["dead", "waiting", "any"] = "dead"
    before: str | None = Field(None, pattern=f"^{ID_PATTERN}$")
    limit: int = Field(50, ge=1, le=200)


class DeliveryView(BaseModel):
    """One message that did not leave yet.

    `failure` is a word: `mail`, `address`, `certificate`, `timeout`, `unreachable`, `secret`,
    `unknown` (the settings name no such webhook), or `status` and a number.
    """

    id: str
    kind: str
    channel: Literal["mail", "webhook"]
    state: Literal["dead", "waiting"]
    account_id: str | None
    controller_id: str | None
    hook: str | None
    created_at: datetime
    due_at: datetime
    attempts: int
    failure: str | None
    dead_at: datetime | None


class DeliveryList(BaseModel):
    """Messages, newest first; `next` continues the list as `before`."""

    deliveries: list[DeliveryView]
    next: str | None


@operations.add(
    "GET",
    "/deliveries",
    action=Action.DELIVERY_LIST,
    query=DeliveryQuery,
    answer=DeliveryList,
    errors=(ForbiddenError,),
)
async def list_deliveries(request: web.Request, query: DeliveryQuery) -> DeliveryList:
    """List what did not leave by mail or webhook."""
    found = await context.services(request).letters.list(
        await context.actor(request),
        dead=None if query.state == "any" else query.state == "dead",
        before=query.before,
        limit=query.limit,
    )
    following = found[-1].id if len(found) == query.limit else None
    return DeliveryList(deliveries=list(map(_view, found)), next=following)


@operations.add(
    "POST",
    "/deliveries/{delivery_id}/retry",
    action=Action.DELIVERY_RETRY,
    answer=DeliveryView,
    status=202,
    errors=(NotFoundError, ForbiddenError, WrongStateError),
)
async def retry(request: web.Request) -> DeliveryView:
    """Have a message that was given up tried again."""
    delivery_id = request.match_info["delivery_id"]
    return _view(
        await context.services(request).letters.retry(await context.actor(request), delivery_id)
    )


def _view(notice: Notice) -> DeliveryView:
    names = (name for name in DeliveryView.model_fields if hasattr(notice, name))
    return DeliveryView.model_validate(
        {
            **{name: getattr(notice, name) for name in names},
            "channel": "mail" if notice.hook is None else "webhook",
            "state": "waiting" if notice.dead_at is None else "dead",
        }
    )
