"""A week's review as a page of text, for an auditor: what was looked at, by whom, what they said.

It says how the sample was drawn, so that whoever has the log can draw it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gateway.exports.words import Language, Said
from gateway.watch.review import Item, Review
from gateway.watch.seen import Severity

_TITLE = Said(
    "Review of the access log, week {week} ({begins:%Y-%m-%d} to {last:%Y-%m-%d}, UTC)",
    "Beoordeling van het toegangslogboek, week {week}"
    " ({begins:%Y-%m-%d} tot en met {last:%Y-%m-%d}, UTC)",
)
_LOG = Said(
    "Events from place {first} to before {end} of the log."
    " The first checkpoint behind them has size {size} and root {root}.",
    "Gebeurtenissen van plaats {first} tot vóór {end} van het logboek."
    " Het eerste controlepunt erachter heeft grootte {size} en wortel {root}.",
)
_DRAWN = Said(
    "To be looked at is every alert that was raised in the week, and a sample of the accesses to"
    " cases. Draw n, from 0, is place {first} + SHA-256('{week} {root} n') modulo {count}; places"
    " that are no access by a person are passed over.",
    "Te bekijken is elke melding uit de week, en een steekproef van de inzage in casussen. Trekking"
    " n, vanaf 0, is plaats {first} + SHA-256('{week} {root} n') modulo {count}; plaatsen die geen"
    " inzage door een persoon zijn worden overgeslagen.",
)
_COVERAGE = Said(
    "Looked at: {reviewed} of {items}. Due on {due:%Y-%m-%d}: {state}.",
    "Bekeken: {reviewed} van {items}. Uiterlijk op {due:%Y-%m-%d}: {state}.",
)
_STATES = {
    "complete": Said("complete", "volledig"),
    "overdue": Said("OVERDUE", "TE LAAT"),
    "open": Said("not complete yet", "nog niet volledig"),
}
_NOISE = Said(
    "Alerts in a thousand user-days ({user_days} there were):"
    " {high:.1f} high, {warning:.1f} warnings, {notice:.1f} notices.",
    "Meldingen per duizend gebruikersdagen (er waren er {user_days}):"
    " {high:.1f} hoog, {warning:.1f} waarschuwingen, {notice:.1f} aandachtspunten.",
)
_ALERT = Said(
    "Alert {id}: {rule}, {severity}, found {count} times, places {first} to {last}",
    "Melding {id}: {rule}, {severity}, {count} keer gevonden, plaats {first} tot en met {last}",
)
_ACCESS = Said(
    "Access at place {index}: {code} of case {case} by {who} ({role}, {ground}) at {at}",
    "Inzage op plaats {index}: {code} van casus {case} door {who} ({role}, {ground}) om {at}",
)
_ABOUT = Said("   account {account}", "   account {account}")
_SAID = Said("   {verdict}, by {by} at {at}: {words}", "   {verdict}, door {by} op {at}: {words}")
_VERDICTS = {
    "explained": Said("explained", "verklaard"),
    "unexplained": Said("not explained", "niet verklaard"),
    "incident": Said("an incident", "een incident"),
}
_NOT_YET = Said("   not looked at yet", "   nog niet bekeken")
_SEVERITIES = {
    Severity.NOTICE: Said("notice", "aandachtspunt"),
    Severity.WARNING: Said("warning", "waarschuwing"),
    Severity.HIGH: Said("high", "hoog"),
}


def report(review: Review, language: Language) -> str:
    """Give the page in a language."""
    return "\n".join(_lines(review, language)) + "\n"


def _lines(review: Review, language: Language) -> Iterator[str]:
    week, (size, root) = review.week, review.checkpoint
    place = {"first": review.first, "end": review.end, "size": size, "root": root.hex()}
    yield _TITLE(language).format(week=week.name, begins=week.begins, last=week.last)
    yield ""
    yield _LOG(language).format(**place)
    yield _DRAWN(language).format(week=week.name, count=review.end - review.first, **place)
    yield _COVERAGE(language).format(
        reviewed=review.reviewed,
        items=len(review.items),
        due=review.due,
        state=_STATES[review.state](language),
    )
    noise = {each.name.lower(): review.noise(each) for each in Severity}
    yield _NOISE(language).format(user_days=review.user_days, **noise)
    for number, item in enumerate(review.items, 1):
        yield ""
        yield f"{number}. {_what(item, language)}"
        if item.access is None and item.account_id is not None:
            yield _ABOUT(language).format(account=item.account_id)
        yield _said(review, item, language)


def _what(item: Item, language: Language) -> str:
    seen, alert = item.access, item.alert
    if seen is not None:
        return _ACCESS(language).format(
            index=seen.index,
            code=seen.code,
            case=seen.case_id,
            who=seen.actor_id,
            role=seen.actor_role,
            ground=seen.ground,
            at=_moment(seen.at),
        )
    if alert is None:
        return item.id
    return _ALERT(language).format(
        id=alert.id,
        rule=alert.rule,
        severity=_SEVERITIES[Severity(alert.severity)](language),
        count=alert.count,
        first=alert.first_index,
        last=alert.last_index,
    )


def _said(review: Review, item: Item, language: Language) -> str:
    said = item.said
    if said is None:
        return _NOT_YET(language)
    return _SAID(language).format(
        verdict=_VERDICTS[said.verdict](language),
        by=review.reviewers.get(said.by, said.by),
        at=_moment(said.at),
        words=" ".join(said.words.split()),
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
