"""A real receiver of webhooks on loopback, by TLS, that behaves as it is told to."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.settings import Settings
from tests.leaks import planted
from tests.mail import self_signed

SECRET = planted("a webhook's secret", "whsec_" + base64.b64encode(bytes(range(32))).decode())
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """What came, and how each is answered."""

    url: str
    authority: Path
    status: int = 204
    location: str = ""
    arrived: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """Take a message, or answer what was chosen."""
        self.arrived.append((dict(request.headers), await request.read()))
        self.came.set()
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=self.status, headers=headers)


@asynccontextmanager
async def receiver(directory: Path) -> AsyncIterator[Receiver]:
    """A receiver that takes what comes."""
    authority, context = self_signed(directory)
    taken = Receiver("", authority)
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", taken.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        taken.url = f"https://localhost:{runner.addresses[0][1]}/hook"
        yield taken
    finally:
        await runner.cleanup()


@asynccontextmanager
async def misbehaving(
    behaviour: Behaviour, context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server that does with each connection whatever `behaviour` does; its address."""
    running: set[asyncio.Event] = set()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = asyncio.Event()
        running.add(ended)
        try:
            await behaviour(reader, writer)
        finally:
            writer.close()
            ended.set()

    server = await asyncio.start_server(behave, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/hook"
        async with asyncio.timeout(60):
            for ended in running:
                await ended.wait()


def hooked(settings: Settings, **chosen: Any) -> Settings:
    """The settings with these."""
    return settings.model_copy(update=chosen)


def hooked_to(settings: Settings, directory: Path, authority: Path, **urls: str) -> Settings:
    """The settings with hooks of these names to receivers on loopback."""
    secret = directory / "webhook-secret"
    secret.write_text(SECRET + "\n")
    return hooked(
        settings,
        webhooks=tuple(f"{name} {url} {secret}" for name, url in urls.items()),
        webhook_networks=("127.0.0.0/8", "::1/128"),
        webhook_ca_file=authority,
    )
