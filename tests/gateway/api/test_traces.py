"""No answer without an event: at the start, for every operation, and whatever a handler forgets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientError, web

from gateway.access.policy import Action
from gateway.api import server
from gateway.api.connections import Runner
from gateway.api.routing import Operations
from gateway.api.server import OPEN, OPERATIONS, UntracedError, make_application
from tests.gateway.ground import SQLITE, refused
from tests.house import API, House, Person

SECRET = b"bytes of a patient"


@asynccontextmanager
async def serving_also(
    house: House, monkeypatch: pytest.MonkeyPatch, handler: Callable[..., Awaitable[object]]
) -> AsyncIterator[Person]:
    """The house with one more handler, which is declared and forgets its event."""
    more = Operations(API)
    more.add("GET", "/forgetful", action=Action.FILE_DOWNLOAD)(handler)
    monkeypatch.setattr(server, "OPERATIONS", [*OPERATIONS, *more.entries])
    app = make_application(house.rooms.services)
    more.register(app)
    runner = Runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        port = runner.addresses[0][1]
        yield Person(house.session, f"http://127.0.0.1:{port}", house.dentist.token)
    finally:
        await runner.cleanup()


@SQLITE
async def test_what_a_handler_forgot_to_log_is_not_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgetful(request: web.Request) -> web.Response:
        """Answer and log nothing."""
        return web.Response(body=SECRET)

    async with serving_also(house, monkeypatch, forgetful) as dentist:
        answer = await dentist.ask("GET", f"{API}/forgetful")

    refused(answer, 500, "internal")
    assert SECRET not in answer.body


@SQLITE
async def test_a_stream_that_was_not_logged_does_not_begin(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgetful(request: web.Request) -> web.StreamResponse:
        """Stream and log nothing."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(SECRET)
        return response

    async with serving_also(house, monkeypatch, forgetful) as dentist:
        with pytest.raises(ClientError):
            await dentist.ask("GET", f"{API}/forgetful")


@SQLITE
async def test_one_requests_event_does_not_cover_the_next_on_the_same_connection(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgetful(request: web.Request) -> web.Response:
        """Answer and log nothing."""
        return web.Response(body=SECRET)

    async with serving_also(house, monkeypatch, forgetful) as dentist:
        await dentist.get(f"{API}/cases")
        refused(await dentist.ask("GET", f"{API}/forgetful"), 500, "internal")


@SQLITE
async def test_a_handler_that_nobody_declared_stops_the_start(house: House) -> None:
    app = make_application(house.rooms.services)

    async def debug(request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_post("/debug", debug)

    with pytest.raises(UntracedError, match="POST /debug"):
        await Runner(app).setup()


@SQLITE
async def test_a_handler_that_declares_no_act_stops_the_start_unless_it_is_open_to_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = Operations(API)

    @more.add("GET", "/open", action=None)
    async def silent(request: web.Request) -> None:
        """Say nothing."""

    monkeypatch.setattr(server, "OPERATIONS", [*OPERATIONS, *more.entries])
    app = make_application(house.rooms.services)
    more.register(app)

    with pytest.raises(UntracedError, match=r"GET /api/v1/open declares no act"):
        await Runner(app).setup()


def test_every_operation_declares_an_act_or_is_one_of_those_that_say_nothing() -> None:
    silent = {entry.path for entry in OPERATIONS if entry.action is None}

    assert silent == OPEN
