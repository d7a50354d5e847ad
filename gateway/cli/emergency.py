"""`kluis emergency`: open a case without being assigned, for a reason; list and review that."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gateway.cli import options
from gateway.cli.client import connect
from gateway.cli.output import Output, table
from gateway.cli.texts import Words

app = options.group("emergency", "Emergencies: declare, list, review.")

Reason = Annotated[
    str, typer.Option(help="Why; the practice reads it. No names.", show_default=False)
]
Minutes = Annotated[int, typer.Option(help="For how long.", min=1)]
All = Annotated[bool, typer.Option("--all", help="Those that were reviewed, too.")]
EmergencyId = Annotated[
    str,
    typer.Argument(metavar="EMERGENCY", callback=options.request_id, show_default=False),
]
Verdict = Annotated[
    Literal["justified", "unjustified"],
    typer.Option(help="Whether it was one.", show_default=False),
]

_DECLARED = Words(
    "Case {case} is open to you for reading until {until}; its practice has been told.",
    "Casus {case} staat voor u open om te lezen tot {until}; de praktijk heeft bericht.",
)
_REVIEWED = Words(
    "Reviewed: {verdict}. The practice is told.",
    "Beoordeeld: {verdict}. De praktijk krijgt bericht.",
)


async def declare(
    case: options.Case,
    reason: Reason,
    minutes: Minutes = 30,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Open a case to yourself in an emergency. It is logged as one, and reviewed."""
    async with connect(server) as client:
        body = {"reason": reason, "minutes": minutes}
        view = await client.post(f"cases/{case}/emergency", body)
    Output(as_json).answer(view, _DECLARED.say(case=case, until=view["ends_at"]))


async def list_emergencies(
    everything: All = False,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """List the emergencies that nobody reviewed yet, the newest first."""
    reviewed = "yes" if everything else "no"
    async with connect(server) as client:
        page = await client.get("emergencies", reviewed=reviewed)
        found = page["emergencies"]
        while page["next"] is not None:
            page = await client.get("emergencies", reviewed=reviewed, before=page["next"])
            found += page["emergencies"]
    columns = ("id", "case_id", "account_id", "ends_at", "overdue", "verdict", "reason")
    rows = [[str(one[column]) for column in columns] for one in found]
    Output(as_json).answer(found, table(columns, rows))


async def review(
    emergency: EmergencyId,
    verdict: Verdict,
    words: Annotated[str, typer.Option(help="Why you think so.", show_default=False)],
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Review an emergency of somebody else; it ends, if it still runs."""
    async with connect(server) as client:
        body = {"verdict": verdict, "words": words}
        view = await client.post(f"emergencies/{emergency}/review", body)
    Output(as_json).answer(view, _REVIEWED.say(verdict=verdict))


_ID = "01a203ae-919b-70c9-a651-9d43dc82776f"
options.command(
    app,
    "declare",
    example='kluis emergency declare CASE --reason "planner ill, patient waits" --minutes 30',
)(declare)
options.command(app, "list", example="kluis emergency list --all")(list_emergencies)
options.command(
    app,
    "review",
    example=f'kluis emergency review {_ID} --verdict justified --words "as the rota says"',
)(review)
