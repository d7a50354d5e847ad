"""What the house says of itself: alive, ready, the API's description, its public keys."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from math import inf

import structlog
from aiohttp import web
from pydantic import BaseModel
from sqlalchemy import text

from gateway.api import context
from gateway.api.openapi import document
from gateway.api.routing import Operation, Operations
from keys.errors import KeysError, ProviderUnavailableError

FRESH_SECONDS = 1.0

operations = Operations()
DESCRIPTION: web.AppKey[str] = web.AppKey("description", str)

log = structlog.get_logger()


class KeyState:
    """What the key provider says: asked once a second at the most, however many ask here."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        """Ask by `check`, see KeyProvider."""
        self._check = check
        self._answer: asyncio.Task[str] | None = None
        self._answered = -inf

    async def look(self) -> str:
        """Say "ok", or what fails."""
        stale = time.monotonic() - self._answered > FRESH_SECONDS
        if self._answer is None or (self._answer.done() and stale):
            self._answer = asyncio.create_task(self._ask())
        # Who goes away does not take the answer from the others.
        return await asyncio.shield(self._answer)

    async def _ask(self) -> str:
        state = "ok"
        try:
            await self._check()
        except ProviderUnavailableError as error:
            state = error.reason
            log.error("not_ready", part="keys", error=state)
        except (KeysError, OSError) as error:
            state = "failing"
            log.error("not_ready", part="keys", error=type(error).__name__)
        self._answered = time.monotonic()
        return state


KEY_STATE: web.AppKey[KeyState] = web.AppKey("key_state", KeyState)


class Health(BaseModel):
    """Whether a part works: "ok" or what fails."""

    status: str
    parts: dict[str, str]


class PublicKeys(BaseModel):
    """Verifier keys; compare them with those that were given to you another way.

    `earlier` were replaced: what they signed until then is as true as it was.
    """

    log: str
    certificate: str
    earlier: list[str]


@operations.add("GET", "/healthz", action=None, answer=Health)
async def healthz(request: web.Request) -> Health:  # noqa: ARG001
    """Say that the process is alive."""
    return Health(status="ok", parts={})


@operations.add("GET", "/readyz", action=None, answer=Health)
async def readyz(request: web.Request) -> web.Response:
    """Say whether it can serve, and which part fails."""
    parts = {}
    for name, database in context.services(request).databases.items():
        try:
            async with database.reading() as connection:
                await connection.execute(text("SELECT 1"))
            parts[name] = "ok"
        except Exception as error:  # noqa: BLE001 - whatever it is, this part fails
            log.error("not_ready", part=name, error=type(error).__name__)
            parts[name] = "failing"
    parts["keys"] = await request.app[KEY_STATE].look()
    ready = set(parts.values()) == {"ok"}
    view = Health(status="ok" if ready else "failing", parts=parts)
    status = 200 if ready else 503
    return web.Response(text=view.model_dump_json(), status=status, content_type="application/json")


@operations.add("GET", "/api/v1/openapi.json", action=None)
async def openapi(request: web.Request) -> web.Response:
    """Describe this API as OpenAPI 3.1."""
    return web.Response(text=request.app[DESCRIPTION], content_type="application/json")


@operations.add("GET", "/api/v1/keys", action=None, answer=PublicKeys)
async def public_keys(request: web.Request) -> PublicKeys:
    """Give the public keys by which the log and certificates are checked (C2SP verifier keys)."""
    settings = context.services(request).settings
    log_key, *before = settings.log_key_path.read_text().split()
    certificate, *older = settings.certificate_key_path.read_text().split()
    return PublicKeys(log=log_key, certificate=certificate, earlier=[*before, *older])


def describe(app: web.Application, entries: list[Operation]) -> None:
    """Make the OpenAPI document of these handlers, once."""
    app[DESCRIPTION] = json.dumps(document(entries, version("kluis")))
