"""Cases: create, list, search, view, submit, assign, complete; and their log."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.eventviews import EventList, event_view
from gateway.api.models import (
    CaseList,
    CaseQuery,
    CaseSearch,
    CaseView,
    NewCase,
    case_view,
)
from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.errors import (
    CaseFrozenError,
    CaseRestrictedError,
    ForbiddenError,
    NotFoundError,
    WrongStateError,
)
from gateway.privacy.cases import CaseSight
from gateway.privacy.patients import Patient, Wanted
from storage import accounts
from storage.accesslog.reading import events_of_case

operations = Operations("/api/v1")
OF_CASE = (
    NotFoundError,
    ForbiddenError,
    WrongStateError,
    CaseFrozenError,
    CaseRestrictedError,
)
SEARCH_LIMIT = 200


@operations.add(
    "POST",
    "/cases",
    action=Action.CASE_CREATE,
    body=NewCase,
    answer=CaseView,
    status=201,
    errors=(ForbiddenError,),
)
async def create(request: web.Request, body: NewCase) -> CaseView:
    """Begin a case."""
    patient = Patient(
        body.patient.name.strip(), body.patient.birth_date, body.patient.number.strip()
    )
    sight = await context.services(request).cases.create(
        await context.actor(request), patient, body.notes, body.treatment, body.due
    )
    return case_view(sight, language(request))


@operations.add(
    "GET",
    "/cases",
    action=Action.CASE_LIST,
    query=CaseQuery,
    answer=CaseList,
    errors=(ForbiddenError,),
)
async def list_cases(request: web.Request, query: CaseQuery) -> CaseList:
    """List the cases that one may see, newest first."""
    found = await context.services(request).cases.list(
        await context.actor(request), query.state, query.before, query.limit
    )
    return _case_list(found, query.limit, language(request))


@operations.add(
    "POST",
    "/cases/search",
    action=Action.CASE_SEARCH,
    body=CaseSearch,
    answer=CaseList,
    errors=(ForbiddenError,),
)
async def search(request: web.Request, body: CaseSearch) -> CaseList:
    """Find the cases of a patient of one's own practice."""
    wanted = Wanted(body.patient_name, body.birth_date, body.patient_number)
    found = await context.services(request).cases.search(
        await context.actor(request), wanted, SEARCH_LIMIT
    )
    return _case_list(found, SEARCH_LIMIT + 1, language(request))


@operations.add("GET", "/cases/{case_id}", action=Action.CASE_VIEW, answer=CaseView, errors=OF_CASE)
async def view(request: web.Request) -> CaseView:
    """See one case."""
    sight = await context.services(request).cases.view(
        await context.actor(request), request.match_info["case_id"]
    )
    return case_view(sight, language(request))


@operations.add(
    "POST",
    "/cases/{case_id}/submission",
    action=Action.CASE_SUBMIT,
    answer=CaseView,
    errors=OF_CASE,
)
async def submit(request: web.Request) -> CaseView:
    """Hand a draft in for planning."""
    sight = await context.services(request).cases.submit(
        await context.actor(request), request.match_info["case_id"]
    )
    return case_view(sight, language(request))


@operations.add(
    "POST",
    "/cases/{case_id}/completion",
    action=Action.CASE_COMPLETE,
    answer=CaseView,
    errors=OF_CASE,
)
async def complete(request: web.Request) -> CaseView:
    """Close the planning of a case."""
    sight = await context.services(request).cases.complete(
        await context.actor(request), request.match_info["case_id"]
    )
    return case_view(sight, language(request))


@operations.add(
    "GET", "/cases/{case_id}/events", action=Action.LOG_VIEW, answer=EventList, errors=OF_CASE
)
async def events(request: web.Request) -> EventList:
    """See who did, or was refused, what with a case."""
    services, case_id = context.services(request), request.match_info["case_id"]
    await services.access.authorise(await context.actor(request), Action.LOG_VIEW, case_id)
    async with services.main.reading() as connection:
        found = await events_of_case(connection, case_id)
        people = {event.record["user"]["id"] for event in found}
        emails = await accounts.emails_of(connection, people)
    return EventList(events=[event_view(event, emails, language(request)) for event in found])


def _case_list(found: Sequence[CaseSight], limit: int, tongue: str) -> CaseList:
    following = found[-1].case.id if len(found) == limit else None
    return CaseList(cases=[case_view(sight, tongue) for sight in found], next=following)
