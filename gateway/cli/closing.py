"""`kluis client set` and `kluis client erase`: when erasures wait, and the end of a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import options, texts
from gateway.cli.errors import LocalFileError, UsageError
from gateway.cli.keys import working_along
from gateway.cli.operator import clients, first_line, rooms_of
from gateway.cli.output import Output, opened
from gateway.cli.passphrase import ask_secret

if TYPE_CHECKING:
    from gateway.rooms import Rooms
    from storage.erasures import Erasure

WATCH_SECONDS = 0.2

Client = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
Delay = Annotated[
    int | None,
    typer.Option(
        "--erasure-delay-hours", help="How long they wait; 0: until approved.", show_default=False
    ),
]
From = Annotated[
    int | None,
    typer.Option(
        "--erasure-second-person-from",
        help="So many cases within a day wait for a second person; 0: never.",
        show_default=False,
    ),
]
Reason = Annotated[str, typer.Option(help="Why; it stays in the log.", show_default=False)]
To = Annotated[Path, typer.Option(help="Where the certificates are written.", show_default=False)]
Confirm = Annotated[str | None, typer.Option(metavar="ID", help="The id again.")]
Officer = Annotated[
    str | None,
    typer.Option(
        "--officer", metavar="EMAIL", help="The privacy officer who agrees.", show_default=False
    ),
]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the officer's password from stdin, one line."),
]


def register() -> None:
    """Add the commands to those about clients."""
    example = "kluis client set ID --erasure-second-person-from 5"
    options.command(clients, "set", example=example)(change)
    example = "kluis client erase ID --confirm ID --reason 'end of contract' --to ./certificates"
    options.command(clients, "erase", example=f"{example} --officer officer@lab.example")(erase)


async def change(
    client: Client,
    delay_hours: Delay = None,
    second_from: From = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Set when erasures of many cases wait for a second person, and how long."""
    async with rooms_of(data) as rooms:
        changed = await rooms.accounts.change_controller(
            client, delay_hours=delay_hours, second_from=second_from
        )
    answer = {
        "id": changed.id,
        "erasure_delay_hours": changed.erasure_delay_hours,
        "erasure_second_from": changed.erasure_second_from,
    }
    Output(as_json).answer(answer, texts.CLIENT_CHANGED.say(**answer))


async def erase(
    client: Client,
    reason: Reason,
    to: To,
    confirm: Confirm = None,
    officer: Officer = None,
    password_stdin: PasswordStdin = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Erase everything of a client for good: cases, keys, people. Run again, it goes on."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of
    from gateway.access.second import Credentials  # noqa: PLC0415

    if confirm != client:
        raise UsageError("confirm", texts.CONFIRM_CLIENT)
    given = None
    if officer is not None:
        password = first_line() if password_stdin else ask_secret("password", new=False)
        given = Credentials(officer, password)
    out = Output(as_json)
    async with rooms_of(data) as rooms:
        request_id = await rooms.closing.close(operator(), client, reason, given)
        async with working_along(rooms), _sequencing(rooms):
            ended = await _ended(rooms, request_id)
    _write(to, ended)
    answer = {"client": client, "certificates": len(ended), "directory": str(to)}
    out.answer(answer, texts.CLIENT_ERASED.say(**answer))


async def _ended(rooms: Rooms, request_id: str) -> Sequence[Erasure]:
    while True:
        ended = await rooms.closing.certificates(request_id)
        if ended is not None:
            return ended
        await asyncio.sleep(WATCH_SECONDS)


@asynccontextmanager
async def _sequencing(rooms: Rooms) -> AsyncIterator[None]:
    """Place events in the log as well: a certificate waits for its checkpoint."""
    end = asyncio.Event()
    task = asyncio.create_task(rooms.sequencer.run(end, rooms.access_log.appended))
    try:
        yield
    finally:
        end.set()
        await asyncio.gather(task, return_exceptions=True)


def _write(directory: Path, ended: Sequence[Erasure]) -> None:
    """Write each certificate; what is there from an earlier run stays."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for erasure in ended:
            path = directory / f"{erasure.id}.json"
            if not path.exists():
                with opened(path) as file:
                    file.write((erasure.certificate or "").encode())
    except OSError as error:
        raise LocalFileError(path=directory, reason=error.strerror) from None
