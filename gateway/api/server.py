"""The application: every handler, and what surrounds each request."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.api import cases, files, house, people, uploads
from gateway.api.context import REQUEST_ID, SERVICES, Services
from gateway.api.problems import problems, respond
from gateway.errors import InternalError
from gateway.ids import new_id

OPERATIONS = [
    *house.operations.entries,
    *people.operations.entries,
    *cases.operations.entries,
    *files.operations.entries,
    *uploads.operations.entries,
]
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

log = structlog.get_logger()


def make_application(services: Services) -> web.Application:
    """Wire the handlers to the services."""
    # The body limit is our own, counted while it streams (gateway/api/routing.py, intake/parts.py).
    app = web.Application(middlewares=[around, problems], client_max_size=1)
    app[SERVICES] = services
    for part in (house, people, cases, files, uploads):
        part.operations.register(app)
    house.describe(app, OPERATIONS)
    app.on_response_prepare.append(_add_headers)
    return app


@web.middleware
async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, and let no fault of ours out as a traceback."""
    request[REQUEST_ID] = request_id = new_id()
    try:
        return await handler(request)
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 - the last resort: nothing of it is shown
        # Route and type alone: an address may be a capability, a text may hold values.
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else None
        log.error("fault", request=request_id, route=route, error=type(error).__name__)
        return respond(request, InternalError(request_id=request_id))


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = request.get(REQUEST_ID, "")
    response.headers.popall("Server", None)
