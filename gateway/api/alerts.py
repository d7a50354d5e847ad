"""Alerts of the watch, for privacy officers; and a practice's report of misuse."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.cases import OF_CASE
from gateway.api.models import Given
from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.errors import ForbiddenError, NotFoundError, WrongStateError
from gateway.ids import ID_PATTERN
from gateway.privacy.reasons import REASON_LIMIT
from gateway.watch.declared import about
from gateway.watch.seen import Severity
from gateway.watch.triage import AlertSight
from storage.alerts import Alert

operations = Operations("/api/v1")
OF_ALERT = (NotFoundError, ForbiddenError, WrongStateError)
SeverityName = Literal["notice", "warning", "high"]


class AlertQuery(Given):
    """Which alerts to list."""

    state: Literal["open", "dismissed", "any"] = "open"
    severity: SeverityName = "notice"
    before: str | None = Field(None, pattern=f"^{ID_PATTERN}$")
    limit: int = Field(50, ge=1, le=200)


class NewHolder(Given):
    """Which privacy officer looks into it; none: oneself."""

    account_id: str | None = Field(None, pattern=f"^{ID_PATTERN}$")


class WithWords(Given):
    """What somebody says."""

    words: str = Field(max_length=REASON_LIMIT, repr=False)


class WithReason(Given):
    """Why."""

    reason: str = Field(max_length=REASON_LIMIT, repr=False)


class NoteView(BaseModel):
    """What somebody said; of an assignment the words are the account's id."""

    kind: Literal["assignment", "comment", "dismissal"]
    by: str
    at: datetime
    words: str


class ReportView(BaseModel):
    """What a practice reported about a case."""

    id: str
    case_id: str
    by: str
    at: datetime
    words: str


class AlertView(BaseModel):
    """One alert: where in the log it began and ended, how often, and what to do.

    `sees`, `why` and `act` are the rule's own words; `facts` are numbers by name.
    """

    id: str
    rule: str
    severity: SeverityName
    state: Literal["open", "dismissed"]
    at: datetime
    raised_at: datetime
    account_id: str | None
    controller_id: str | None
    case_id: str | None
    address: str | None
    first_index: int
    last_index: int
    count: int
    facts: dict[str, int]
    assigned_to: str | None
    sees: str
    why: str
    act: str


class AlertDetail(AlertView):
    """An alert with what was said about it."""

    notes: list[NoteView]
    reports: list[ReportView]


class AlertList(BaseModel):
    """Alerts, newest first; `next` continues the list as `before`."""

    alerts: list[AlertView]
    next: str | None


@operations.add(
    "GET",
    "/alerts",
    action=Action.ALERT_LIST,
    query=AlertQuery,
    answer=AlertList,
    errors=(ForbiddenError,),
)
async def list_alerts(request: web.Request, query: AlertQuery) -> AlertList:
    """List what the watch found."""
    found = await context.services(request).triage.list(
        await context.actor(request),
        state=None if query.state == "any" else query.state,
        least_severity=Severity[query.severity.upper()],
        before=query.before,
        limit=query.limit,
    )
    following = found[-1].id if len(found) == query.limit else None
    tongue = language(request)
    views = [AlertView.model_validate(_values(alert, tongue)) for alert in found]
    return AlertList(alerts=views, next=following)


@operations.add(
    "GET",
    "/alerts/{alert_id}",
    action=Action.ALERT_VIEW,
    answer=AlertDetail,
    errors=(NotFoundError, ForbiddenError),
)
async def view(request: web.Request) -> AlertDetail:
    """See an alert, what was said about it, and what was reported about its case."""
    triage, alert_id = context.services(request).triage, request.match_info["alert_id"]
    return _detail(await triage.view(await context.actor(request), alert_id), language(request))


@operations.add(
    "POST",
    "/alerts/{alert_id}/assignment",
    action=Action.ALERT_ASSIGN,
    body=NewHolder,
    answer=AlertDetail,
    errors=OF_ALERT,
)
async def assign(request: web.Request, body: NewHolder) -> AlertDetail:
    """Say which privacy officer looks into an alert."""
    triage, alert_id = context.services(request).triage, request.match_info["alert_id"]
    sight = await triage.assign(await context.actor(request), alert_id, body.account_id)
    return _detail(sight, language(request))


@operations.add(
    "POST",
    "/alerts/{alert_id}/comments",
    action=Action.ALERT_COMMENT,
    body=WithWords,
    answer=AlertDetail,
    status=201,
    errors=(NotFoundError, ForbiddenError),
)
async def comment(request: web.Request, body: WithWords) -> AlertDetail:
    """Add a comment to an alert."""
    triage, alert_id = context.services(request).triage, request.match_info["alert_id"]
    sight = await triage.comment(await context.actor(request), alert_id, body.words)
    return _detail(sight, language(request))


@operations.add(
    "POST",
    "/alerts/{alert_id}/dismissal",
    action=Action.ALERT_DISMISS,
    body=WithReason,
    answer=AlertDetail,
    errors=OF_ALERT,
)
async def dismiss(request: web.Request, body: WithReason) -> AlertDetail:
    """Close an alert, with a reason."""
    triage, alert_id = context.services(request).triage, request.match_info["alert_id"]
    sight = await triage.dismiss(await context.actor(request), alert_id, body.reason)
    return _detail(sight, language(request))


@operations.add(
    "POST",
    "/cases/{case_id}/misuse-reports",
    action=Action.MISUSE_REPORT,
    body=WithWords,
    answer=ReportView,
    status=201,
    errors=OF_CASE,
)
async def report(request: web.Request, body: WithWords) -> ReportView:
    """Report that somebody read a case of one's own practice without a reason."""
    made = await context.services(request).triage.report(
        await context.actor(request), request.match_info["case_id"], body.words
    )
    return ReportView.model_validate(made, from_attributes=True)


def _values(alert: Alert, tongue: str) -> dict[str, object]:
    names = (name for name in AlertView.model_fields if hasattr(alert, name))
    declared = about(alert.rule)
    words = declared.nl if tongue == "nl" else declared.en
    return {
        **{name: getattr(alert, name) for name in names},
        "severity": Severity(alert.severity).name.lower(),
        "facts": json.loads(alert.facts),
        "sees": words.sees,
        "why": words.why,
        "act": words.act,
    }


def _detail(sight: AlertSight, tongue: str) -> AlertDetail:
    notes = [NoteView.model_validate(note, from_attributes=True) for note in sight.notes]
    reports = [ReportView.model_validate(each, from_attributes=True) for each in sight.reports]
    return AlertDetail.model_validate(
        {**_values(sight.alert, tongue), "notes": notes, "reports": reports}
    )
