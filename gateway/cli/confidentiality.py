"""`kluis confidentiality`: read one's duty of confidentiality, and confirm it for a year."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli import options
from gateway.cli.client import Client, JsonObject, connect
from gateway.cli.output import Output
from gateway.cli.texts import Words

Confirm = Annotated[bool, typer.Option("--confirm", help="Confirm what the text says.")]

_CONFIRMED = Words("Confirmed; it counts until {until}.", "Bevestigd; dit telt tot {until}.")
_OPEN = Words(
    "Not confirmed as it reads now: you see no cases. Add --confirm if you agree.",
    "Niet bevestigd zoals het nu luidt: u ziet geen casussen. Zet er --confirm bij als u akkoord"
    " bent.",
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    example = "kluis confidentiality --confirm"
    options.command(app, "confidentiality", example=example)(confidentiality)


async def confidentiality(
    confirm: Confirm = False,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Read your duty of confidentiality; without it nobody of the house sees a case."""
    async with connect(server) as client:
        view = await (promise(client) if confirm else client.get("account/confidentiality"))
    told = (_CONFIRMED if view["until"] else _OPEN).say(until=view["until"])
    Output(as_json).answer(view, f"{view['text']}\n\n{told}")


async def promise(client: Client) -> JsonObject:
    """Confirm the text as it reads now."""
    read = await client.get("account/confidentiality")
    return await client.post("account/confidentiality", {"version": read["version"]})
