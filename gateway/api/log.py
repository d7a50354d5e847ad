"""The log for everybody: checkpoint, tiles and entries (C2SP tlog-tiles); a proof for its owner."""

from __future__ import annotations

from aiohttp import web

from gateway.access.grants import Target
from gateway.access.policy import Action
from gateway.api import context
from gateway.api.routing import Operations
from gateway.audit.tiles import Tile
from gateway.errors import ForbiddenError, NotFoundError
from gateway.ids import now
from storage.accesslog import publishing

operations = Operations("/api/v1/log")

# A tile of this width holds these hashes for ever, the partial ones too.
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
BYTES = "application/octet-stream"


@operations.add("GET", "/checkpoint", action=None, media_type="text/plain", errors=(NotFoundError,))
async def checkpoint(request: web.Request) -> web.Response:
    """Give the log's signed checkpoint, cosigned by its witnesses (C2SP tlog-checkpoint)."""
    services = context.services(request)
    async with services.main.reading() as connection:
        shown = await publishing.published(connection, services.settings.witness_keys, now())
    if shown is None:
        raise NotFoundError
    return web.Response(text=shown.text, content_type="text/plain")


# Before the tiles of hashes: their level is a number.
@operations.add(
    "GET", "/tile/entries/{tile}", action=None, media_type=BYTES, errors=(NotFoundError,)
)
async def entries(request: web.Request) -> web.Response:
    """Give up to 256 entries, each a commitment of 32 bytes behind its length."""
    wanted = _tile(request, "0")
    async with context.services(request).main.reading() as connection:
        return _immutable(await publishing.entries(connection, wanted.number, wanted.width))


@operations.add(
    "GET", "/tile/{level}/{tile}", action=None, media_type=BYTES, errors=(NotFoundError,)
)
async def tile(request: web.Request) -> web.Response:
    """Give up to 256 hashes of the Merkle tree."""
    wanted = _tile(request, request.match_info["level"])
    async with context.services(request).main.reading() as connection:
        hashes = await publishing.tile(connection, wanted.level, wanted.number, wanted.width)
    return _immutable(hashes)


@operations.add(
    "GET",
    "/proof/{index}",
    action=Action.LOG_VIEW,
    media_type="text/plain",
    errors=(NotFoundError, ForbiddenError),
)
async def proof(request: web.Request) -> web.Response:
    """Prove that an event of one's own is in the log (C2SP tlog-proof, with record and salt)."""
    services, index = context.services(request), int(request.match_info["index"])
    who = await context.actor(request)
    grant = await services.access.authorise(
        who, Action.LOG_VIEW, target=Target("log_entry", str(index))
    )
    async with services.main.reading() as connection:
        found = await publishing.prove(connection, index, services.settings.witness_keys, now())
    # Somebody of no controller is an officer: the policy lets nobody else come here.
    if found is None or who.controller_id not in {None, found.controller_id}:
        await services.access.outcome(grant, refusal=NotFoundError.code)
        raise NotFoundError
    return web.Response(text=found.proof.text(), content_type="text/plain")


def _tile(request: web.Request, level: str) -> Tile:
    try:
        return Tile.parse(f"{level}/{request.match_info['tile']}")
    except ValueError:  # two ways to write one address would be two copies in a cache
        raise NotFoundError from None


def _immutable(body: bytes | None) -> web.Response:
    if body is None:
        raise NotFoundError
    return web.Response(body=body, content_type=BYTES, headers=IMMUTABLE)
