"""Reading without a reason: cases that somebody has nothing to do with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.watch.known import HABIT_DAYS, READS, Known
from gateway.watch.memory import DAY, HOUR, Days, Kept, Recent
from gateway.watch.relation import is_strange, is_visit
from gateway.watch.rules.base import About, Hit, Rule, Words, above_habit, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds


@dataclass(slots=True)
class _Read:
    """The cases without a reason that one account read: within a day and a week, and by day."""

    day: Recent[str] = field(default_factory=lambda: Recent(DAY))
    week: Recent[str] = field(default_factory=lambda: Recent(7 * DAY))
    before: Days = field(default_factory=lambda: Days(HABIT_DAYS))


class NoRelation(Rule):
    """Somebody reads several cases of colleagues that nobody works on."""

    about = About(
        name="no_relation",
        severities=(Severity.NOTICE, Severity.WARNING),
        limits=(
            *("strange_cases_per_day", "strange_cases_per_week", "percent_of_habit"),
            *("active_days", "away_hours", "lookup_minutes"),
        ),
        en=Words(
            "Within a day or a week somebody of a practice reads several cases that they never"
            " worked on and did not look up, that nobody worked on of late, and whose people are"
            " not away; more than their habit. A notice for accounts that are known for less than"
            " five weeks.",
            "They may, by the rules; but a reason would show as work. Curiosity does not.",
            "Ask the practice's manager whether there was a reason, without naming a patient.",
        ),
        nl=Words(
            "Iemand van een praktijk leest op een dag of in een week verschillende casussen"
            " waaraan hij nooit werkte en die hij niet opzocht, waaraan pas nog niemand werkte, en"
            " waarvan de mensen er wel zijn; meer dan hij gewoon is. Een notitie bij accounts die"
            " nog geen vijf weken bekend zijn.",
            "Volgens de regels mag het; maar een reden zou te zien zijn als werk."
            " Nieuwsgierigheid niet.",
            "Vraag de manager van de praktijk of er een reden was, zonder een patiënt te noemen.",
        ),
    )
    codes = READS

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._read: Kept[str, _Read] = Kept(_Read, most=limits.most_people, idle=HABIT_DAYS * DAY)

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count the distinct cases."""
        if seen.stage != "authorised" or seen.case_id is None:
            return
        if not is_strange(seen, known, self.limits, now):
            return
        kept, today = self._read.touch(seen.actor_id, now), now // DAY
        day, week = kept.day.add(seen.case_id, now), kept.week.add(seen.case_id, now)
        habit = above_habit(kept.before.before(today), self.limits)
        kept.before.raise_to(today, day)
        often = day >= max(self.limits.strange_cases_per_day, habit)
        if often or week >= max(self.limits.strange_cases_per_week, 2 * habit):
            person = known.people.get(seen.actor_id, now)
            known_long = person is not None and person.has_habits(now)
            yield Hit(
                severity=Severity.WARNING if known_long else Severity.NOTICE,
                key=seen.actor_id,
                subject=of_account(seen),
                facts={"in_a_day": day, "in_a_week": week},
            )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._read.dropped


class DrawnToCase(Rule):
    """One case draws people who have nothing to do with it, or one person again and again."""

    about = About(
        name="drawn_to_case",
        severities=(Severity.WARNING,),
        limits=(
            "strangers_per_case",
            "visits_to_case",
            "fresh_days",
            "active_days",
            "lookup_minutes",
        ),
        fold_seconds=7 * DAY,
        en=Words(
            "Within a week several people who did not work on it read the same case, or one of them"
            " does so again and again.",
            "The case of somebody known, or of one's family, draws people one by one.",
            "Ask the practice's manager. If the patient is somebody known, restrict the case.",
        ),
        nl=Words(
            "Binnen een week lezen verschillende mensen die er niet aan werkten dezelfde casus, of"
            " doet één van hen het telkens weer.",
            "De casus van een bekende, of van familie, trekt mensen een voor een.",
            "Vraag de manager van de praktijk. Is de patiënt bekend, beperk dan de casus.",
        ),
    )
    codes = READS

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._readers: Kept[str, Recent[tuple[str, int]]] = Kept(
            lambda: Recent(7 * DAY, 64), most=limits.most_people, idle=7 * DAY
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count who came to the case without a reason, and in how many hours each."""
        if seen.stage != "authorised" or seen.case_id is None:
            return
        if not is_visit(seen, known, self.limits, now):
            return
        visits = self._readers.touch(seen.case_id, now)
        visits.add((seen.actor_id, now // HOUR), now)
        people = len({who for who, _ in visits})
        own = sum(1 for who, _ in visits if who == seen.actor_id)
        # Cover for a colleague who is away brings one back to a case; nothing else does.
        least = self.limits.visits_to_case
        if not is_strange(seen, known, self.limits, now):
            least += 1
        if people >= self.limits.strangers_per_case or own >= least:
            yield Hit(
                severity=Severity.WARNING,
                key=seen.case_id,
                subject=of_account(seen),
                facts={"people": people, "visits": own},
            )

    @property
    def dropped(self) -> int:
        """How many cases its cap threw away."""
        return self._readers.dropped
