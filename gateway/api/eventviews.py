"""Events of the access log as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from gateway.exports import words
from gateway.exports.words import Language
from storage.accesslog.event import AccessEvent
from storage.accesslog.reading import StoredEvent


class ActorView(BaseModel):
    """Who did it. Persons have an e-mail address, the system itself has none.

    `title` is the role in words.
    """

    id: str
    role: str
    title: str
    email: str | None


class EventView(BaseModel):
    """One event of the access log (NEN 7513).

    `index` is its place in the tree, `number` the practice's own running number; both come within
    a second of the event. `ground` says why it was allowed; `act` and `why` say both in words, in
    the language that was asked for.
    """

    index: int | None
    number: int | None
    id: str
    at: datetime
    event: str
    action: Literal["C", "R", "U", "D", "E"]
    stage: Literal["authorised", "refused", "outcome"]
    actor: ActorView
    ground: str
    act: str
    why: str
    object_type: str | None
    object_id: str | None
    access_point: str
    address: str | None
    request_id: str
    cause: str | None
    detail: dict[str, Any]


class EventList(BaseModel):
    """The events of a case in the order of the log."""

    events: list[EventView]


def event_view(stored: StoredEvent, emails: Mapping[str, str], language: Language) -> EventView:
    """Render one event; `emails` are the addresses of accounts by id."""
    event = AccessEvent.from_record(stored.record)
    return EventView(
        index=stored.index,
        number=stored.number,
        id=event.id,
        at=event.at,
        event=event.code,
        action=event.action,
        stage=event.stage,
        actor=ActorView(
            id=event.actor_id,
            role=event.actor_role,
            title=words.title(event, language),
            email=emails.get(event.actor_id),
        ),
        ground=event.ground,
        act=words.act(event, language),
        why=words.why(event, language),
        object_type=event.object_type,
        object_id=event.object_id,
        access_point=event.access_point,
        address=event.address,
        request_id=event.request_id,
        cause=event.cause,
        detail=dict(event.detail),
    )
