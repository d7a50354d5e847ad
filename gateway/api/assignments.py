"""Who plans a case: assign, end, hand over to a colleague, and the list of all."""

from __future__ import annotations

from datetime import date
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.cases import OF_CASE
from gateway.api.models import AssignmentView, CaseView, Given, assignment_view, case_view
from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.errors import ForbiddenError
from gateway.privacy.assignments import Term

operations = Operations("/api/v1")


class NewAssignment(Given):
    """A planner for a case, from the beginning of a day until the end of one."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, frozen=True, validate_by_alias=True
    )

    email: str = Field(max_length=254)
    start: date | None = Field(None, alias="from")
    until: date | None = None


class HandOver(Given):
    """The colleague who goes on."""

    email: str = Field(max_length=254)


class AssignmentQuery(Given):
    """Which assignments to list."""

    ended: Literal["no", "yes"] = "no"
    before: str | None = Field(None, pattern=r"^[0-9a-f-]{36}$")
    limit: int = Field(50, ge=1, le=200)


class ListedAssignment(AssignmentView):
    """An assignment with its case and who gave it."""

    case_id: str
    assigned_by: str


class AssignmentList(BaseModel):
    """Assignments, newest first; `next` continues the list as `before`."""

    assignments: list[ListedAssignment]
    next: str | None


class PlannerView(BaseModel):
    """Somebody to whom a case can be given, and how many they plan now."""

    id: str
    email: str
    name: str | None
    planned: int


class PlannerList(BaseModel):
    """Planners by e-mail address."""

    planners: list[PlannerView]


@operations.add(
    "POST",
    "/cases/{case_id}/assignments",
    action=Action.CASE_ASSIGN,
    body=NewAssignment,
    answer=CaseView,
    status=201,
    errors=OF_CASE,
)
async def assign(request: web.Request, body: NewAssignment) -> CaseView:
    """Give a planner access to a case."""
    services, actor = context.services(request), await context.actor(request)
    term = Term(body.start, body.until)
    grant = await services.assignments.assign(
        actor, request.match_info["case_id"], body.email, term
    )
    return case_view(await services.cases.sight(grant), language(request))


@operations.add(
    "DELETE",
    "/cases/{case_id}/assignments/{assignment_id}",
    action=Action.CASE_ASSIGN,
    status=204,
    errors=OF_CASE,
)
async def end(request: web.Request) -> None:
    """Take a planner's access to a case away."""
    await context.services(request).assignments.end(
        await context.actor(request),
        request.match_info["case_id"],
        request.match_info["assignment_id"],
    )


@operations.add(
    "POST",
    "/cases/{case_id}/handover",
    action=Action.CASE_HAND_OVER,
    body=HandOver,
    answer=AssignmentView,
    status=201,
    errors=OF_CASE,
)
async def hand_over(request: web.Request, body: HandOver) -> AssignmentView:
    """Hand the planning of a case over to a colleague, and lose access to it."""
    given, colleague = await context.services(request).assignments.hand_over(
        await context.actor(request), request.match_info["case_id"], body.email
    )
    return assignment_view(given, colleague.email)


@operations.add(
    "GET",
    "/assignments",
    action=Action.ASSIGNMENT_LIST,
    query=AssignmentQuery,
    answer=AssignmentList,
    errors=(ForbiddenError,),
)
async def list_assignments(request: web.Request, query: AssignmentQuery) -> AssignmentList:
    """List who plans which case, newest first."""
    found = await context.services(request).assignments.list(
        await context.actor(request),
        ended=query.ended == "yes",
        before=query.before,
        limit=query.limit,
    )
    following = found[-1][0].id if len(found) == query.limit else None
    listed = [
        ListedAssignment(
            **assignment_view(assignment, email).model_dump(),
            case_id=assignment.case_id,
            assigned_by=assignment.assigned_by,
        )
        for assignment, email in found
    ]
    return AssignmentList(assignments=listed, next=following)


@operations.add(
    "GET",
    "/planners",
    action=Action.ASSIGNMENT_LIST,
    answer=PlannerList,
    errors=(ForbiddenError,),
)
async def list_planners(request: web.Request) -> PlannerList:
    """List to whom a case can be given, and how much each has to do."""
    found = await context.services(request).assignments.planners(await context.actor(request))
    return PlannerList(
        planners=[
            PlannerView(id=planner.id, email=planner.email, name=planner.name, planned=planned)
            for planner, planned in found
        ]
    )
