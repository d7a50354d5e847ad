"""Incidents, for privacy officers: opened, scoped, contained, evidenced, registered."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

from aiohttp import web

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.incidentviews import (
    Asked,
    ChangedIncident,
    EvidenceView,
    IncidentDetail,
    IncidentList,
    IncidentQuery,
    JoinedAlert,
    JoiningAlert,
    MeasureView,
    NewIncident,
    NewMeasure,
    NewNote,
    RegisterView,
    ScopeView,
    evidence_view,
    incident_detail,
    incident_view,
    measure_view,
    register_view,
    scope_view,
)
from gateway.api.routing import Operations
from gateway.errors import (
    ConfirmationRequiredError,
    ForbiddenError,
    IntegrityFailedError,
    InvalidInputError,
    NotFoundError,
    RequestTimeoutError,
    TooLargeError,
    WrongStateError,
)
from gateway.incidents import evidence
from gateway.incidents.evidence import Head
from gateway.incidents.incidents import IncidentChange
from gateway.incidents.register import as_csv

operations = Operations("/api/v1")
OF_INCIDENT = (NotFoundError, ForbiddenError, IntegrityFailedError)
NAME_HEADER = "Kluis-Name"


@operations.add(
    "POST",
    "/incidents",
    action=Action.INCIDENT_OPEN,
    body=NewIncident,
    answer=IncidentDetail,
    status=201,
    errors=(ForbiddenError,),
)
async def begin(request: web.Request, body: NewIncident) -> IncidentDetail:
    """Open an incident."""
    sight = await context.services(request).incidents.open(
        await context.actor(request), body.title, body.severity, body.aware_at
    )
    return incident_detail(sight)


@operations.add(
    "GET",
    "/incidents",
    action=Action.INCIDENT_LIST,
    query=IncidentQuery,
    answer=IncidentList,
    errors=(ForbiddenError,),
)
async def list_incidents(request: web.Request, query: IncidentQuery) -> IncidentList:
    """List incidents, the newest first."""
    found = await context.services(request).incidents.list(
        await context.actor(request),
        closed=query.state == "any",
        before=query.before,
        limit=query.limit,
    )
    following = found[-1].incident.id if len(found) == query.limit else None
    return IncidentList(incidents=list(map(incident_view, found)), next=following)


@operations.add(
    "GET",
    "/incidents/register",
    action=Action.INCIDENT_REGISTER,
    answer=RegisterView,
    errors=(ForbiddenError,),
)
async def register(request: web.Request) -> RegisterView:
    """Take the register of all incidents."""
    return register_view(await context.services(request).register.all(await context.actor(request)))


@operations.add(
    "GET",
    "/incidents/register.csv",
    action=Action.INCIDENT_REGISTER,
    media_type="text/csv",
    errors=(ForbiddenError,),
)
async def register_csv(request: web.Request) -> web.Response:
    """Take the register as a table for a spreadsheet."""
    rows = await context.services(request).register.all(await context.actor(request))
    headers = {"Content-Disposition": 'attachment; filename="incidents.csv"'}
    return web.Response(text=as_csv(rows), content_type="text/csv", headers=headers)


@operations.add(
    "GET",
    "/incidents/{incident_id}",
    action=Action.INCIDENT_VIEW,
    answer=IncidentDetail,
    errors=OF_INCIDENT,
)
async def view(request: web.Request) -> IncidentDetail:
    """See an incident: its timeline, scope, measures, evidence and clocks."""
    return incident_detail(
        await context.services(request).incidents.view(await context.actor(request), _id(request))
    )


@operations.add(
    "PATCH",
    "/incidents/{incident_id}",
    action=Action.INCIDENT_CHANGE,
    body=ChangedIncident,
    answer=IncidentDetail,
    errors=(*OF_INCIDENT, WrongStateError),
)
async def change(request: web.Request, body: ChangedIncident) -> IncidentDetail:
    """Say who runs an incident, how bad it is, that it is contained or closed."""
    wanted = IncidentChange(**body.model_dump())
    return incident_detail(
        await context.services(request).incidents.change(
            await context.actor(request), _id(request), wanted
        )
    )


@operations.add(
    "POST",
    "/incidents/{incident_id}/entries",
    action=Action.INCIDENT_NOTE,
    body=NewNote,
    answer=IncidentDetail,
    status=201,
    errors=OF_INCIDENT,
)
async def note(request: web.Request, body: NewNote) -> IncidentDetail:
    """Write into the timeline."""
    return incident_detail(
        await context.services(request).incidents.note(
            await context.actor(request), _id(request), body.words
        )
    )


@operations.add(
    "POST",
    "/incidents/{incident_id}/alerts",
    action=Action.INCIDENT_JOIN,
    body=JoinedAlert,
    answer=IncidentDetail,
    status=201,
    errors=OF_INCIDENT,
)
async def join(request: web.Request, body: JoinedAlert) -> IncidentDetail:
    """Join an alert to an incident."""
    return incident_detail(
        await context.services(request).incidents.join(
            await context.actor(request), _id(request), body.alert_id
        )
    )


@operations.add(
    "POST",
    "/alerts/{alert_id}/incident",
    action=Action.INCIDENT_JOIN,
    body=JoiningAlert,
    answer=IncidentDetail,
    status=201,
    errors=OF_INCIDENT,
)
async def join_from_alert(request: web.Request, body: JoiningAlert) -> IncidentDetail:
    """Join an alert to an incident, coming from the alert."""
    return incident_detail(
        await context.services(request).incidents.join(
            await context.actor(request), body.incident_id, request.match_info["alert_id"]
        )
    )


@operations.add(
    "POST",
    "/incidents/{incident_id}/scope",
    action=Action.INCIDENT_SCOPE,
    body=Asked,
    answer=ScopeView,
    status=201,
    errors=OF_INCIDENT,
)
async def compute(request: web.Request, body: Asked) -> ScopeView:
    """Compute from the log what belongs to an incident."""
    return scope_view(
        await context.services(request).incidents.compute(
            await context.actor(request), _id(request), body.question()
        )
    )


@operations.add(
    "POST",
    "/incidents/{incident_id}/measures",
    action=Action.INCIDENT_MEASURE,
    body=NewMeasure,
    answer=MeasureView,
    status=201,
    errors=(*OF_INCIDENT, ConfirmationRequiredError),
)
async def measure(request: web.Request, body: NewMeasure) -> MeasureView:
    """Contain an incident by one act."""
    return measure_view(
        await context.services(request).measures.take(
            await context.actor(request), _id(request), body.kind, body.subjects
        )
    )


@operations.add(
    "POST",
    "/incidents/{incident_id}/evidence",
    action=Action.EVIDENCE_ADD,
    answer=EvidenceView,
    status=201,
    errors=(*OF_INCIDENT, TooLargeError, RequestTimeoutError),
    headers=(NAME_HEADER,),
)
async def attach(request: web.Request) -> web.Response:
    """Attach evidence: its bytes as the body, its name (percent-encoded) in a header."""
    actor, room = await context.actor(request), context.services(request).evidence
    name = unquote(request.headers.get(NAME_HEADER, ""))
    content = await _content(request)
    kept = await room.add(actor, _id(request), name, content)
    head = Head.of(name.strip(), content)
    return web.json_response(text=evidence_view(kept, head).model_dump_json(), status=201)


@operations.add(
    "GET",
    "/incidents/{incident_id}/evidence/{evidence_id}",
    action=Action.EVIDENCE_TAKE,
    media_type="application/octet-stream",
    errors=OF_INCIDENT,
)
async def take(request: web.Request) -> web.Response:
    """Take evidence out, as bytes under a name of the server's."""
    evidence_id = request.match_info["evidence_id"]
    _, content = await context.services(request).evidence.take(
        await context.actor(request), _id(request), evidence_id
    )
    headers = {"Content-Disposition": f'attachment; filename="evidence-{evidence_id}.bin"'}
    return web.Response(body=content, content_type="application/octet-stream", headers=headers)


def _id(request: web.Request) -> str:
    return request.match_info["incident_id"]


async def _content(request: web.Request) -> bytes:
    """The body, of a bounded size and in bounded time.

    Raises:
        TooLargeError, RequestTimeoutError: It is larger, or slower.
        InvalidInputError: It is not sent as bytes.
    """
    if request.content_type != "application/octet-stream":
        raise InvalidInputError(field="Content-Type", reason="send application/octet-stream")
    raw = bytearray()
    try:
        async with asyncio.timeout(context.services(request).settings.request_seconds):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > evidence.LIMIT:
                    raise TooLargeError(limit=evidence.LIMIT)
    except TimeoutError:
        raise RequestTimeoutError from None
    return bytes(raw)
