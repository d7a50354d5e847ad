"""`kluis upload`: send files of a case, and say of each whether it was accepted."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import options, texts
from gateway.cli.client import JsonObject, Patience, connect
from gateway.cli.errors import FAILED, RefusedError, UnfinishedError, UsageError
from gateway.cli.journal import Journal
from gateway.cli.output import Output, size
from gateway.cli.reports import report_in_words, slot_in_words
from gateway.cli.sender import LocalFile, Outgoing, Sender
from gateway.privacy.completeness import Slot

# A verdict takes seconds; a queue of large scans may take minutes.
VERDICT = Patience(first=0.2, longest=2.0, total=900.0)
_UNDECIDED = {"receiving", "received"}
# What the server says of one file; anything else it refuses concerns the whole command.
_OF_ONE_FILE = {400, 413, 415, 422}


class Kind(StrEnum):
    """What a file is to a case."""

    SCAN = "scan"
    PHOTO = "photo"
    PLAN = "plan"


Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Files to send.", show_default=False)
]
KindOption = Annotated[
    Kind | None,
    typer.Option(
        help="What the files are; else told by .stl, .ply, .obj, .jpg, .png, .heic, .pdf.",
        show_default=False,
    ),
]
SlotOption = Annotated[
    Slot | None,
    typer.Option(help="What the one file shows; else its name may tell.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.command(app, "upload", example="kluis upload CASE upper.stl lower.stl front.jpg")(
        upload
    )


async def upload(
    case: options.Case,
    files: Files,
    kind: KindOption = None,
    slot: SlotOption = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Send files to a case. After a break it goes on where it was, also when run again."""
    out = Output(as_json)
    if slot is not None and len(files) > 1:
        raise UsageError("slot", texts.ONE_FILE_A_SLOT)
    chosen = [LocalFile.look(path, kind) for path in files]
    async with connect(server) as client:
        sender = Sender(client, case, Journal(), Patience(), slot)
        verdicts = [await upload_one(sender, file, out) for file in chosen]
    if as_json:
        out.answer(verdicts, "")
    if any(verdict["state"] != "accepted" for verdict in verdicts):
        raise typer.Exit(FAILED)


async def upload_one(sender: Sender, file: Outgoing, out: Output) -> JsonObject:
    """Send one file, wait for its verdict, say it, and return it for `--json`.

    Raises:
        RefusedError: The server takes no file of this person for this case.
        UnreachableError, UnfinishedError: Running it again goes on.
    """
    name = file.name
    out.say(texts.SENDING.say(name=name, size=size(file.size)))
    try:
        with out.bar(name, file.size) as arrived:
            file_id = await sender.send(file, arrived)
    except RefusedError as error:
        if error.status not in _OF_ONE_FILE:
            raise
        return _refused(name, None, {"code": error.problem, "message": str(error)}, out)
    out.say(texts.CHECKING.say(name=name))
    view = await _verdict(sender, file_id)
    if view["state"] == "accepted":
        sender.keep_receipt(file, file_id, view["sha256"])
    sender.forget(file)
    if view["state"] != "accepted":
        problem = view["problem"] or {"code": view["state"], "message": view["state"]}
        return _refused(name, file_id, problem, out)
    out.say(texts.ACCEPTED.say(name=name, report=report_in_words(view["report"])))
    if view["slot"] is not None:
        out.say("  " + texts.TAKEN_FOR.say(slot=slot_in_words(view["slot"])))
    return {
        "id": file_id,
        "name": name,
        "state": "accepted",
        "slot": view["slot"],
        "report": view["report"],
    }


async def _verdict(sender: Sender, file_id: str) -> JsonObject:
    path = f"cases/{sender.case_id}/files/{file_id}"

    def decided(view: JsonObject) -> bool:
        return view["state"] not in _UNDECIDED

    async for view in sender.client.wait(path, done=decided, patience=VERDICT, state="state"):
        if decided(view):
            return view
    raise UnfinishedError(state="received")


def _refused(name: str, file_id: str | None, problem: JsonObject, out: Output) -> JsonObject:
    words = " ".join(filter(None, (problem["message"], problem.get("remedy"))))
    out.say(texts.REFUSED.say(name=name, problem=words))
    return {"id": file_id, "name": name, "state": "refused", "problem": problem}
