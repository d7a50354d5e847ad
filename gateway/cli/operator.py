"""What the operator runs beside the data directory: set-up, serving, clients, users, tokens."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from gateway.cli import options, texts
from gateway.cli.errors import UsageError
from gateway.cli.output import Output, table
from gateway.cli.passphrase import ask_secret, passphrase
from gateway.cli.words import show_words
from gateway.settings import Settings, load

if TYPE_CHECKING:
    from gateway.rooms import Rooms

DEFAULT_OFFICER = "privacy-officer@localhost"

clients = options.group("client", "Clients: the practices whose patients' scans come in.")
users = options.group("user", "Users: the people who may sign in.")
tokens = options.group("token", "Tokens: for people and programs that use the command or API.")

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Email = Annotated[str, typer.Argument(metavar="EMAIL", show_default=False)]
ClientEmail = Annotated[
    str, typer.Option("--email", help="Where notices to the practice go.", show_default=False)
]
Role = Annotated[
    str,
    typer.Option(
        help="dentist, coordinator, planner, privacy_officer or administrator.",
        show_default=False,
    ),
]
ClientId = Annotated[
    str | None, typer.Option("--client", help="Practice of a dentist.", show_default=False)
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
]
Invite = Annotated[
    bool, typer.Option("--invite", help="Mail them a link by which they choose a password.")
]
Officer = Annotated[
    str | None,
    typer.Option(help=f"First privacy officer; else {DEFAULT_OFFICER}.", show_default=False),
]
TokenName = Annotated[str, typer.Option("--name", help="What it is for.")]
Acts = Annotated[
    list[str] | None,
    typer.Option("--act", help="For this act alone, such as case.list.", show_default=False),
]
Cases = Annotated[
    list[str] | None, typer.Option("--case", help="For this case alone.", show_default=False)
]
Networks = Annotated[
    list[str] | None,
    typer.Option("--network", help="From this network alone.", show_default=False),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default=False)]
Port = Annotated[int | None, typer.Option(help="Port; 0: any free one.", show_default=False)]
Workers = Annotated[int | None, typer.Option(help="Serving processes.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the operator's commands to the application."""
    options.command(app, "init", example="kluis init --data ./data")(init)
    app.command("serve", epilog=options.epilog("kluis serve --data ./data --port 8460"))(serve)
    for sub in (clients, users, tokens):
        app.add_typer(sub)
    options.command(app, "settings", example="kluis settings --data ./data")(settings)
    options.command(app, "sweep", example="kluis sweep --data ./data")(sweep)


@asynccontextmanager
async def rooms_of(data: Path | None) -> AsyncIterator[Rooms]:
    """The rooms of a data directory, unlocked."""
    # The rooms bring SQLAlchemy along: half a second that a person's command need not wait.
    from gateway.app import open_rooms  # noqa: PLC0415

    chosen = load(data=data)
    async with open_rooms(chosen, passphrase(chosen)) as rooms:
        yield rooms


async def init(
    data: options.Data = None, officer: Officer = None, as_json: options.Json = False
) -> None:
    """Set up a data directory: keys, databases, first privacy officer; shows the recovery key."""
    from gateway.app import initialise  # noqa: PLC0415 - see rooms_of

    chosen = load(data=data)
    if officer is None and sys.stdin.isatty() and not as_json:
        officer = typer.prompt(texts.OFFICER.say(), default=DEFAULT_OFFICER, err=True)
    officer = officer or DEFAULT_OFFICER
    made = await initialise(chosen, passphrase(chosen, new=True), officer)
    out = Output(as_json)
    show_words(out, made.recovery.words)
    out.answer(
        {
            "data": str(chosen.data),
            "log_public_key": made.log_key,
            "recovery_words": made.recovery.words,
        },
        texts.SET_UP.say(data=chosen.data, key=made.log_key, officer=officer),
    )


def serve(
    data: options.Data = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    as_json: options.Json = False,
) -> None:
    """Serve until SIGINT or SIGTERM; what is in flight is finished or durably parked."""
    from gateway.serve import run_server  # noqa: PLC0415 - see rooms_of

    out = Output(as_json)

    def listening(address: str) -> None:
        out.answer({"listening": address}, texts.LISTENING.say(address=address))

    chosen = load(data=data, host=host, port=port, workers=workers)
    run_server(chosen, passphrase(chosen), listening)


async def client_add(
    name: Name, email: ClientEmail, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Add a practice, with keys of its own."""
    async with rooms_of(data) as rooms:
        client = await rooms.accounts.add_controller(name=name, email=email)
    Output(as_json).answer({"id": client.id}, texts.CLIENT_ADDED.say(id=client.id))


async def client_list(data: options.Data = None, as_json: options.Json = False) -> None:
    """List the practices by name."""
    async with rooms_of(data) as rooms:
        found = await rooms.accounts.list_controllers()
    rows: list[dict[str, object]] = [
        {
            "id": client.id,
            "name": client.name,
            "email": client.email,
            "created_at": client.created_at.isoformat(),
            "closed_at": client.closed_at and client.closed_at.isoformat(),
            "erasure_second_from": client.erasure_second_from,
            "erasure_delay_hours": client.erasure_delay_hours,
        }
        for client in found
    ]
    limits = ("erasure_second_from", "erasure_delay_hours")
    columns = ("id", "name", "email", "created_at", "closed_at", *limits)
    _answer_rows(Output(as_json), columns, rows)


async def user_add(
    email: Email,
    role: Role,
    client: ClientId = None,
    password_stdin: PasswordStdin = False,
    invite: Invite = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Add a person. Without a password or an invitation only tokens sign them in."""
    if invite:
        if password_stdin:
            raise UsageError("invite", texts.ONE_OF_TWO)
        await _invite(email, role, client, data, Output(as_json))
        return
    password = first_line() if password_stdin else None
    async with rooms_of(data) as rooms:
        account = await rooms.accounts.add_account(
            email=email, role=role, controller_id=client, password=password
        )
    Output(as_json).answer({"id": account.id}, texts.USER_ADDED.say(id=account.id))


async def _invite(
    email: str, role: str, client: str | None, data: Path | None, out: Output
) -> None:
    from gateway.access.actors import operator  # noqa: PLC0415 - see rooms_of
    from gateway.access.people import NewPerson  # noqa: PLC0415 - see rooms_of

    person = NewPerson(email=email, role=role, controller_id=client)
    async with rooms_of(data) as rooms:
        invited = await rooms.services.people.add(operator(), person)
    said = texts.USER_INVITED if invited.mailed else texts.NOT_INVITED
    account_id = invited.account.id
    out.answer({"id": account_id, "mailed": invited.mailed}, said.say(id=account_id))


async def user_list(data: options.Data = None, as_json: options.Json = False) -> None:
    """List the people by e-mail address."""
    async with rooms_of(data) as rooms:
        found = await rooms.accounts.list_accounts()
    columns = ("id", "email", "role", "client", "created_at", "disabled_at")
    rows: list[dict[str, object]] = [
        {
            "id": account.id,
            "email": account.email,
            "role": account.role,
            "client": account.controller_id,
            "created_at": account.created_at.isoformat(),
            "disabled_at": account.disabled_at and account.disabled_at.isoformat(),
        }
        for account in found
    ]
    _answer_rows(Output(as_json), columns, rows)


async def user_password(
    email: Email,
    password_stdin: PasswordStdin = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Give a person a new password, from stdin or asked for on a terminal."""
    password = first_line() if password_stdin else ask_secret("password", new=True)
    async with rooms_of(data) as rooms:
        await rooms.accounts.set_password(email=email, password=password)
    Output(as_json).answer({"email": email}, texts.PASSWORD_SET.say(email=email))


async def user_disable(
    email: Email, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Shut a person out, at once: their sessions, tokens and uploads end."""
    async with rooms_of(data) as rooms:
        await rooms.accounts.disable(email=email)
    Output(as_json).answer({"email": email}, texts.USER_DISABLED.say(email=email))


async def user_unlink(
    email: Email, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Forget who a sign-on provider says a person is; their sessions by sign-on end."""
    async with rooms_of(data) as rooms:
        unlinked = await rooms.accounts.unlink(email=email)
    shown = texts.USER_UNLINKED.say(count=unlinked, email=email)
    Output(as_json).answer({"unlinked": unlinked}, shown)


async def token_create(
    email: Email,
    until: options.Day = None,
    name: TokenName = "kluis token create",
    act: Acts = None,
    case: Cases = None,
    network: Networks = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Make a token of a person, for good or until the end of a day. It is shown this once."""
    from gateway.access.scope import Limits  # noqa: PLC0415 - see rooms_of

    # The day ends where the operator is.
    ends = None if until is None else (until + timedelta(days=1)).astimezone()
    limits = Limits(act, case, network)
    async with rooms_of(data) as rooms:
        token = await rooms.accounts.create_token(
            email=email, name=name, limits=limits, expires_at=ends
        )
    Output(as_json).answer({"token": token}, texts.TOKEN_CREATED.say(token=token, email=email))


async def token_revoke(
    email: Email, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Revoke every token of a person, at once."""
    async with rooms_of(data) as rooms:
        revoked = await rooms.accounts.revoke_tokens(email=email)
    shown = texts.TOKENS_REVOKED.say(count=revoked, email=email)
    Output(as_json).answer({"revoked": revoked}, shown)


options.command(
    clients, "add", example='kluis client add "Practice Zuid" --email info@practice.example'
)(client_add)
options.command(clients, "list", example="kluis client list --json")(client_list)
options.command(
    users, "add", example="kluis user add dentist@practice.example --role dentist --client ID"
)(user_add)
options.command(users, "list", example="kluis user list --json")(user_list)
options.command(users, "password", example="kluis user password dentist@practice.example")(
    user_password
)
options.command(users, "disable", example="kluis user disable dentist@practice.example")(
    user_disable
)
options.command(users, "unlink", example="kluis user unlink planner@lab.example")(user_unlink)
options.command(tokens, "revoke", example="kluis token revoke dentist@practice.example")(
    token_revoke
)
options.command(
    tokens, "create", example="kluis token create dentist@practice.example --until 2026-12-31"
)(token_create)


async def sweep(data: options.Data = None, as_json: options.Json = False) -> None:
    """Remove what no row names any more: expired uploads, orphans of a crash."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see rooms_of

    async with rooms_of(data) as rooms:
        swept = asdict(await rooms.sweeper.sweep(operator()))
    Output(as_json).answer(swept, texts.SWEPT.say(**swept))


async def settings(data: options.Data = None, as_json: options.Json = False) -> None:
    """Show every setting: its value, where it comes from, what it means."""
    columns = ("name", "value", "source", "meaning")
    given = {} if data is None else {"data": data}
    _answer_rows(Output(as_json), columns, explained(load(**given), given))


def explained(chosen: Settings, given: Mapping[str, object]) -> list[dict[str, object]]:
    """Each setting with its value (a secret's is hidden), source and meaning.

    Args:
        chosen: The settings in force.
        given: What the command line set.
    """
    file = chosen.data / "kluis.toml"
    in_file = tomllib.loads(file.read_text()) if file.exists() else {}
    in_environment = {name.upper() for name in os.environ}
    rows: list[dict[str, object]] = []
    for name, field in Settings.model_fields.items():
        if name in given:
            source = "command line"
        elif f"KLUIS_{name.upper()}" in in_environment:
            source = "environment"
        else:
            source = "kluis.toml" if name in in_file else "default"
        # An address of a database may hold its password.
        value = _hidden(getattr(chosen, name), secret=not field.repr)
        meaning = field.description or ""
        rows.append({"name": name, "value": value, "source": source, "meaning": meaning})
    return rows


def _hidden(value: Any, *, secret: bool) -> object:
    if isinstance(value, SecretStr) or (secret and value):
        return "(hidden)"
    if isinstance(value, Path):
        return str(value)
    return list(map(str, value)) if isinstance(value, tuple) else value


def _answer_rows(out: Output, columns: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    out.answer(rows, table(columns, [[row[column] for column in columns] for row in rows]))


def first_line() -> str:
    """The next line of stdin. Raises UsageError where there is none."""
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError("password", texts.NO_PASSWORD)
    return line
