"""From what number on a rule speaks: each with its unit, and what it is in both languages."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a threshold is: its unit, and a sentence in English and in Dutch."""

    unit: str
    en: str
    nl: str


def _limit(default: int, unit: str, en: str, nl: str) -> Any:
    return field(default=default, metadata={"meaning": Meaning(unit, en, nl)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Every number that a rule compares with."""

    history_days: int = _limit(
        60, "days", "what lies further back is forgotten", "wat verder terug ligt is vergeten"
    )
    most_people: int = _limit(
        20_000,
        "people",
        "people remembered at a time; beyond it whoever was silent longest is forgotten",
        "mensen die tegelijk worden onthouden; daarboven wordt vergeten wie het langst zweeg",
    )
    most_cases: int = _limit(
        200_000,
        "cases",
        "cases remembered at a time; beyond it the one untouched for longest is forgotten",
        "casussen die tegelijk worden onthouden; daarboven wordt de langst onberoerde vergeten",
    )
    active_days: int = _limit(
        5,
        "days",
        "a case that anybody worked on within these is in work",
        "een casus waaraan binnen dit aantal iemand werkte is in behandeling",
    )
    away_hours: int = _limit(
        20,
        "hours",
        "whoever did nothing for so long is away",
        "wie zo lang niets deed is afwezig",
    )
    fresh_days: int = _limit(
        3,
        "days",
        "a case that was assigned to somebody within these is new to them",
        "een casus die binnen dit aantal is toegewezen is er nieuw voor iemand",
    )
    known_days: int = _limit(
        5,
        "days",
        "an account has habits once it has acted for so long",
        "een account heeft gewoontes als het zo lang handelt",
    )
    percent_of_habit: int = _limit(
        150,
        "percent",
        "so much of one's own busiest day or hour of the last five weeks is unusual",
        "zo veel van de eigen drukste dag of uur van vijf weken is ongewoon",
    )
    failures_per_account: int = _limit(
        10,
        "sign-ins",
        "failures of one account within an hour; half of it if it then succeeds somewhere new",
        "mislukkingen van één account binnen een uur; de helft als het dan ergens nieuw lukt",
    )
    strangers_per_network: int = _limit(
        6,
        "accounts",
        "accounts that fail within an hour at one network where they never were",
        "accounts die binnen een uur mislukken op één netwerk waar zij nooit waren",
    )
    strangers_together: int = _limit(
        25,
        "accounts",
        "the same over all networks together",
        "hetzelfde over alle netwerken samen",
    )
    unknown_per_burst: int = _limit(
        6,
        "ids",
        "distinct things that were not found for one account in ten minutes",
        "verschillende dingen die er voor één account niet waren, in tien minuten",
    )
    unknown_per_day: int = _limit(
        15,
        "ids",
        "the same in a day",
        "hetzelfde op een dag",
    )
    refusals_per_burst: int = _limit(
        40,
        "refusals",
        "refusals of one account or address in ten minutes",
        "weigeringen van één account of adres in tien minuten",
    )
    revoked_days: int = _limit(
        30,
        "days",
        "a refused use counts for so long after a token was revoked",
        "een geweigerd gebruik telt zo lang nadat een token werd ingetrokken",
    )
    revoked_uses: int = _limit(
        3,
        "uses",
        "refused uses within an hour after a token was revoked",
        "geweigerde keren binnen een uur nadat een token werd ingetrokken",
    )
    ended_cases_per_day: int = _limit(
        5,
        "cases",
        "cases that are over for a planner, asked for in a day",
        "casussen die voor een planner voorbij zijn, gevraagd op een dag",
    )
    ended_asks_per_hour: int = _limit(
        4,
        "requests",
        "requests for such cases in an hour",
        "verzoeken om zulke casussen in een uur",
    )
    grant_hours: int = _limit(
        24,
        "hours",
        "an act counts as the use of what was given within these",
        "een handeling telt binnen dit aantal als gebruik van wat is gegeven",
    )
    searches_per_minute: int = _limit(
        12,
        "searches",
        "searches by identity of one account in a minute",
        "zoekacties op identiteit van één account in een minuut",
    )
    searches_per_day: int = _limit(
        90,
        "searches",
        "the same in a day, unless it is the account's habit",
        "hetzelfde op een dag, tenzij het account dat gewoon is",
    )
    misses: int = _limit(
        10,
        "searches",
        "searches that found nobody within half an hour",
        "zoekacties die niemand vonden binnen een half uur",
    )
    taken_cases_per_hour: int = _limit(
        10,
        "cases",
        "cases that one account downloads from in an hour, those new to it aside",
        "casussen waaruit één account in een uur downloadt, nieuwe daargelaten",
    )
    taken_strange_cases: int = _limit(
        20,
        "cases",
        "cases without a reason that one account downloads from over weeks",
        "casussen zonder reden waaruit één account in weken downloadt",
    )
    slow_days: int = _limit(
        21,
        "days",
        "the weeks of a slow exfiltration",
        "de weken van een langzame onttrekking",
    )
    strange_place_cases: int = _limit(
        3,
        "cases",
        "cases read within an hour where an account is new",
        "casussen gelezen binnen een uur waar een account nieuw is",
    )
    out_of_hours_cases: int = _limit(
        5,
        "cases",
        "cases read within an unusual hour",
        "casussen gelezen binnen een ongewoon uur",
    )
    emergencies_per_week: int = _limit(
        3,
        "cases",
        "cases that one account opens by emergencies in a week",
        "casussen die één account in een week met noodgevallen opent",
    )
    review_hours: int = _limit(
        72,
        "hours",
        "an emergency is reviewed within these",
        "een noodgeval wordt hierbinnen beoordeeld",
    )
    doubtful_points: int = _limit(
        8,
        "points",
        "cases of others that one person reads within a week: two for each that nothing explains,"
        " one where something may; twice as many for newcomers",
        "casussen van anderen die één persoon binnen een week leest: twee voor elke die niets"
        " verklaart, één waar dat kan; het dubbele voor nieuwkomers",
    )
    learning_days: int = _limit(
        28,
        "days",
        "whoever is known for less is a newcomer",
        "wie korter bekend is, is een nieuwkomer",
    )
    lookup_days: int = _limit(
        8,
        "days",
        "who reads what they looked up on so many days of five weeks does so for a living",
        "wie op zo veel dagen van vijf weken leest wat hij opzocht, doet dat voor zijn werk",
    )
    lookup_minutes: int = _limit(
        30,
        "minutes",
        "a case that was searched or listed within these is read for that",
        "een casus die hierbinnen is gezocht of in een lijst stond wordt daarvoor gelezen",
    )
    visitors_per_case: int = _limit(
        3,
        "people",
        "people at one case of others within a day",
        "mensen bij één casus van anderen binnen een dag",
    )
    days_at_case: int = _limit(
        3,
        "days",
        "days of five on which one of them comes to it",
        "dagen van vijf waarop een van hen er komt",
    )
    erasures_per_day: int = _limit(
        20,
        "erasures",
        "cases and files that one account asks to erase in a day",
        "casussen en bestanden die één account op een dag laat vernietigen",
    )
    late_minutes: int = _limit(
        30,
        "minutes",
        "an event so much older than one before it came late",
        "een gebeurtenis die zo veel ouder is dan een ervoor kwam laat",
    )


def meanings() -> dict[str, Meaning]:
    """What each threshold is, by its name."""
    return {each.name: each.metadata["meaning"] for each in fields(Thresholds)}
