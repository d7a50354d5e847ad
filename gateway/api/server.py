"""The application: every handler, and what surrounds each request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.access.grants import traces
from gateway.access.policy import Action
from gateway.api import (
    account,
    accounts,
    alerts,
    assignments,
    breaches,
    canaries,
    cases,
    confidentiality,
    deliveries,
    emergencies,
    erasures,
    factors,
    files,
    house,
    incidents,
    ownlog,
    passkeys,
    people,
    recoveries,
    restriction,
    reviews,
    service_accounts,
    sessions,
    signon,
    tokens,
    uploads,
)
from gateway.api import log as log_handlers
from gateway.api.connections import HEADERS, Runner, plain_http
from gateway.api.context import BODIES, REQUEST_ID, SERVICES, Bodies, Services
from gateway.api.problems import problems, respond
from gateway.api.routing import Operation, Operations
from gateway.errors import InternalError
from gateway.ids import new_id

PARTS = (
    *(house, log_handlers, people, cases, assignments, files, erasures, uploads, ownlog),
    *(
        account,
        accounts,
        recoveries,
        sessions,
        tokens,
        service_accounts,
        confidentiality,
        emergencies,
        restriction,
        factors,
        passkeys,
        signon,
        alerts,
        reviews,
        canaries,
        deliveries,
        incidents,
        breaches,
    ),
)
OPERATIONS = [entry for part in PARTS for entry in part.operations.entries]
OPEN = frozenset(
    {
        "/healthz",
        "/readyz",
        "/api/v1/openapi.json",
        "/api/v1/keys",
        "/api/v1/sign-on",
        "/api/v1/log/checkpoint",
        "/api/v1/log/tile/entries/{tile}",
        "/api/v1/log/tile/{level}/{tile}",
        "/api/v1/cases/{case_id}/files",  # OPTIONS: which tus is spoken
        "/api/v1/uploads/{capability}",  # OPTIONS, too
    }
)
"""Where an answer may say nothing of anybody, and is no event. All else leaves a trace or fails."""
PAGES: web.AppKey[tuple[Operation, ...]] = web.AppKey("pages", tuple)
"""The pages: the same for whoever asks. What they show of anybody is asked of the API."""

FIRST_REFUSAL = 400

log = structlog.get_logger()


class UntracedError(Exception):
    """A handler that would answer, or could be asked, without an event in the access log."""


def make_runner(services: Services, grace_seconds: float, pages: Operations) -> Runner:
    """The application, ready to be set up and given a socket.

    Args:
        services: What the handlers delegate to.
        grace_seconds: For requests in flight at the end; then they are cancelled, and what they
            brought is made durable.
        pages: The pages of gateway/web, which nothing of the API imports.
    """
    return Runner(make_application(services, pages), grace_seconds)


def make_application(services: Services, pages: Operations | None = None) -> web.Application:
    """Wire the handlers to the services."""
    # The body limit is our own, counted while it streams (gateway/api/routing.py, intake/parts.py).
    app = web.Application(middlewares=[around, problems, plain_http], client_max_size=1)
    app[SERVICES] = services
    app[BODIES] = Bodies()
    app[house.KEY_STATE] = house.KeyState(services.keyring.check)
    for part in PARTS:
        part.operations.register(app)
    house.describe(app, OPERATIONS)
    pages = pages or Operations()
    pages.register(app)
    app[PAGES] = tuple(pages.entries)
    app.on_startup.append(check_declared)
    app.on_response_prepare.extend((_cut_untraced, _add_headers, uploads.name_version))
    return app


@web.middleware
async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, and let no fault of ours out as a traceback."""
    request[REQUEST_ID] = request_id = new_id()
    traces.set([])
    try:
        response = await handler(request)
        _check_traced(request, response)
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: nothing of it is shown
        # Route and type alone: an address may be a capability, a text may hold values.
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else None
        log.error("fault", request=request_id, route=route, error=type(error).__name__)
        return respond(request, InternalError(request_id=request_id))
    return response


async def check_declared(app: web.Application) -> None:
    """Refuse to start with a handler that declares no event.

    Raises:
        UntracedError: Names the handler.
    """
    declared = _declared(app)
    for route in app.router.routes():
        path = route.resource.canonical if route.resource is not None else ""
        if (route.method, path) not in declared:
            raise UntracedError(f"{route.method} {path} is not declared (gateway/api/routing.py)")
        if declared[route.method, path] is None and not _is_open(app, path):
            raise UntracedError(f"{route.method} {path} declares no act, and is not open to all")


def _declared(app: web.Application) -> Mapping[tuple[str, str], Action | None]:
    return {(entry.method, entry.path): entry.action for entry in (*OPERATIONS, *app[PAGES])}


def _is_open(app: web.Application, path: str) -> bool:
    return path in OPEN or any(page.path == path for page in app[PAGES])


def _check_traced(request: web.Request, response: web.StreamResponse) -> None:
    """Let no success out that left no event, whatever its handler forgot.

    Raises:
        UntracedError: Names the handler.
    """
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else ""
    if response.status < FIRST_REFUSAL and path and not traces.get([]):
        declared = _declared(request.app)
        if declared.get((request.method, path)) is not None or not _is_open(request.app, path):
            raise UntracedError(f"{request.method} {path} left no event")


async def _cut_untraced(request: web.Request, response: web.StreamResponse) -> None:
    """The same for what a handler sends itself: there, only the connection is left to end."""
    try:
        _check_traced(request, response)
    except UntracedError:
        if request.transport is not None:
            request.transport.abort()
        raise


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = request.get(REQUEST_ID, "")
    response.headers.popall("Server", None)
