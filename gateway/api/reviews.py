"""Weekly reviews of the log, for privacy officers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.errors import ForbiddenError, NotFoundError, WrongStateError
from gateway.privacy.reasons import REASON_LIMIT
from gateway.watch.review import ITEM_PATTERN, Item, Review, Verdict
from gateway.watch.reviewpage import report
from gateway.watch.seen import Severity

operations = Operations("/api/v1")
OF_WEEK = (NotFoundError, ForbiddenError, WrongStateError)


class NewVerdict(Given):
    """What one thing of the week was, and why one says so."""

    item: str = Field(pattern=f"^{ITEM_PATTERN}$")
    verdict: Verdict
    words: str = Field(max_length=REASON_LIMIT, repr=False)


class SaidView(BaseModel):
    """A verdict, and whose it is."""

    verdict: Verdict
    by: str
    email: str | None
    at: datetime
    words: str


class ItemView(BaseModel):
    """One thing to look at: an alert with its rule, or an access that was drawn.

    `first_index` and `last_index` are its places in the log.
    """

    item: str
    kind: Literal["alert", "access"]
    what: str
    severity: Literal["notice", "warning", "high"] | None
    at: datetime
    account_id: str | None
    case_id: str | None
    first_index: int
    last_index: int
    said: SaidView | None


class WeekView(BaseModel):
    """How far a week's review is; `noise` is alerts in a thousand user-days, by severity."""

    week: str
    begins: datetime
    due: datetime
    state: Literal["complete", "open", "overdue"]
    items: int
    reviewed: int
    user_days: int
    noise: dict[str, float]


class WeekList(BaseModel):
    """The last weeks, newest first."""

    weeks: list[WeekView]


class ReviewView(WeekView):
    """A week's review: its queue, and what of the log it is drawn from.

    `end` is the place behind the week's last event, `size` and `root` those of the first
    checkpoint that covers it.
    """

    first: int
    end: int
    size: int
    root: str
    queue: list[ItemView]


@operations.add(
    "GET", "/reviews", action=Action.REVIEW_LIST, answer=WeekList, errors=(ForbiddenError,)
)
async def list_reviews(request: web.Request) -> WeekList:
    """List the last weeks, and how far each has been reviewed."""
    found = await context.services(request).reviews.list(await context.actor(request))
    return WeekList(weeks=[WeekView.model_validate(_figures(review)) for review in found])


@operations.add(
    "GET", "/reviews/{week}", action=Action.REVIEW_VIEW, answer=ReviewView, errors=OF_WEEK
)
async def view(request: web.Request) -> ReviewView:
    """See what of a week is to be looked at, and what was said of it."""
    reviews, week = context.services(request).reviews, request.match_info["week"]
    return _view(await reviews.view(await context.actor(request), week))


@operations.add(
    "GET",
    "/reviews/{week}/report",
    action=Action.REVIEW_VIEW,
    media_type="text/plain",
    errors=OF_WEEK,
)
async def page(request: web.Request) -> web.Response:
    """Give a week's review as a page for an auditor."""
    reviews, week = context.services(request).reviews, request.match_info["week"]
    found = await reviews.view(await context.actor(request), week)
    return web.Response(text=report(found, language(request)), content_type="text/plain")


@operations.add(
    "POST",
    "/reviews/{week}/verdicts",
    action=Action.REVIEW_JUDGE,
    body=NewVerdict,
    answer=ReviewView,
    status=201,
    errors=OF_WEEK,
)
async def judge(request: web.Request, body: NewVerdict) -> ReviewView:
    """Say what one thing of a week was. It stays, with one's name."""
    reviews, week = context.services(request).reviews, request.match_info["week"]
    actor = await context.actor(request)
    return _view(await reviews.judge(actor, week, body.item, body.verdict, body.words))


def _figures(review: Review) -> dict[str, object]:
    return {
        "week": review.week.name,
        "begins": review.week.begins,
        "due": review.due,
        "state": review.state,
        "items": len(review.items),
        "reviewed": review.reviewed,
        "user_days": review.user_days,
        "noise": {each.name.lower(): round(review.noise(each), 3) for each in Severity},
    }


def _view(review: Review) -> ReviewView:
    size, root = review.checkpoint
    return ReviewView.model_validate(
        {
            **_figures(review),
            "first": review.first,
            "end": review.end,
            "size": size,
            "root": root.hex(),
            "queue": [_item(review, item) for item in review.items],
        }
    )


def _item(review: Review, item: Item) -> dict[str, object]:
    shown: dict[str, object] = {"item": item.id, "account_id": item.account_id, "said": None}
    if item.said is not None:
        said = item.said
        words = {"verdict": said.verdict, "by": said.by, "at": said.at, "words": said.words}
        shown["said"] = {**words, "email": review.reviewers.get(said.by)}
    if item.access is not None:
        seen = item.access
        places = {"first_index": seen.index, "last_index": seen.index}
        about = {"kind": "access", "what": seen.code, "severity": None, "at": seen.at}
        return {**shown, **about, **places, "case_id": seen.case_id}
    if item.alert is None:
        return shown
    alert = item.alert
    return {
        **shown,
        "kind": "alert",
        "what": alert.rule,
        "severity": Severity(alert.severity).name.lower(),
        "at": alert.at,
        "case_id": alert.case_id,
        "first_index": alert.first_index,
        "last_index": alert.last_index,
    }
