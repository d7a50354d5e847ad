"""`kluis delivery`: what did not leave by mail or webhook, and sending it again."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli import options
from gateway.cli.client import connect
from gateway.cli.output import Output, table
from gateway.cli.texts import Words

app = options.group("delivery", "Messages that did not leave: list them, send them again.")

All = Annotated[bool, typer.Option("--all", help="Those that are still tried, too.")]
DeliveryId = Annotated[
    str,
    typer.Argument(metavar="DELIVERY", callback=options.request_id, show_default=False),
]

_COLUMNS = ("created_at", "kind", "channel", "to", "attempts", "failure", "state", "id")
_RETRIED = Words("{id} is tried again from now on.", "{id} wordt vanaf nu opnieuw geprobeerd.")


async def list_deliveries(
    everything: All = False,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """List the messages that were given up, the newest first."""
    state = "any" if everything else "dead"
    async with connect(server) as client:
        page = await client.get("deliveries", state=state)
        found = page["deliveries"]
        while page["next"] is not None:
            page = await client.get("deliveries", state=state, before=page["next"])
            found += page["deliveries"]
    shown = [
        each | {"to": each["hook"] or each["account_id"] or each["controller_id"] or ""}
        for each in found
    ]
    rows = [[str(each[name] or "") for name in _COLUMNS] for each in shown]
    Output(as_json).answer(found, table(_COLUMNS, rows))


async def retry(
    delivery: DeliveryId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Have a message that was given up tried again."""
    async with connect(server) as client:
        view = await client.post(f"deliveries/{delivery}/retry", {})
    Output(as_json).answer(view, _RETRIED.say(id=delivery))


_ID = "01a203ae-919b-70c9-a651-9d43dc82776f"
options.command(app, "list", example="kluis delivery list")(list_deliveries)
options.command(app, "retry", example=f"kluis delivery retry {_ID}")(retry)
