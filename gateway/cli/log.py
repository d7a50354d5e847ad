"""`kluis log`: who did what (for people), and whether the log is whole (for the operator)."""

from __future__ import annotations

import base64

import typer

from gateway.cli import options, texts
from gateway.cli.client import JsonObject, connect
from gateway.cli.errors import FAILED
from gateway.cli.operator import rooms_of
from gateway.cli.output import Output, table
from gateway.settings import Settings, load
from keys.errors import KeyringMissingError
from keys.signing import Verifiers

app = options.group("log", "The access log: show who did what, verify that it is whole.")


async def show(
    case: options.Case,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Show who did what with a case, refusals too."""
    async with connect(server) as client:
        events = (await client.get(f"cases/{case}/events"))["events"]
    columns = ("time", "who", "what", "stage", "ground")
    Output(as_json).answer(events, table(columns, [_row(event) for event in events]))


async def verify(data: options.Data = None, as_json: options.Json = False) -> None:
    """Recompute the whole log and check every signature; needs no passphrase."""
    # The database brings SQLAlchemy along: half a second that `log show` need not wait.
    from storage.accesslog.checkpoint import Head  # noqa: PLC0415
    from storage.accesslog.verify import verify as recompute  # noqa: PLC0415
    from storage.database import Database  # noqa: PLC0415

    settings = load(data=data)
    # Before the database: opening one that is not there would make an empty one.
    open_note = Verifiers.parse(_public_key(settings)).open_note
    main = Database(settings.main_database, "main")
    try:
        found = await recompute(main, open_note, Head.read(settings.log_head_path))
    finally:
        await main.close()
    root = base64.b64encode(found.root).decode()
    answer = {"size": found.size, "root": root, "ok": found.ok, "pending": found.pending}
    if found.ok:
        shown = texts.LOG_WHOLE.say(size=found.size, root=root, pending=found.pending)
        Output(as_json).answer(answer, shown)
        return
    wrong = {"problem": found.problem, "wrong_index": found.wrong_index}
    shown = texts.LOG_BROKEN.say(index=found.wrong_index, problem=found.problem)
    Output(as_json).answer(answer | wrong, shown)
    raise typer.Exit(FAILED)


async def prune(data: options.Data = None, as_json: options.Json = False) -> None:
    """Delete records older than `log_years` for good; every proof stays valid."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of

    async with rooms_of(data) as rooms:
        pruned = await rooms.retention.prune(operator())
    Output(as_json).answer({"pruned": pruned}, texts.LOG_PRUNED.say(pruned=pruned))


options.command(app, "show", example="kluis log show CASE")(show)
options.command(app, "verify", example="kluis log verify --data ./data")(verify)
options.command(app, "prune", example="kluis log prune --data ./data")(prune)


def _public_key(settings: Settings) -> str:
    try:
        return settings.log_key_path.read_text("utf-8").strip()
    except FileNotFoundError:
        raise KeyringMissingError(settings.log_key_path) from None


def _row(event: JsonObject) -> list[object]:
    actor = event["actor"]
    who = f"{actor.get('email') or actor['id']} ({actor['role']})"
    return [event["at"], who, event["event"], event["stage"], event["ground"]]
