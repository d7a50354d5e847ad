"""A practice's own events as evidence: with salt and place, so that anyone can check them."""

from __future__ import annotations

import base64

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.actors import Actor
from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.routing import Operations
from gateway.errors import ForbiddenError, InvalidInputError
from gateway.ids import ID_PATTERN
from storage.accesslog.reading import EvidentEvent, events_of_controller

operations = Operations("/api/v1")
PAGE = 1000  # events at the most
LARGEST = 2**63 - 1


class SeriesQuery(Given):
    """Which events: those behind a running number; a privacy officer names the practice."""

    after: int = Field(0, ge=0, le=LARGEST)
    limit: int = Field(PAGE, ge=1, le=PAGE)
    controller: str | None = Field(None, pattern=f"^{ID_PATTERN}$")


class EventEvidence(BaseModel):
    """An event and what proves it: HMAC-SHA256(salt, record) is entry `index` of the log.

    `record` is canonical JSON (RFC 8785) with the running number in it. A pruned event has kept
    its number and its place alone.
    """

    number: int
    index: int
    pruned: bool
    record: str | None
    salt: str | None


class Series(BaseModel):
    """Events by their running numbers; `next` continues as `after`."""

    events: list[EventEvidence]
    next: int | None


@operations.add(
    "GET",
    "/log/events",
    action=Action.LOG_VIEW,
    query=SeriesQuery,
    answer=Series,
    errors=(ForbiddenError,),
)
async def events(request: web.Request, query: SeriesQuery) -> web.Response:
    """Get the events of one's own practice, each with what proves it."""
    services, actor = context.services(request), await context.actor(request)
    detail = {"after": query.after, "limit": query.limit}
    grant = await services.access.authorise(actor, Action.LOG_VIEW, detail=detail)
    controller_id = await _controller(request, actor, query.controller)
    if controller_id != actor.controller_id:
        # A stranger's look belongs in the series of the practice that was looked at, and before
        # it is answered.
        await services.access.outcome(grant, controller_id=controller_id)
    async with services.main.reading() as connection:
        found = await events_of_controller(connection, controller_id, query.after, query.limit)
    following = found[-1].number if len(found) == query.limit else None
    series = Series(events=[_evidence(event) for event in found], next=following)
    return context.answer(series, grant.event_id)


async def _controller(request: web.Request, actor: Actor, named: str | None) -> str:
    """Whose events. Raises ForbiddenError, InvalidInputError."""
    if actor.controller_id is None:
        if named is None:
            raise InvalidInputError(field="controller", reason="name the practice by its id")
        return named
    if named not in {None, actor.controller_id}:
        access = context.services(request).access
        await access.note(actor, Action.LOG_VIEW, refused=True, controller=str(named))
        raise ForbiddenError
    return actor.controller_id


def _evidence(event: EvidentEvent) -> EventEvidence:
    salt = None if event.salt is None else base64.b64encode(event.salt).decode()
    return EventEvidence(
        number=event.number,
        index=event.index,
        pruned=event.record is None,
        record=event.record,
        salt=salt,
    )
