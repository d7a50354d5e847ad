"""`kluis watch`: what the watch found (for privacy officers), and finding it again (operator)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.cli import options
from gateway.cli.client import connect
from gateway.cli.operator import rooms_of
from gateway.cli.output import Output, table
from gateway.cli.texts import Words

if TYPE_CHECKING:
    from gateway.watch.replay import Replayed
    from gateway.watch.seen import Alert

app = options.group("watch", "The watch over the access log: what it found.")

From = Annotated[
    datetime,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First day, YYYY-MM-DD, in UTC."),
]
All = Annotated[bool, typer.Option("--all", help="Those that were dismissed, too.")]

Week = Annotated[
    str | None, typer.Argument(metavar="[WEEK]", help="Such as 2026-W47.", show_default=False)
]
WeekToJudge = Annotated[str, typer.Argument(metavar="WEEK", show_default=False)]
WhatToJudge = Annotated[
    str,
    typer.Argument(metavar="ITEM", help="As the week's queue names it.", show_default=False),
]
Verdict = Annotated[
    Literal["explained", "unexplained", "incident"],
    typer.Option(help="What it was.", show_default=False),
]
Reason = Annotated[str, typer.Option(help="Why you say so. No names.", show_default=False)]
Consent = Annotated[
    str, typer.Option(help="Who of the practice agreed, and when.", show_default=False)
]

_WEEKS = ("week", "state", "reviewed", "items", "due")
_JUDGED = Words(
    "Looked at: {reviewed} of {items}.",
    "Bekeken: {reviewed} van {items}.",
)
_MADE = Words(
    "Case {case} is a canary. Nothing of it shows that.",
    "Casus {case} is een kanarie. Niets eraan laat dat zien.",
)
_COLUMNS = ("at", "severity", "rule", "count", "about", "id")
_REPLAYED = Words(
    "{events} events ({altered} altered records left out), {alerts} alerts."
    " In a thousand user-days ({user_days} there were):"
    " {high:.1f} high, {warning:.1f} warnings, {notice:.1f} notices.",
    "{events} gebeurtenissen ({altered} gewijzigde vastleggingen weggelaten), {alerts} meldingen."
    " Per duizend gebruikersdagen"
    " (er waren er {user_days}):"
    " {high:.1f} hoog, {warning:.1f} waarschuwingen, {notice:.1f} aandachtspunten.",
)


async def alerts(
    every: All = False,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """List the alerts that are open, the newest first."""
    state = "any" if every else "open"
    async with connect(server) as client:
        page = await client.get("alerts", state=state)
        found = page["alerts"]
        while page["next"] is not None:
            page = await client.get("alerts", state=state, before=page["next"])
            found += page["alerts"]
    rows = [[*(each[name] for name in _COLUMNS[:4]), _about(each), each["id"]] for each in found]
    Output(as_json).answer(found, table(_COLUMNS, rows))


async def review(
    week: Week = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Show a week's review as a page for an auditor; without a week, how far the last ones are."""
    output = Output(as_json)
    async with connect(server) as client:
        if week is None:
            weeks = (await client.get("reviews"))["weeks"]
            rows = [[str(each[name]) for name in _WEEKS] for each in weeks]
            output.answer(weeks, table(_WEEKS, rows))
        elif as_json:
            output.answer(await client.get(f"reviews/{week}"), "")
        else:
            output.answer({}, await client.text(f"reviews/{week}/report"))


async def judge(
    week: WeekToJudge,
    item: WhatToJudge,
    verdict: Verdict,
    words: Reason,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Say what an alert or an access of a week was. It stays, with your name."""
    async with connect(server) as client:
        said = {"item": item, "verdict": verdict, "words": words}
        found = await client.post(f"reviews/{week}/verdicts", said)
    Output(as_json).answer(found, _JUDGED.say(reviewed=found["reviewed"], items=found["items"]))


async def canary(
    case: options.Case,
    consent: Consent,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Make a draft that its practice entered for this a canary: whoever opens it is an alert."""
    async with connect(server) as client:
        made = await client.post("canaries", {"case_id": case, "consent": consent})
    Output(as_json).answer(made, _MADE.say(case=case))


async def replay(since: From, data: options.Data = None, as_json: options.Json = False) -> None:
    """Read the log again and show what the rules say; nothing is written but that one looked."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of
    from gateway.watch.replay import replay as again  # noqa: PLC0415
    from gateway.watch.thresholds import Thresholds  # noqa: PLC0415

    async with rooms_of(data) as rooms:
        found = await again(
            rooms.main,
            rooms.services.access,
            operator(),
            Thresholds(history_days=rooms.settings.watch_history_days),
            since.replace(tzinfo=UTC),
        )
    figures, shown = _figures(found), [_shown(alert) for alert in found.alerts]
    rows = [[*(each[name] for name in _COLUMNS[:4]), _about(each)] for each in shown]
    output = Output(as_json)
    output.say(_REPLAYED.say(alerts=len(shown), **figures, **figures["per_1000_user_days"]))
    output.answer(figures | {"alerts": shown}, table(_COLUMNS[:5], rows))


options.command(app, "alerts", example="kluis watch alerts")(alerts)
options.command(app, "review", example="kluis watch review 2026-W47")(review)
options.command(
    app,
    "judge",
    example="kluis watch judge 2026-W47 event:4711 --verdict explained --words 'on call'",
)(judge)
options.command(
    app, "canary", example="kluis watch canary CASE --consent 'the manager, 20 November'"
)(canary)
options.command(app, "replay", example="kluis watch replay --from 2026-11-01 --data ./data")(replay)


def _shown(alert: Alert) -> dict[str, Any]:
    subject = alert.subject
    return {
        "at": alert.at.isoformat(),
        "severity": alert.severity.name.lower(),
        "rule": alert.rule,
        "key": alert.key,
        "count": alert.count,
        "first_index": alert.first_index,
        "last_index": alert.last_index,
        "facts": dict(alert.facts),
        "account_id": subject.account_id,
        "controller_id": subject.controller_id,
        "case_id": subject.case_id,
        "address": subject.address,
    }


def _about(alert: dict[str, Any]) -> str:
    named = (alert[name] for name in ("account_id", "case_id", "controller_id", "address"))
    return next((each for each in named if each is not None), "")


def _figures(found: Replayed) -> dict[str, Any]:
    from gateway.watch.seen import Severity  # noqa: PLC0415

    noise = {each.name.lower(): round(found.noise(each), 3) for each in Severity}
    return {
        "events": found.events,
        "altered": found.altered,
        "user_days": found.user_days,
        "per_1000_user_days": noise,
    }
