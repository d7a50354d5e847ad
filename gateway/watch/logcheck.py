"""What the watch sees of the log and of itself while it reads: what no event tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.watch.rules.base import About, Words
from gateway.watch.seen import Seen, Severity
from storage.accesslog.feed import CheckedEvent
from storage.alerts import Finding

LAG = timedelta(seconds=60)  # an event has its place within a second, else within this

ALTERED = About(
    name="log_altered",
    severities=(Severity.HIGH,),
    en=Words(
        "A record of the log is not what its place in the signed tree holds.",
        "Only somebody with the database at hand can write there.",
        "Take the machine off the network. Run `kluis log verify`, keep the disk, and compare with"
        " a back-up.",
    ),
    nl=Words(
        "Een vastlegging in het logboek is niet wat haar plaats in de ondertekende boom bevat.",
        "Alleen wie bij de database kan, kan daar schrijven.",
        "Haal de machine van het netwerk. Draai `kluis log verify`, bewaar de schijf, en vergelijk"
        " met een back-up.",
    ),
)
SHORTENED = About(
    name="log_shortened",
    severities=(Severity.HIGH,),
    en=Words(
        "The log is shorter than what was already watched of it.",
        "A database was put back, or its end was cut off, to hide what happened last.",
        "Compare with a witness's checkpoint. After a restore, see the log's first new event.",
    ),
    nl=Words(
        "Het logboek is korter dan wat er al van is bekeken.",
        "Een database is teruggezet, of het eind is eraf, om te verbergen wat het laatst gebeurde.",
        "Vergelijk met het controlepunt van een getuige. Na terugzetten: zie de eerste nieuwe"
        " gebeurtenis.",
    ),
)
LAGGING = About(
    name="log_lag",
    severities=(Severity.WARNING,),
    fold_seconds=3600,
    en=Words(
        "An event has waited for longer than a minute for its place in the signed log.",
        "Whatever is not numbered yet is neither watched nor signed.",
        "See the process's log for `sequencer_step_failed`; check the disk and the signing key.",
    ),
    nl=Words(
        "Een gebeurtenis wacht langer dan een minuut op haar plaats in het ondertekende logboek.",
        "Wat nog geen nummer heeft, is niet bekeken en niet ondertekend.",
        "Zoek `sequencer_step_failed` in het log van het proces; controleer schijf en sleutel.",
    ),
)
RULE_FAILED = About(
    name="rule_failed",
    severities=(Severity.HIGH,),
    en=Words(
        "A rule of the watch could not take an event, and is switched off for the rest of the day;"
        " the fact that has its name says which (`known`: what all rules share missed that event).",
        "What the rule would have seen since then, nobody sees. An event may have been made so.",
        "Look at the event at the alert's first place in the log, and report the fault. After the"
        " update, a replay (`kluis watch replay`) from that day shows what was missed.",
    ),
    nl=Words(
        "Een regel van de bewaking kon een gebeurtenis niet verwerken, en staat de rest van de dag"
        " uit; het feit met zijn naam zegt welke (`known`: wat alle regels delen, miste die"
        " gebeurtenis).",
        "Wat de regel sindsdien had gezien, ziet niemand. Een gebeurtenis kan zo zijn gemaakt.",
        "Bekijk de gebeurtenis op de eerste plaats van de melding in het logboek, en meld de fout."
        " Na de update toont een herhaling (`kluis watch replay`) vanaf die dag wat is gemist.",
    ),
)
ABOUT = (ALTERED, SHORTENED, LAGGING, RULE_FAILED)


def legible(each: CheckedEvent) -> Seen | None:
    """What a place of the log says; None where there is nothing, or nothing that can be read."""
    if each.event is None:
        return None
    try:
        return Seen.from_record(each.index, each.event.number, each.event.record)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def is_altered(each: CheckedEvent) -> bool:
    """Whether a place holds what the log never wrote there."""
    return each.is_altered or (each.event is not None and legible(each) is None)


def altered(
    found: Sequence[CheckedEvent], now: datetime, before: Finding | None = None
) -> Finding | None:
    """What is altered in one stretch of the log, added to what was `before` it."""
    places = [each.index for each in found if is_altered(each)]
    if not places:
        return before
    first = places[0] if before is None else before.first_index
    count = len(places) + (0 if before is None else before.count)
    return Finding(
        rule=ALTERED.name,
        key=f"from {first}",
        severity=Severity.HIGH,
        at=now,
        first_index=first,
        last_index=places[-1],
        count=count,
        facts=json.dumps({"altered": count}),
    )


def shortened(following: int, size: int, now: datetime) -> Finding:
    """The log has fewer places than were watched."""
    return Finding(
        rule=SHORTENED.name,
        key=f"{following} to {size}",
        severity=Severity.HIGH,
        at=now,
        first_index=size,
        last_index=following - 1,
        count=following - size,
        facts=json.dumps({"missing": following - size}),
    )


def lagging(waiting_since: datetime | None, size: int, now: datetime) -> Finding | None:
    """Events wait for their place for too long; said once an hour."""
    if waiting_since is None or now - waiting_since < LAG:
        return None
    seconds = int((now - waiting_since).total_seconds())
    return Finding(
        rule=LAGGING.name,
        key=f"{now:%Y-%m-%dT%HZ}",
        severity=Severity.WARNING,
        at=now,
        first_index=size,
        last_index=size,
        count=1,
        facts=json.dumps({"seconds": seconds}),
    )
