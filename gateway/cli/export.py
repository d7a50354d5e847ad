"""`kluis log export`: the access log in the forms that others read."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeGuard

import typer

from gateway.cli import options
from gateway.cli.audit import export_bundle
from gateway.cli.client import BREAKS, Client, connect
from gateway.cli.errors import UnreachableError, UsageError
from gateway.cli.output import Output, opened
from gateway.cli.texts import Words, language
from gateway.exports.entry import Entry, Export
from gateway.exports.fhir import FhirBundle
from gateway.exports.lines import Csv, JsonLines
from gateway.exports.page import Page
from gateway.exports.readable import About
from storage.accesslog.event import AccessEvent

PAGE = 1000  # events of one request

_NOT_ON_A_TERMINAL = Words(
    "A PDF is no text. Give a file by --out.", "Een PDF is geen tekst. Geef een bestand met --out."
)
_EXPORTED = Words(
    "{path}: {events} events. {pruned} more were pruned after the legal term.",
    "{path}: {events} gebeurtenissen. Nog {pruned} zijn na de wettelijke termijn verwijderd.",
)


_ONE_OF_TWO = Words(
    "Say what to write: --format FORM, or --bundle FILE for `kluis audit`.",
    "Zeg wat er moet komen: --format VORM, of --bundle BESTAND voor `kluis audit`.",
)
_WHOLE = Words(
    "A bundle holds all of one's own practice: leave the other options out.",
    "Een bundel bevat alles van de eigen praktijk: laat de andere opties weg.",
)
_BUNDLED = Words("{path}: everything that a check needs.", "{path}: alles voor een controle.")


class Format(StrEnum):
    """The forms."""

    FHIR = "fhir"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"
    PDF = "pdf"


class Tongue(StrEnum):
    """Languages of the readable page."""

    EN = "en"
    NL = "nl"


Chosen = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="fhir: AuditEvents (R4, IHE BALP); jsonl; csv; html, pdf: to read.",
        show_default=False,
    ),
]
Bundle = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Evidence for `kluis audit --bundle`, of the whole log."),
]
Cases = Annotated[
    list[str] | None,
    typer.Option(
        "--case",
        metavar="CASE",
        help="Id of a case, may be repeated; else all.",
        callback=options.case_ids,
    ),
]
ClientId = Annotated[
    str | None,
    typer.Option("--client", metavar="ID", help="The practice, for a privacy officer."),
]
First = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, YYYY-MM-DD.")
]
Last = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, YYYY-MM-DD.")
]
Out = Annotated[Path | None, typer.Option(help="A new file; else standard output.")]
Spoken = Annotated[
    Tongue | None, typer.Option("--language", help="Of html and pdf; else the terminal's.")
]


@dataclass(slots=True)
class Wanted:
    """Which events of a practice's log go out.

    Attributes:
        cases: Ids of cases; none: every event.
        first: The first day, naive: where the reader is; None: from the beginning.
        last: The last day, likewise; None: until now.
        events: How many were taken so far.
        pruned: How many were met without a record, of whatever case and time.
    """

    cases: Collection[str]
    first: datetime | None
    last: datetime | None
    events: int = field(default=0, init=False)
    pruned: int = field(default=0, init=False)

    def take(self, entry: Entry) -> Entry | None:
        """Give the entry as it goes out, or None.

        A list or a search that showed a case belongs to that case; the other cases that it
        showed are other patients, and are left out.
        """
        event = entry.event
        begins = self.first and self.first.astimezone()
        ends = self.last and (self.last + timedelta(days=1)).astimezone()
        if (begins and event.at < begins) or (ends and event.at >= ends):
            return None
        if self.cases and event.case_id not in self.cases:
            shown = event.detail.get("cases")
            ours = [case for case in shown if case in self.cases] if _is_list(shown) else []
            if not ours:
                return None
            entry = replace(entry, event=replace(event, detail={**event.detail, "cases": ours}))
        self.events += 1
        return entry


async def export(
    *,
    form: Chosen = None,
    bundle: Bundle = None,
    case: Cases = None,
    client: ClientId = None,
    first: First = None,
    last: Last = None,
    out: Out = None,
    spoken: Spoken = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Write the events of a practice, or of some of its cases, for another system or a person."""
    if (form is None) == (bundle is None):
        raise UsageError("format", _ONE_OF_TWO)
    if bundle is not None:
        if case or client or first or last or out:
            raise UsageError("bundle", _WHOLE)
        told = await export_bundle(server, bundle)
        Output(as_json).answer(told, _BUNDLED.say(path=bundle))
        return
    if form is Format.PDF and out is None and sys.stdout.isatty():
        raise UsageError("out", _NOT_ON_A_TERMINAL)
    wanted = Wanted(case or (), first, last)
    async with connect(server) as there:
        made = _export(form, await _about(there, wanted, spoken))
        people = await _people(there, wanted.cases)
        with opened(out) as file:
            file.write(made.begin())
            async for entry in _series(there, client, wanted):
                known = replace(entry, email=people.get(entry.event.actor_id))
                file.write(made.add(known))
            file.write(made.end())
    _tell(Output(as_json), out, wanted)


def register(app: typer.Typer) -> None:
    """Add the command to the group `log`."""
    example = "kluis log export --format html --case CASE --out ./who.html"
    options.command(app, "export", example=example)(export)


def _export(form: Format | None, about: About) -> Export:
    if form is Format.FHIR:
        return FhirBundle(about.origin, about.made_at)
    if form is Format.PDF:
        try:
            from gateway.exports.pdf import Pdf  # noqa: PLC0415 - an extra, absent by choice
        except ImportError:
            raise UsageError("format", options.NO_PDF) from None
        return Pdf(about)
    if form is Format.HTML:
        return Page(about)
    return Csv() if form is Format.CSV else JsonLines()


async def _about(there: Client, wanted: Wanted, spoken: Tongue | None) -> About:
    return About(
        cases=tuple(wanted.cases),
        first=wanted.first and wanted.first.date(),
        last=wanted.last and wanted.last.date(),
        made_at=datetime.now(UTC).astimezone(),
        origin=await _origin(there),
        language=spoken.value if spoken else language(),
    )


async def _origin(there: Client) -> str:
    """The log's name: the first line of its checkpoint (tlog-checkpoint)."""
    try:
        async with there.request("GET", there.address("log/checkpoint"), headers={}) as response:
            return (await response.text()).partition("\n")[0]
    except BREAKS as error:
        raise UnreachableError(field="server", server=there.server) from error


async def _people(there: Client, cases: Collection[str]) -> Mapping[str, str]:
    """Addresses by account of whoever acted on the cases; of others only the id is shown."""
    found: dict[str, str] = {}
    for case in cases:
        actors = [event["actor"] for event in (await there.get(f"cases/{case}/events"))["events"]]
        found |= {actor["id"]: actor["email"] for actor in actors if actor.get("email")}
    return found


async def _series(there: Client, controller: str | None, wanted: Wanted) -> AsyncIterator[Entry]:
    """What is wanted of the practice's events, in the order of their numbers."""
    query = {"limit": str(PAGE)} | ({"controller": controller} if controller else {})
    after: int | None = 0
    while after is not None:
        page = await there.get("log/events", after=str(after), **query)
        for found in page["events"]:
            if found.get("record") is None:
                wanted.pruned += 1
                continue
            event = AccessEvent.from_record(json.loads(found["record"]))
            entry = wanted.take(Entry(event, found["index"], found["number"]))
            if entry is not None:
                yield entry
        after = page["next"]


def _tell(output: Output, out: Path | None, wanted: Wanted) -> None:
    told = {"path": str(out or "-"), "events": wanted.events, "pruned": wanted.pruned}
    if out is not None:
        output.answer(told, _EXPORTED.say(**told))
    elif wanted.pruned:
        # Standard output is the export itself.
        typer.echo(_EXPORTED.say(**told), err=True)


def _is_list(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list)
