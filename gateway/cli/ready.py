"""`kluis ready`: whether a server can serve now; for health checks and scripts."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import aiohttp
import typer

from gateway.cli import options
from gateway.cli.client import BREAKS, checked_address
from gateway.cli.errors import CommandError, UnreachableError
from gateway.cli.output import Output
from gateway.cli.texts import Words

PATIENCE = aiohttp.ClientTimeout(total=4)  # a health check's own time is 5 seconds

_READY = Words("{server} serves.", "{server} werkt.")


class FailingServerError(CommandError):
    """The server answers, and a part of it fails."""

    code = "not_ready"
    words = Words(
        "{server} cannot serve: {parts}. Its own log says more.",
        "{server} werkt niet: {parts}. Het eigen logboek zegt meer.",
    )


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.command(app, "ready", example="kluis ready --server https://kluis.example.org")(ready)


async def ready(
    server: options.Server = options.DEFAULT_SERVER, as_json: options.Json = False
) -> None:
    """Ask a server whether it can serve. 1: it cannot, or does not answer."""
    address = checked_address(server)
    try:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE) as http,
            http.get(address.joinpath("readyz"), allow_redirects=False) as response,
        ):
            parts = _parts(await response.read())
            status = response.status
    except BREAKS:
        raise UnreachableError(field="server", server=address) from None
    failing = {name: state for name, state in parts.items() if state != "ok"}
    if status != HTTPStatus.OK or failing or not parts:
        told = ", ".join(f"{name} {state}" for name, state in failing.items()) or f"HTTP {status}"
        raise FailingServerError(field="server", server=address, parts=told)
    Output(as_json).answer({"ready": True, "parts": parts}, _READY.say(server=address))


def _parts(body: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(body)["parts"])
    except (ValueError, KeyError, TypeError):
        return {}
