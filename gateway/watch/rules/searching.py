"""Searches by identity: each is a question whether somebody is a patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.watch.known import HABIT_DAYS, Known
from gateway.watch.memory import DAY, MINUTE, Days, Kept, Recent
from gateway.watch.rules.base import About, Hit, Rule, Words, above_habit, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds


@dataclass(slots=True)
class _Searches:
    """The searches of one account: of a minute, of half an hour, what they found, and by day."""

    minute: Recent[str] = field(default_factory=lambda: Recent(MINUTE))
    half_hour: Recent[str] = field(default_factory=lambda: Recent(30 * MINUTE))
    found: Recent[str] = field(default_factory=lambda: Recent(30 * MINUTE))
    on: int = -1
    today: int = 0
    before: Days = field(default_factory=lambda: Days(HABIT_DAYS))


class SearchOracle(Rule):
    """Somebody searches so often that they try identities rather than look for a patient."""

    about = About(
        name="search_oracle",
        severities=(Severity.NOTICE, Severity.WARNING, Severity.HIGH),
        limits=("searches_per_minute", "searches_per_day", "misses", "percent_of_habit"),
        en=Words(
            "One account searches by identity far more often in a day than it does, or as fast as"
            " nobody types (a warning); high if within half an hour many searches find nobody.",
            "A search answers whether somebody is a patient of the practice. Asked of a list of"
            " names or numbers it gives away who is, and undoes every pseudonym.",
            "End the session or token and ask. Which identities were tried is not in the log; the"
            " cases that were found are, and theirs are the patients to think of.",
        ),
        nl=Words(
            "Eén account zoekt op een dag veel vaker op identiteit dan het doet, of zo snel als"
            " niemand typt (een waarschuwing); hoog als binnen een half uur veel zoekacties"
            " niemand vinden.",
            "Zoeken geeft antwoord op de vraag of iemand patiënt van de praktijk is. Voor een"
            " lijst namen of nummers verraadt het wie dat is, en maakt elk pseudoniem ongedaan.",
            "Beëindig sessie of token en vraag het. Welke identiteiten zijn geprobeerd staat niet"
            " in het logboek; welke casussen zijn gevonden wel, en om die patiënten gaat het.",
        ),
    )
    codes = frozenset({"case.search"})

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._searches: Kept[str, _Searches] = Kept(
            _Searches, most=limits.most_people, idle=HABIT_DAYS * DAY
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Count searches, and by their outcomes those that found somebody."""
        kept = self._searches.touch(seen.actor_id, now)
        if seen.stage == "outcome":
            if seen.detail.get("cases") and seen.cause is not None:
                kept.found.add(seen.cause, now)
            return
        day = now // DAY
        if kept.on != day:
            if kept.on >= 0:
                kept.before.set(kept.on, kept.today)
            kept.on, kept.today = day, 0
        kept.today += 1
        minute = kept.minute.add(seen.id, now)
        # The one that was just asked has no outcome yet: it counts as neither.
        missed = max(0, kept.half_hour.add(seen.id, now) - 1 - kept.found.count(now))
        habit = above_habit(kept.before.before(day), self.limits)
        if missed >= self.limits.misses:
            severity = Severity.HIGH
        elif minute >= self.limits.searches_per_minute:
            severity = Severity.WARNING
        elif kept.today >= max(self.limits.searches_per_day, habit):
            severity = Severity.NOTICE
        else:
            return
        yield Hit(
            severity=severity,
            key=seen.actor_id,
            subject=of_account(seen),
            facts={"in_a_minute": minute, "in_a_day": kept.today, "found_nobody": missed},
        )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._searches.dropped
