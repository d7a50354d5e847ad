"""A witness over HTTP (c2sp.org/tlog-witness): an application of its own, apart from the gateway.

Submission prefix and monitoring prefix are both the root. Plain HTTP does: what comes in is checked
by its signature, what goes out carries one, and neither is secret.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import structlog
from aiohttp import web

from gateway.errors import InvalidInputError
from gateway.witness import RefusedError, Witnessing
from keys.errors import SignatureError
from storage.errors import LogInconsistentError

BODY_LIMIT = 128 * 1024  # bytes: a proof, and a note with sixteen post-quantum signatures

_log = structlog.get_logger(__name__)


def make_application(witnessing: Witnessing) -> web.Application:
    """Wire the two addresses of a witness."""

    async def add_checkpoint(request: web.Request) -> web.Response:
        """Cosign what extends the last checkpoint."""
        body = await request.read()
        try:
            line = await asyncio.to_thread(witnessing.add_checkpoint, body)
        except RefusedError as refused:
            kind = "text/x.tlog.size" if refused.status == 409 else "text/plain"  # noqa: PLR2004
            _log.warning("refused", status=refused.status, reason=refused.reason)
            return _text(f"{refused.reason}\n", refused.status, kind)
        except (OSError, LogInconsistentError, SignatureError) as error:
            # What it remembers cannot be read or written: then it vouches for nothing.
            _log.error("not_cosigned", error=type(error).__name__)
            return _text("cannot cosign now\n", 503)
        return _text(line)

    async def latest(request: web.Request) -> web.Response:
        """Show what was cosigned last of a log."""
        note = await asyncio.to_thread(witnessing.latest, request.match_info["origin_hash"])
        return _text("unknown log\n", 404) if note is None else _text(note)

    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_post("/add-checkpoint", add_checkpoint)
    app.router.add_get("/{origin_hash:[0-9a-f]{64}}/checkpoint", latest)
    return app


async def serve(
    witnessing: Witnessing, host: str, port: int, listening: Callable[[str], None]
) -> None:
    """Answer until SIGINT or SIGTERM.

    Args:
        witnessing: Its rules.
        host: Address to listen on.
        port: Port; 0: any free one.
        listening: Told the address once requests are answered.

    Raises:
        InvalidInputError: It cannot listen there.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(make_application(witnessing), access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            reason = "cannot listen there; choose another one"
            raise InvalidInputError(field="port", reason=reason) from None
        bound = runner.addresses[0]
        name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        listening(f"http://{name}:{bound[1]}")
        await stop.wait()
    finally:
        await runner.cleanup()


def _text(text: str, status: int = 200, kind: str = "text/plain") -> web.Response:
    return web.Response(text=text, status=status, content_type=kind)
