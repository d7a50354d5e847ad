"""`kluis erase`: erase cases, or one file, for good and get the certificates; and what waits."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli import options, texts
from gateway.cli.client import Client, JsonObject, Patience, connect
from gateway.cli.errors import RefusedError, UnfinishedError, UsageError
from gateway.cli.output import Output, table
from gateway.cli.receipts import Receipts
from gateway.cli.texts import Words

# An erasure waits for every living key of the practice and for the next checkpoint.
ERASURE = Patience(first=0.2, longest=5.0, total=1800.0)
# Refusals of a second request; the first one is being carried out, or was.
UNDER_WAY = {"wrong_state", "case_frozen"}
ENDS = {"done", "waiting", "withdrawn"}
_CONFIRM = Words(
    "This cannot be undone: give --confirm with the id of the case, the same as CASE, or that of"
    " the file.",
    "Dit kan niet ongedaan worden gemaakt: geef --confirm met het nummer van de casus, of dat van"
    " het bestand.",
)
_CONFIRM_MANY = Words(
    "This cannot be undone: give --confirm with how many cases they are.",
    "Dit kan niet ongedaan worden gemaakt: geef --confirm met het aantal casussen.",
)
_ONE_CASE = Words("A file is of one case: give that one.", "Een bestand is van één casus.")

app = options.group("erasure", "Erasures that wait for a second person, or are under way.")

Cases = Annotated[
    list[str],
    typer.Argument(
        metavar="CASE...", help="Ids of cases.", show_default=False, callback=options.case_ids
    ),
]
File = Annotated[
    str | None,
    typer.Option("--file", metavar="FILE", help="Only this file of the case.", show_default=False),
]
Reason = Annotated[str, typer.Option(help="Why; it stays in the log.", show_default=False)]
Confirm = Annotated[
    str | None,
    typer.Option(
        metavar="ID|NUMBER",
        help="The id again, or how many cases; else it is asked for.",
        show_default=False,
    ),
]
RequestId = Annotated[
    str, typer.Argument(metavar="REQUEST", show_default=False, callback=options.request_id)
]


def register(parent: typer.Typer) -> None:
    """Add the commands to the application."""
    example = 'kluis erase CASE --reason "request of the patient"'
    options.command(parent, "erase", example=example)(erase)
    parent.add_typer(app)


async def erase(
    cases: Cases,
    reason: Reason,
    file: File = None,
    confirm: Confirm = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Erase cases, or one file, for good; print each certificate. Run again, it goes on waiting."""
    out = Output(as_json)
    if file is not None and len(cases) > 1:
        raise UsageError("file", _ONE_CASE)
    expected = file or (cases[0] if len(cases) == 1 else str(len(set(cases))))
    if confirm is None and sys.stdin.isatty():
        confirm = typer.prompt(texts.TYPE_CASE.say(), err=True)
    if confirm != expected:
        raise UsageError("confirm", _CONFIRM if len(cases) == 1 else _CONFIRM_MANY)
    async with connect(server) as client:
        if len(cases) > 1:
            body = {"cases": cases, "reason": reason, "confirm": int(expected)}
            asked = await client.post("erasures", body)
            # Some may be under way since earlier: the newest request has the rest.
            path = f"erasures/{max(each['request_id'] for each in asked['erasures'])}"
        else:
            path = f"cases/{cases[0]}/" + ("erasure" if file is None else f"files/{file}/erasure")
            await _ask(client, path, {"reason": reason, "confirm": expected})
        await _follow(client, path, out)


async def _ask(client: Client, path: str, body: JsonObject) -> None:
    try:
        await client.post(path, body)
    except RefusedError as error:
        if error.problem not in UNDER_WAY:
            raise


async def _follow(client: Client, path: str, out: Output) -> None:
    """Say how far it is until there is a certificate of each, or somebody else has the word."""
    said, found = "", list[JsonObject]()
    state = "open" if path.startswith("erasures/") else "step"
    async for view in client.wait(path, done=_is_over, patience=ERASURE, state=state):
        found = _erasures(view)
        steps = ", ".join(dict.fromkeys(erasure["step"] for erasure in found))
        if steps != said:
            said = steps
            out.say(texts.ERASING.say(step=said))
        if _is_over(view):
            break
    else:
        raise UnfinishedError(state=said)
    if any(erasure["step"] == "waiting" for erasure in found):
        _tell_waiting(found, out)
        return
    certificates = [erasure["certificate"] for erasure in found]
    for erasure in found:
        event = _event(erasure["certificate"])
        Receipts().keep(client.server, event, "erasure", case=erasure.get("case_id"))
    out.say(texts.ERASED.say())
    answer = certificates[0] if state == "step" else certificates
    out.answer(answer, _legible(answer))


def _tell_waiting(found: Sequence[JsonObject], out: Output) -> None:
    until, request = found[0]["waits_until"], found[0]["request_id"]
    words = texts.ERASURE_WAITS if until else texts.ERASURE_WAITS_FOR_EVER
    out.answer(
        {"request_id": request, "step": "waiting", "waits_until": until},
        words.say(until=until, request=request),
    )


async def list_open(
    server: options.Server = options.DEFAULT_SERVER, as_json: options.Json = False
) -> None:
    """List what waits for a second person or is under way."""
    async with connect(server) as client:
        found = (await client.get("erasures"))["erasures"]
    columns = ("request_id", "kind", "case_id", "step", "waits_until", "requested_at")
    rows = [{column: erasure[column] for column in columns} for erasure in found]
    Output(as_json).answer(rows, table(columns, [[row[c] or "" for c in columns] for row in rows]))


async def show(
    request: RequestId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Wait for what was asked for, and print each certificate."""
    async with connect(server) as client:
        await _follow(client, f"erasures/{request}", Output(as_json))


async def approve(
    request: RequestId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Agree, as a second person, that what waits is carried out."""
    async with connect(server) as client:
        approved = await client.post(f"erasures/{request}/approval")
    count = len(approved["erasures"])
    Output(as_json).answer({"approved": count}, texts.ERASURE_APPROVED.say(count=count))


async def withdraw(
    request: RequestId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Take back what waits."""
    async with connect(server) as client:
        await client.delete(f"erasures/{request}")
    Output(as_json).answer({"withdrawn": request}, texts.ERASURE_WITHDRAWN.say(request=request))


options.command(app, "list", example="kluis erasure list --json")(list_open)
options.command(app, "show", example="kluis erasure show REQUEST")(show)
options.command(app, "approve", example="kluis erasure approve REQUEST")(approve)
options.command(app, "withdraw", example="kluis erasure withdraw REQUEST")(withdraw)


def _erasures(view: JsonObject) -> list[JsonObject]:
    return list(view["erasures"]) if "erasures" in view else [view]


def _is_over(view: JsonObject) -> bool:
    return all(erasure["step"] in ENDS for erasure in _erasures(view))


def _event(certificate: object) -> str | None:
    """Id of the event by which the erasure stands in the log; the certificate proves it there."""
    try:
        return str(json.loads(certificate["log"]["record"])["event"]["id"])  # type: ignore[index]
    except (LookupError, TypeError, ValueError):
        return None


def _legible(certificate: object) -> str:
    return (
        certificate
        if isinstance(certificate, str)
        else json.dumps(certificate, indent=2, ensure_ascii=False)
    )
