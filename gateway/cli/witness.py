"""`kluis witness`: for a practice that wants to vouch for what it saw of its processor's log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import options, texts
from gateway.cli.output import Output
from gateway.cli.texts import Words
from gateway.process import configure_log, keep_to_itself
from gateway.witness import open_witness, set_up

app = options.group("witness", "A witness of an access log: cosigns only what extends what it saw.")

SET_UP = Words(
    "The witness is set up in {directory}.\n"
    "Its public key, for the log's operator and for whoever checks the log:\n  {key}",
    "De getuige is ingericht in {directory}.\n"
    "De publieke sleutel, voor de beheerder van het log en voor wie het log controleert:\n  {key}",
)

Directory = Annotated[Path, typer.Option("--dir", help="Directory of the witness.")]
Name = Annotated[
    str, typer.Option(help="Its name, such as practice.example/witness.", show_default=False)
]
Log = Annotated[
    list[str],
    typer.Option(help="Public key of a log it is to know; may be repeated.", show_default=False),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port; 0: any free one.", min=0, max=65535)]

DEFAULT_DIRECTORY = Path("./witness")


async def init(
    name: Name, log: Log, directory: Directory = DEFAULT_DIRECTORY, as_json: options.Json = False
) -> None:
    """Make a witness with a key of its own."""
    key = set_up(directory, name, log)
    shown = SET_UP.say(directory=directory, key=key)
    Output(as_json).answer({"directory": str(directory), "key": key}, shown)


async def serve(
    directory: Directory = DEFAULT_DIRECTORY,
    host: Host = "127.0.0.1",
    port: Port = 8461,
    as_json: options.Json = False,
) -> None:
    """Cosign until SIGINT or SIGTERM."""
    from gateway.api import witness  # noqa: PLC0415 - aiohttp, which `init` need not wait for

    keep_to_itself()
    configure_log()
    out = Output(as_json)

    def listening(address: str) -> None:
        out.answer({"listening": address}, texts.LISTENING.say(address=address))

    with open_witness(directory, lambda: int(time.time())) as witnessing:
        await witness.serve(witnessing, host, port, listening)


options.command(
    app, "init", example="kluis witness init --name practice.example/witness --log VKEY"
)(init)
options.command(app, "serve", example="kluis witness serve --dir ./witness --port 8461")(serve)
