"""`kluis incident`: run an incident from its first hour to the register, for privacy officers."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from gateway.cli import options
from gateway.cli.client import connect
from gateway.cli.errors import UsageError
from gateway.cli.output import Output, table
from gateway.cli.texts import Words
from gateway.incidents.words import Remedy, Risk, Severity

app = options.group("incident", "Incidents: open, scope, contain, close; and their register.")

IncidentId = Annotated[
    str, typer.Argument(metavar="INCIDENT", callback=options.request_id, show_default=False)
]
Title = Annotated[str, typer.Argument(help="What happened, in a few words.", show_default=False)]
Moment = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"],
        help="In UTC: YYYY-MM-DDTHH:MM.",
    ),
]
Account = Annotated[
    list[str] | None, typer.Option("--account", help="Id of an account; may be repeated.")
]
Address = Annotated[
    list[str] | None,
    typer.Option("--address", help="A network address or network; may be repeated."),
]
Key = Annotated[
    list[str] | None,
    typer.Option("--key", help="A practice whose key is out; may be repeated."),
]
Subject = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...", help="Accounts, cases or practices; none: those of the scope."
    ),
]
Closed = Annotated[bool, typer.Option("--all", help="Those that are closed, too.")]
Csv = Annotated[bool, typer.Option("--csv", help="As a table for a spreadsheet.")]
Attached = Annotated[
    Path, typer.Argument(metavar="FILE", help="What shows it.", show_default=False)
]
TextWords = Annotated[str, typer.Argument(help="What to write down.", show_default=False)]

_OPENED = Words("Incident {id} is open.", "Incident {id} is geopend.")
_NOTED = Words("Written into the timeline.", "In de tijdlijn gezet.")
_JOINED = Words("The alert belongs to the incident.", "De melding hoort bij het incident.")
_MEASURED = Words("{kind}: {state}. {result}", "{kind}: {state}. {result}")
_CHANGED = Words("The incident is {state}.", "Het incident is {state}.")
_ATTACHED = Words("Sealed as {id}.", "Verzegeld als {id}.")
_NO_FILE = Words("There is no such file.", "Dat bestand is er niet.")
_NO_PLACE = Words("There is a file of that name already.", "Er is al een bestand met die naam.")
_INCOMPLETE = Words(
    "Careful: records of the log were altered, lost or pruned; there may be more.",
    "Let op: regels van het logboek zijn gewijzigd, verloren of opgeschoond; er kan meer zijn.",
)


async def begin(
    title: Title,
    severity: Annotated[Severity, typer.Option(help="How bad it looks.")] = Severity.MEDIUM,
    aware: Moment = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Open an incident; the clocks run from when you became aware of it."""
    body = {"title": title, "severity": severity.value, "aware_at": _moment(aware)}
    async with connect(server) as client:
        made = await client.post("incidents", body)
    Output(as_json).answer({"id": made["id"]}, _OPENED.say(id=made["id"]))


async def list_incidents(
    everything: Closed = False,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """List the incidents that are not closed, the newest first."""
    state = "any" if everything else "open"
    async with connect(server) as client:
        page = await client.get("incidents", state=state)
        found = page["incidents"]
        while page["next"] is not None:
            page = await client.get("incidents", state=state, before=page["next"])
            found += page["incidents"]
    columns = ("aware_at", "severity", "state", "risk", "title", "id")
    Output(as_json).answer(
        found, table(columns, [[one[name] for name in columns] for one in found])
    )


async def show(
    incident: IncidentId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Show an incident: its timeline, and how long each practice has waited."""
    async with connect(server) as client:
        view = await client.get(f"incidents/{incident}")
    output = Output(as_json)
    if not as_json:
        output.say(f"{view['title']} - {view['state']}, {view['severity']}, risk {view['risk']}")
        columns = ("controller_id", "told_at", "waited_hours", "authority_until", "left_hours")
        rows = [[one[name] for name in columns] for one in view["clocks"]]
        output.answer(rows, table(columns, rows))
    columns = ("at", "kind", "by", "ref", "words")
    rows = [[line[name] for name in columns] for line in view["timeline"]]
    output.answer(view, table(columns, rows))


async def scope(
    incident: IncidentId,
    account: Account = None,
    since: Moment = None,
    until: Moment = None,
    address: Address = None,
    key: Key = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Compute from the log which cases, files and people are in it, and keep that."""
    body = {
        "accounts": account or [],
        "since": _moment(since),
        "until": _moment(until),
        "addresses": address or [],
        "keys": key or [],
    }
    async with connect(server) as client:
        answer = await client.post(f"incidents/{incident}/scope", body)
    output = Output(as_json)
    if not answer["complete"]:
        output.say(_INCOMPLETE.say())
    output.answer(answer, _cases(answer))


async def measure(
    incident: IncidentId,
    kind: Annotated[Remedy, typer.Argument(help="What to do.", show_default=False)],
    subjects: Subject = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Contain it: end sessions or assignments, shut accounts out, freeze cases, rotate keys."""
    body = {"kind": kind.value, "subjects": subjects or []}
    async with connect(server) as client:
        made = await client.post(f"incidents/{incident}/measures", body)
    result = ", ".join(f"{name} {count}" for name, count in (made["result"] or {}).items())
    said = _MEASURED.say(kind=made["kind"], state=made["state"], result=result)
    Output(as_json).answer(made, said)


async def note(
    incident: IncidentId,
    words: TextWords,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Write into the timeline. Others on this machine can see the words of a running command."""
    async with connect(server) as client:
        await client.post(f"incidents/{incident}/entries", {"words": words})
    Output(as_json).answer({"noted": True}, _NOTED.say())


async def join(
    incident: IncidentId,
    alert: Annotated[str, typer.Argument(callback=options.request_id, show_default=False)],
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Join an alert of the watch to it."""
    async with connect(server) as client:
        await client.post(f"incidents/{incident}/alerts", {"alert_id": alert})
    Output(as_json).answer({"joined": alert}, _JOINED.say())


async def attach(
    incident: IncidentId,
    file: Attached,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Attach evidence; it is sealed as it arrives."""
    try:
        content = file.read_bytes()
    except OSError:
        raise UsageError("file", _NO_FILE) from None
    headers = {"Content-Type": "application/octet-stream", "Kluis-Name": quote(file.name)}
    async with connect(server) as client:
        address = client.address(f"incidents/{incident}/evidence")
        async with client.request(
            "POST", address, headers=headers, content=io.BytesIO(content)
        ) as response:
            made: dict[str, Any] = await response.json()
    Output(as_json).answer(made, _ATTACHED.say(id=made["id"]))


async def fetch(
    incident: IncidentId,
    evidence: Annotated[str, typer.Argument(callback=options.request_id, show_default=False)],
    to: Annotated[Path, typer.Option(help="Where to write it.", show_default=False)],
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Take evidence out again, into a file that only you can read."""
    async with connect(server) as client:
        address = client.address(f"incidents/{incident}/evidence/{evidence}")
        async with client.request("GET", address, headers={}) as response:
            content = await response.read()
    try:
        to.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise UsageError("to", _NO_PLACE) from None
    to.write_bytes(content)
    Output(as_json).answer({"file": str(to), "size": len(content)}, str(to))


async def contain(
    incident: IncidentId,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Say that it is contained: nothing more gets out."""
    await _change(incident, {"state": "contained"}, server, as_json=as_json)


async def close(
    incident: IncidentId,
    risk: Annotated[Risk, typer.Option(help="What it means to people.", show_default=False)],
    conclusion: Annotated[str, typer.Option(help="What came of it.", show_default=False)],
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Close it with a conclusion; it stays in the register."""
    body = {"state": "closed", "risk": risk.value, "conclusion": conclusion}
    await _change(incident, body, server, as_json=as_json)


async def register(
    as_csv: Csv = False,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Take the register of all incidents (GDPR article 33(5))."""
    async with connect(server) as client:
        if as_csv:
            address = client.address("incidents/register.csv")
            async with client.request("GET", address, headers={}) as response:
                typer.echo(await response.text(), nl=False)
            return
        found = (await client.get("incidents/register"))["incidents"]
    columns = (
        "aware_at",
        "state",
        "risk",
        "practices",
        "practices_told",
        "cases",
        "people",
        "title",
    )
    Output(as_json).answer(
        found, table(columns, [[one[name] for name in columns] for one in found])
    )


async def _change(incident: str, body: dict[str, str], server: str, *, as_json: bool) -> None:
    async with connect(server) as client:
        view = await client.patch(f"incidents/{incident}", body)
    answer = {"id": view["id"], "state": view["state"]}
    Output(as_json).answer(answer, _CHANGED.say(state=view["state"]))


def _moment(given: datetime | None) -> str | None:
    return None if given is None else given.replace(tzinfo=UTC).isoformat()


def _cases(answer: dict[str, Any]) -> Table:
    columns = ("controller", "case", "data", "effects", "content", "files", "keys out")
    rows = [
        [
            theirs["controller_id"],
            case["case_id"],
            ", ".join(case["kinds"]),
            ", ".join(case["effects"]),
            case["content"],
            len(case["files"]),
            case["keys_exposed"],
        ]
        for theirs in answer["controllers"]
        for case in theirs["cases"]
    ]
    return table(columns, rows)


_ID = "01a203ae-919b-70c9-a651-9d43dc82776f"
for _name, _work, _example in (
    ("open", begin, 'kluis incident open "a planner\'s token was stolen" --severity high'),
    ("list", list_incidents, "kluis incident list"),
    ("show", show, f"kluis incident show {_ID}"),
    ("scope", scope, f"kluis incident scope {_ID} --account {_ID} --since 2026-11-20"),
    ("measure", measure, f"kluis incident measure {_ID} sessions"),
    ("note", note, f'kluis incident note {_ID} "called the practice"'),
    ("join", join, f"kluis incident join {_ID} {_ID}"),
    ("attach", attach, f"kluis incident attach {_ID} mail.eml"),
    ("fetch", fetch, f"kluis incident fetch {_ID} {_ID} --to mail.eml"),
    ("contain", contain, f"kluis incident contain {_ID}"),
    ("close", close, f'kluis incident close {_ID} --risk unlikely --conclusion "no byte left"'),
    ("register", register, "kluis incident register --csv"),
):
    options.command(app, _name, example=_example)(_work)
