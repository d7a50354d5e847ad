"""What `kluis audit` says of a log, in English and Dutch."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.audit.findings import Finding, Lie
from gateway.cli.texts import Words

RIGHT = Words(
    "The log is right: {events} events of your practice among {size} entries, each in its place;"
    " {receipts} receipts found; {witnesses} witnesses co-signed.",
    "Het logboek klopt: {events} gebeurtenissen van uw praktijk onder {size} regels, elk op zijn"
    " plaats; {receipts} bewijzen gevonden; {witnesses} getuigen tekenden mee.",
)
FIRST = Words(
    "This was the first check. From now on a log that is rolled back or rewritten is found.",
    "Dit was de eerste controle. Vanaf nu valt een teruggedraaid of herschreven logboek op.",
)
PRUNED = Words(
    "{pruned} events are past their legal term: their places are proved, their contents gone.",
    "{pruned} gebeurtenissen zijn voorbij de wettelijke termijn: hun plaats is bewezen, de inhoud"
    " is weg.",
)
WRONG = Words(
    "The log is NOT right. Keep this output and the files of {directory}, and call the processor.",
    "Het logboek klopt NIET. Bewaar deze uitvoer en de bestanden van {directory}, en bel de"
    " verwerker.",
)
MORE = Words(
    "... and {count} more; --json lists all.", "... en nog {count}; --json toont ze allemaal."
)

LIES: Mapping[Lie, Words] = {
    Lie.UNSIGNED: Words(
        "The checkpoint is not signed by the key of {subject}.",
        "Het ijkpunt is niet ondertekend met de sleutel van {subject}.",
    ),
    Lie.UNWITNESSED: Words(
        "Of the witnesses that you require, {subject} co-signed.",
        "Van de getuigen die u eist tekenden er {subject} mee.",
    ),
    Lie.STALE: Words(
        "The checkpoint is too old; it was last seen to be current at {subject}.",
        "Het ijkpunt is te oud; het was voor het laatst actueel op {subject}.",
    ),
    Lie.ROLLED_BACK: Words(
        "The log had {subject} entries before, and has fewer now: it was rolled back.",
        "Het logboek had eerder {subject} regels en nu minder: het is teruggedraaid.",
    ),
    Lie.REWRITTEN: Words(
        "Among the entries {subject} are others than were signed before: the log was rewritten,"
        " or you are shown another one than the world.",
        "Onder de regels {subject} zijn andere dan eerder getekend: het logboek is herschreven,"
        " of u krijgt een ander te zien dan de rest.",
    ),
    Lie.FALSE_TREE: Words(
        "Tile {subject} is not of the tree that was signed.",
        "Tegel {subject} is niet van de boom die is ondertekend.",
    ),
    Lie.UNPROVEN: Words(
        "Tile {subject} is missing: without it nothing is proved.",
        "Tegel {subject} ontbreekt: zonder deze is er niets bewezen.",
    ),
    Lie.GAP: Words(
        "Of your events, number {subject} is withheld.",
        "Van uw gebeurtenissen wordt nummer {subject} achtergehouden.",
    ),
    Lie.WITHHELD: Words(
        "Your event {subject} was shown before, and is withheld now.",
        "Uw gebeurtenis {subject} is eerder getoond en wordt nu achtergehouden.",
    ),
    Lie.ALTERED: Words(
        "Your event {subject} was altered: it is not what the log holds of it.",
        "Uw gebeurtenis {subject} is gewijzigd: zij is niet wat het logboek ervan bevat.",
    ),
    Lie.MISPLACED: Words(
        "Event {subject} is not where its number belongs.",
        "Gebeurtenis {subject} staat niet waar haar nummer hoort.",
    ),
    Lie.FOREIGN: Words(
        "What is shown as event {subject} is not an event of your practice.",
        "Wat als gebeurtenis {subject} wordt getoond is geen gebeurtenis van uw praktijk.",
    ),
    Lie.PRUNED_EARLY: Words(
        "The contents of event {subject} were removed before the legal term ended.",
        "De inhoud van gebeurtenis {subject} is vóór het einde van de termijn verwijderd.",
    ),
    Lie.RECEIPT_MISSING: Words(
        "You hold a receipt for event {subject}; the log does not have it.",
        "U hebt een bewijs van gebeurtenis {subject}; het logboek heeft haar niet.",
    ),
    Lie.RECEIPT_CONTRADICTED: Words(
        "Event {subject} says something else than your receipt for it.",
        "Gebeurtenis {subject} zegt iets anders dan uw bewijs ervan.",
    ),
}


def say(finding: Finding) -> str:
    """One finding as a sentence."""
    return LIES[finding.lie].say(subject=finding.subject)
