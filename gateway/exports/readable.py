"""The lines of the readable page: one for each act, with what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo

from gateway.exports import words
from gateway.exports.entry import Entry
from gateway.exports.words import Language


@dataclass(frozen=True, slots=True)
class About:
    """What stands above the lines.

    Attributes:
        cases: Ids of the cases; none: the whole log of a practice.
        first: The first day, None: from the beginning.
        last: The last day, None: until now.
        made_at: The time of the export, aware, in the zone of the reader.
        origin: Name of the log.
        language: Of the page.
    """

    cases: Sequence[str]
    first: date | None
    last: date | None
    made_at: datetime
    origin: str
    language: Language

    def facts(self) -> list[tuple[str, str]]:
        """Give names and values of what the page is about."""
        language = self.language
        cases = ", ".join(words.CASE(language).format(id=case) for case in self.cases)
        periods = {
            (False, False): words.ALWAYS,
            (True, False): words.FROM,
            (False, True): words.UNTIL,
            (True, True): words.BETWEEN,
        }
        period = periods[self.first is not None, self.last is not None](language)
        return [
            (words.SUBJECT(language), cases or words.WHOLE_LOG(language)),
            (words.PERIOD(language), period.format(first=self.first, last=self.last)),
            (words.MADE_AT(language), moment(self.made_at, self.made_at.tzinfo)),
            (words.ORIGIN(language), self.origin),
        ]


@dataclass(slots=True)
class Line:
    """One act."""

    at: datetime
    who: str
    what: str
    why: str
    results: list[str]
    places: list[str]


@dataclass(slots=True)
class Lines:
    """Collects entries; an outcome joins the line of the act that it ends."""

    about: About
    lines: list[Line] = field(default_factory=list)
    _of_event: dict[str, Line] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        event, language = entry.event, self.about.language
        became = words.result(event, language)
        place = [] if entry.index is None else [str(entry.index)]
        begun = self._of_event.get(event.cause or "") if event.stage == "outcome" else None
        if begun is not None:
            begun.results.append(became)
            begun.places += place
            return
        who = words.who(event, entry.email, language)
        what, why = words.what(event, language), words.why(event, language)
        line = Line(event.at, who, what, why, [became], place)
        self._of_event[event.id] = line
        self.lines.append(line)

    def rows(self) -> list[tuple[str, ...]]:
        """Give the cells of each line, in the order of `columns`."""
        zone = self.about.made_at.tzinfo
        return [
            (
                moment(line.at, zone),
                line.who,
                line.what,
                line.why,
                "; ".join(line.results),
                ", ".join(line.places),
            )
            for line in self.lines
        ]

    def columns(self) -> list[str]:
        """Give the names of the columns."""
        named = (words.WHEN, words.WHO, words.WHAT, words.WHY, words.RESULT, words.PLACE)
        return [name(self.about.language) for name in named]


def moment(at: datetime, zone: tzinfo | None) -> str:
    """Give a time to the second with the zone's offset, so that it is the same for everybody."""
    return at.astimezone(zone).isoformat(sep=" ", timespec="seconds")
