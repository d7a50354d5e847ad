"""`kluis erase`: erase a case for good, and get the certificate."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from gateway.cli import options, texts
from gateway.cli.client import JsonObject, Patience, connect
from gateway.cli.errors import RefusedError, UnfinishedError, UsageError
from gateway.cli.output import Output
from gateway.cli.receipts import Receipts
from gateway.cli.texts import Words

# An erasure waits for every living key of the practice and for the next checkpoint.
ERASURE = Patience(first=0.2, longest=5.0, total=1800.0)
# Refusals of a second request; the first one is being carried out, or was.
UNDER_WAY = {"wrong_state", "case_frozen"}
_CONFIRM = Words(
    "This cannot be undone: give --confirm with the id of the case, the same as CASE.",
    "Dit kan niet ongedaan worden gemaakt: geef --confirm met het nummer van de casus.",
)

Reason = Annotated[str, typer.Option(help="Why; it stays in the log.", show_default=False)]
Confirm = Annotated[
    str | None,
    typer.Option(metavar="CASE", help="The id again; else it is asked for.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    example = 'kluis erase CASE --reason "request of the patient"'
    options.command(app, "erase", example=example)(erase)


async def erase(
    case: options.Case,
    reason: Reason,
    confirm: Confirm = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Erase a case for good and print the certificate. Run again, it goes on waiting."""
    out = Output(as_json)
    if confirm is None and sys.stdin.isatty():
        confirm = typer.prompt(texts.TYPE_CASE.say(), err=True)
    if confirm != case:
        raise UsageError("confirm", _CONFIRM)
    path = f"cases/{case}/erasure"
    async with connect(server) as client:
        try:
            await client.post(path, {"reason": reason, "confirm": confirm})
        except RefusedError as error:
            if error.problem not in UNDER_WAY:
                raise
        said = ""
        view: JsonObject
        async for view in client.wait(path, done=_is_done, patience=ERASURE, state="step"):
            if view["step"] != said:
                said = view["step"]
                out.say(texts.ERASING.say(step=said))
            if _is_done(view):
                event = _event(view["certificate"])
                Receipts().keep(client.server, event, "erasure", case=case)
                out.say(texts.ERASED.say())
                out.answer(view["certificate"], _legible(view["certificate"]))
                return
    raise UnfinishedError(state=said)


def _is_done(view: JsonObject) -> bool:
    return bool(view["step"] == "done")


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
