"""What the house says of itself: alive, ready, the API's description, its public keys."""

from __future__ import annotations

import json
from importlib.metadata import version

import structlog
from aiohttp import web
from pydantic import BaseModel
from sqlalchemy import text

from gateway.api import context
from gateway.api.openapi import document
from gateway.api.routing import Operation, Operations
from keys.errors import KeysError, ProviderUnavailableError

operations = Operations()
DESCRIPTION: web.AppKey[str] = web.AppKey("description", str)

log = structlog.get_logger()


class Health(BaseModel):
    """Whether a part works: "ok" or what fails."""

    status: str
    parts: dict[str, str]


class PublicKeys(BaseModel):
    """Verifier keys; compare them with those that were given to you another way."""

    log: str
    certificate: str


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
    parts["keys"] = await _state_of_keys(request)
    ready = set(parts.values()) == {"ok"}
    view = Health(status="ok" if ready else "failing", parts=parts)
    status = 200 if ready else 503
    return web.Response(text=view.model_dump_json(), status=status, content_type="application/json")


async def _state_of_keys(request: web.Request) -> str:
    try:
        await context.services(request).keyring.check()
    except ProviderUnavailableError as error:
        log.error("not_ready", part="keys", error=error.reason)
        return error.reason
    except (KeysError, OSError) as error:
        log.error("not_ready", part="keys", error=type(error).__name__)
        return "failing"
    return "ok"


@operations.add("GET", "/api/v1/openapi.json", action=None)
async def openapi(request: web.Request) -> web.Response:
    """Describe this API as OpenAPI 3.1."""
    return web.Response(text=request.app[DESCRIPTION], content_type="application/json")


@operations.add("GET", "/api/v1/keys", action=None, answer=PublicKeys)
async def public_keys(request: web.Request) -> PublicKeys:
    """Give the public keys by which the log and certificates are checked (C2SP verifier keys)."""
    settings = context.services(request).settings
    return PublicKeys(
        log=settings.log_key_path.read_text().strip(),
        certificate=settings.certificate_key_path.read_text().strip(),
    )


def describe(app: web.Application, entries: list[Operation]) -> None:
    """Make the OpenAPI document of these handlers, once."""
    app[DESCRIPTION] = json.dumps(document(entries, version("kluis")))
