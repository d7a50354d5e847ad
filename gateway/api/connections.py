"""Connections: how many one address may hold, how long each may be silent, what is no HTTP.

What a connection costs is bounded before a handler hears of it. A silent one, one whose headers do
not end, and one between two requests are closed after `request_seconds`; one whose reader takes
nothing is closed by the kernel. Bodies have limits of their own (`routing`, `uploads`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import Counter
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.api.context import SERVICES
from gateway.api.problems import respond
from gateway.errors import BadRequestError, InternalError

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer."""

LINE_BYTES = 8190  # of the first line, and of one header
HEADER_LINES = 64
UNREAD_MS = 60_000  # that an answer may wait for its reader
HTTP_1_0, HTTP_1_1 = (1, 0), (1, 1)
SERVER_FAULT = 500

log = structlog.get_logger()


class Crowd:
    """How many connections each source holds.

    Args:
        limit: As many as one source may.
        trusted: Addresses of proxies: behind each of them are many people.
    """

    def __init__(self, limit: int, trusted: tuple[str, ...]) -> None:
        self._limit, self._trusted = limit, trusted
        self._held: Counter[str] = Counter()

    def let_in(self, address: str) -> str | None:
        """Count one more connection.

        Returns:
            The source it is counted for; None if that holds too many already.
        """
        source = _source(address)
        if self._held[source] >= self._limit and address not in self._trusted:
            return None
        self._held[source] += 1
        return source

    def let_go(self, source: str) -> None:
        """One that was let in is gone."""
        self._held[source] -= 1
        if not self._held[source]:
            del self._held[source]


def _source(address: str) -> str:
    """An IPv4 address; or the /64 that an IPv6 address is in, for a household has all of it."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(given, ipaddress.IPv4Address):
        return address
    if given.ipv4_mapped is not None:
        return str(given.ipv4_mapped)
    return str(ipaddress.ip_network((int(given), 64), strict=False))


class _Connection(web.RequestHandler):
    """A connection within its limits, whose unreadable requests are refused without a word."""

    __slots__ = ("_crowd", "_source")

    def __init__(self, manager: web.Server, *, crowd: Crowd, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._crowd = crowd
        self._source: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or close it unanswered."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        if peer is None:  # it was reset before it was ours
            self.force_close()
            return
        self._source = self._crowd.let_in(peer[0])
        if self._source is None:
            log.warning("too_many_connections")
            self.force_close()
            return
        connection = transport.get_extra_info("socket")
        with suppress(OSError):  # reset a moment ago: it ends by itself
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another."""
        if self._source is not None:
            self._crowd.let_go(self._source)
            self._source = None
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what was sent
    ) -> web.StreamResponse:
        """Answer in our own form; aiohttp's page and log would quote the sender's bytes."""
        log.warning("unreadable_request", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        refusal = BadRequestError() if status < SERVER_FAULT else InternalError(request_id="-")
        answer = respond(request, refusal)
        answer.headers.update(HEADERS)
        answer.headers["Server"] = ""
        answer.force_close()
        return answer


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs the application with connections of our own kind.

    Args:
        app: The application.
        grace_seconds: For requests in flight at the end.
    """

    def __init__(self, app: web.Application, grace_seconds: float = 1.0) -> None:
        settings = app[SERVICES].settings
        super().__init__(
            app,
            access_log=None,
            auto_decompress=False,  # a small body stays a small body
            crowd=Crowd(settings.connections_per_address, settings.trusted_proxies),
            keepalive_timeout=settings.request_seconds,
            max_field_size=LINE_BYTES,
            max_headers=HEADER_LINES,
            max_line_size=LINE_BYTES,
            shutdown_timeout=grace_seconds,
        )

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        # aiohttp offers no other place to choose what serves a connection.
        server.__class__ = _Server
        return server


@web.middleware
async def plain_http(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what the parser lets through and no client of ours sends.

    That is: another version than 1.0 or 1.1; a body in chunks in 1.0, which RFC 9112 (6.1) has for
    faulty; and an absolute address, which would choose scheme and host over the connection's.
    """
    is_chunked_1_0 = request.version == HTTP_1_0 and hdrs.TRANSFER_ENCODING in request.headers
    if (
        request.version not in {HTTP_1_0, HTTP_1_1}
        or is_chunked_1_0
        or not request.raw_path.startswith("/")
    ):
        answer = respond(request, BadRequestError())
        answer.force_close()
        return answer
    return await handler(request)
