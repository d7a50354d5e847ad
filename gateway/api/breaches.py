"""Notices of a breach: written and sent by a privacy officer, read and confirmed by a practice."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.errors import (
    ConfirmationRequiredError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    WrongStateError,
)
from gateway.exports import breach
from gateway.ids import ID_PATTERN
from gateway.incidents.notices import WORDS_LIMIT, NoticeSight, Phase

operations = Operations("/api/v1")
OF_NOTICE = (NotFoundError, ForbiddenError, WrongStateError)
Language = Literal["en", "nl"]


class GivenWords(Given):
    """What the notice says in one language; left out: not known yet. `contact` is always known."""

    nature: str | None = Field(None, max_length=WORDS_LIMIT, repr=False)
    contact: str = Field(max_length=WORDS_LIMIT, repr=False)
    consequences: str | None = Field(None, max_length=WORDS_LIMIT, repr=False)
    measures: str | None = Field(None, max_length=WORDS_LIMIT, repr=False)


class NewNotices(Given):
    """For which practices (none given: all that are in the scope), how far, and in what words."""

    phase: Phase
    words: dict[Language, GivenWords] = Field(repr=False)
    controllers: list[str] | None = Field(None, min_length=1, max_length=1000)


class NoticeQuery(Given):
    """Which to list."""

    before: str | None = Field(None, pattern=f"^{ID_PATTERN}$")
    limit: int = Field(50, ge=1, le=200)


class FormQuery(Given):
    """In which form to give it."""

    format: Literal["text", "pdf"] = "text"
    language: Language | None = None


class SectionView(BaseModel):
    """One part of a notice, in the reader's language."""

    name: str
    heading: str
    text: str


class NoticeView(BaseModel):
    """One version of a notice; `sections` are the parts of GDPR article 33(3), in order."""

    id: str
    incident_id: str
    controller_id: str
    practice: str
    version: int
    phase: Phase
    created_by: str
    created_at: datetime
    sent_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    changed: list[str] | None
    head: str
    sections: list[SectionView]
    cases: list[str]


class NoticeList(BaseModel):
    """Notices; `next` continues the list as `before`."""

    notices: list[NoticeView]
    next: str | None


@operations.add(
    "POST",
    "/incidents/{incident_id}/notices",
    action=Action.BREACH_COMPOSE,
    body=NewNotices,
    answer=NoticeList,
    status=201,
    errors=OF_NOTICE,
)
async def compose(request: web.Request, body: NewNotices) -> NoticeList:
    """Write the next version of a notice to practices in an incident; nothing is sent yet."""
    words: dict[str, breach.Words] = {
        tongue: breach.Words(**said.model_dump()) for tongue, said in body.words.items()
    }
    written = await context.services(request).breach_notices.compose(
        await context.actor(request),
        request.match_info["incident_id"],
        body.phase,
        words,
        body.controllers,
    )
    return NoticeList(notices=[_view(request, each) for each in written], next=None)


@operations.add(
    "GET",
    "/incidents/{incident_id}/notices",
    action=Action.INCIDENT_VIEW,
    answer=NoticeList,
    errors=(NotFoundError, ForbiddenError),
)
async def of_incident(request: web.Request) -> NoticeList:
    """List all versions of the notices of an incident."""
    found = await context.services(request).breach_notices.of_incident(
        await context.actor(request), request.match_info["incident_id"]
    )
    return NoticeList(notices=[_view(request, each) for each in found], next=None)


@operations.add(
    "GET",
    "/breach-notices",
    action=Action.BREACH_LIST,
    query=NoticeQuery,
    answer=NoticeList,
    errors=(ForbiddenError,),
)
async def of_practice(request: web.Request, query: NoticeQuery) -> NoticeList:
    """List the notices that one's own practice was sent."""
    found = await context.services(request).breach_notices.of_practice(
        await context.actor(request), before=query.before, limit=query.limit
    )
    following = found[-1].notice.id if len(found) == query.limit else None
    return NoticeList(notices=[_view(request, each) for each in found], next=following)


@operations.add(
    "GET",
    "/breach-notices/{notice_id}",
    action=Action.BREACH_VIEW,
    answer=NoticeView,
    errors=(NotFoundError, ForbiddenError),
)
async def view(request: web.Request) -> NoticeView:
    """Read a notice."""
    return _view(request, await _seen(request))


@operations.add(
    "GET",
    "/breach-notices/{notice_id}/document",
    action=Action.BREACH_VIEW,
    query=FormQuery,
    media_type="text/plain",
    errors=(NotFoundError, ForbiddenError, UnavailableError),
)
async def document(request: web.Request, query: FormQuery) -> web.Response:
    """Take a notice out, as text or PDF."""
    sight = await _seen(request)
    tongue = query.language or language(request)
    name = f"{sight.notice.id}.{'pdf' if query.format == 'pdf' else 'txt'}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Language": tongue,
    }
    if query.format == "text":
        return web.Response(
            text=breach.text(sight.breach, tongue), charset="utf-8", headers=headers
        )
    try:
        page = await asyncio.to_thread(breach.page, sight.breach, tongue)
    except ImportError:
        raise UnavailableError from None  # an extra, absent by choice
    return web.Response(body=page, content_type="application/pdf", headers=headers)


@operations.add(
    "POST",
    "/breach-notices/{notice_id}/sending",
    action=Action.BREACH_SEND,
    answer=NoticeView,
    errors=(*OF_NOTICE, ConfirmationRequiredError),
)
async def send(request: web.Request) -> NoticeView:
    """Send the newest version to its practice."""
    notice_id = request.match_info["notice_id"]
    sent = await context.services(request).breach_notices.send(
        await context.actor(request), notice_id
    )
    return _view(request, sent)


@operations.add(
    "POST",
    "/breach-notices/{notice_id}/acknowledgement",
    action=Action.BREACH_ACKNOWLEDGE,
    answer=NoticeView,
    errors=(NotFoundError, ForbiddenError),
)
async def acknowledge(request: web.Request) -> NoticeView:
    """Confirm, for one's practice, that a notice was read."""
    notice_id = request.match_info["notice_id"]
    read = await context.services(request).breach_notices.acknowledge(
        await context.actor(request), notice_id
    )
    return _view(request, read)


async def _seen(request: web.Request) -> NoticeSight:
    return await context.services(request).breach_notices.view(
        await context.actor(request), request.match_info["notice_id"]
    )


def _view(request: web.Request, sight: NoticeSight) -> NoticeView:
    tongue, said = language(request), sight.breach
    sections = breach.sections(said, tongue)
    names = (name for name in NoticeView.model_fields if hasattr(sight.notice, name))
    return NoticeView.model_validate(
        {
            **{name: getattr(sight.notice, name) for name in names},
            "practice": said.practice,
            "changed": said.changed,
            "head": breach.head(said, tongue),
            "sections": [SectionView(**asdict(each)) for each in sections],
            "cases": said.figures.cases,
        }
    )
