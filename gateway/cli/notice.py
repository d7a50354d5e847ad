"""`kluis notice`: tell practices of a breach that they are in, for privacy officers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from gateway.cli import options
from gateway.cli.client import connect
from gateway.cli.output import Output, table
from gateway.cli.texts import Words

app = options.group("notice", "Notices of a breach: write, send and list them.")

IncidentId = Annotated[
    str, typer.Argument(metavar="INCIDENT", callback=options.request_id, show_default=False)
]
NoticeId = Annotated[
    str, typer.Argument(metavar="NOTICE", callback=options.request_id, show_default=False)
]
Contact = Annotated[str, typer.Option(help="Where to ask.", show_default=False)]
Nature = Annotated[str | None, typer.Option(help="What happened.")]
Consequences = Annotated[str | None, typer.Option(help="What is likely to follow.")]
Measures = Annotated[str | None, typer.Option(help="What was and will be done.")]
Phase = Annotated[Literal["first", "further", "final"], typer.Option(help="How much is known.")]
Language = Annotated[
    Literal["en", "nl"], typer.Option("--language", help="The language of these words.")
]
Practice = Annotated[
    list[str] | None,
    typer.Option("--practice", help="For this one; may be repeated. None: all in the scope."),
]

_COLUMNS = ("controller_id", "version", "phase", "created_at", "sent_at", "acknowledged_at", "id")
_WRITTEN = Words(
    "Written for {count} practices. Nothing is sent yet: kluis notice send {incident}.",
    "Geschreven voor {count} praktijken. Er is nog niets verstuurd: kluis notice send {incident}.",
)
_SENT = Words("Sent to {count} practices.", "Verstuurd aan {count} praktijken.")


async def compose(  # noqa: PLR0917 - each is an option of its own
    incident: IncidentId,
    contact: Contact,
    nature: Nature = None,
    consequences: Consequences = None,
    measures: Measures = None,
    phase: Phase = "first",
    language: Language = "en",
    practice: Practice = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Write the next version of a notice. What is left out is not known yet."""
    said = {
        "contact": contact,
        "nature": nature,
        "consequences": consequences,
        "measures": measures,
    }
    body: dict[str, Any] = {"phase": phase, "words": {language: said}}
    if practice:
        body["controllers"] = practice
    async with connect(server) as client:
        answer = await client.post(f"incidents/{incident}/notices", body)
    count = len(answer["notices"])
    Output(as_json).answer(answer["notices"], _WRITTEN.say(count=count, incident=incident))


async def send(
    incident: IncidentId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Send to every practice of an incident the newest version, if it was not sent yet."""
    async with connect(server) as client:
        found = (await client.get(f"incidents/{incident}/notices"))["notices"]
        newest = {each["controller_id"]: each for each in found}  # versions come in order
        sent = [
            await client.post(f"breach-notices/{each['id']}/sending", {})
            for each in newest.values()
            if each["sent_at"] is None
        ]
    Output(as_json).answer(sent, _SENT.say(count=len(sent)))


async def list_notices(
    incident: IncidentId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """List every version for every practice: when it was sent, and confirmed to be read."""
    async with connect(server) as client:
        found = (await client.get(f"incidents/{incident}/notices"))["notices"]
    rows = [[str(each[name] or "") for name in _COLUMNS] for each in found]
    Output(as_json).answer(found, table(_COLUMNS, rows))


async def show(
    notice: NoticeId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Show what a notice says."""
    async with connect(server) as client:
        view = await client.get(f"breach-notices/{notice}")
    parts = [view["head"], *(f"{part['heading']}\n{part['text']}" for part in view["sections"])]
    Output(as_json).answer(view, "\n\n".join([*parts, *view["cases"]]))


_ID = "01a203ae-919b-70c9-a651-9d43dc82776f"
for _name, _work, _example in (
    ("compose", compose, f'kluis notice compose {_ID} --contact "privacy officer, 030 123 45 67"'),
    ("send", send, f"kluis notice send {_ID}"),
    ("list", list_notices, f"kluis notice list {_ID}"),
    ("show", show, f"kluis notice show {_ID}"),
):
    options.command(app, _name, example=_example)(_work)
