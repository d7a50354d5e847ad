"""A server that lies: a proxy before the house that alters what it passes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web

Lie = Callable[[str, bytes], bytes | None]


@dataclass
class Proxy:
    """Between the client and the house; `lie` may alter an answer, or keep it back (None)."""

    house: str
    lie: Lie | None = None
    url: str = ""
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Proxy]:
        app = web.Application(client_max_size=2**28)
        app.router.add_route("*", "/{path:.*}", self._pass)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _pass(self, request: web.Request) -> web.Response:
        path = str(request.rel_url)
        self.asked.append(f"{request.method} {path}")
        kept = {"Host", "Content-Length", "Transfer-Encoding"}
        headers = {name: value for name, value in request.headers.items() if name not in kept}
        body = await request.read()
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, self.house + path, headers=headers, data=body or None
            ) as answer,
        ):
            content: bytes | None = await answer.read()
            status, kind = answer.status, answer.content_type
            passed = {
                name: value
                for name, value in answer.headers.items()
                if name.startswith(("Kluis-", "Upload-", "Tus-", "Location", "ETag"))
            }
        if self.lie is not None and content is not None:
            content = self.lie(path, content)
        if content is None:
            return web.Response(status=404)
        return web.Response(status=status, body=content, content_type=kind, headers=passed)


def on_events(change_events: Callable[[list[dict[str, Any]]], object]) -> Lie:
    """A lie about every page of events."""

    def lie(path: str, content: bytes) -> bytes:
        if "/log/events" not in path:
            return content
        page = json.loads(content)
        change_events(page["events"])
        return json.dumps(page).encode()

    return lie
