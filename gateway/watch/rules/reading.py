"""Reading without a reason: cases that somebody has nothing to do with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.watch.known import HABIT_DAYS, READS, Known
from gateway.watch.memory import DAY, Days, Kept, Recent
from gateway.watch.relation import Doubt, doubt, is_new
from gateway.watch.rules.base import About, Hit, Rule, Words, above_habit, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds

_VISITS = 5 * DAY


@dataclass(slots=True)
class _Read:
    """The cases of others that one account read within a week, with their points; by day."""

    week: Recent[tuple[str, int]] = field(default_factory=lambda: Recent(7 * DAY))
    before: Days = field(default_factory=lambda: Days(HABIT_DAYS))

    def add(self, case_id: str, points: Doubt, now: int) -> int:
        """Add a read; how many points there are now: each case counts once, by its worst."""
        if points is Doubt.FULL or (case_id, int(Doubt.FULL)) not in self.week:
            self._add_once((case_id, int(points)), now)
        self.week.count(now)
        worst: dict[str, int] = {}
        for case, each in self.week:
            worst[case] = max(each, worst.get(case, 0))
        return sum(worst.values())

    def _add_once(self, read: tuple[str, int], now: int) -> None:
        self.week.count(now)
        if read not in self.week:  # a case counts from when it was read first
            self.week.add(read, now)


class NoRelation(Rule):
    """Somebody reads several cases of colleagues that nobody works on."""

    about = About(
        name="no_relation",
        severities=(Severity.NOTICE, Severity.WARNING),
        limits=(
            *("doubtful_points", "percent_of_habit", "learning_days", "active_days", "away_hours"),
            *("lookup_minutes", "lookup_days"),
        ),
        fold_seconds=7 * DAY,
        en=Words(
            "Within a week somebody of a practice reads many cases of others, more than is their"
            " habit. A case counts twice if nobody worked on it of late, its people are there, and"
            " they did not look it up; else once; not at all if they worked on it, or if looking"
            " patients up is what they do most days. A notice for accounts that are known for less"
            " than five weeks.",
            "They may, by the rules; but a reason would show as work. Curiosity does not.",
            "Ask the practice's manager whether there was a reason, without naming a patient.",
        ),
        nl=Words(
            "Iemand van een praktijk leest binnen een week veel casussen van anderen, meer dan hij"
            " gewoon is. Een casus telt dubbel als er pas nog niemand aan werkte, de mensen ervan"
            " er zijn en hij hem niet opzocht; anders enkel; niet als hij eraan werkte, of als"
            " opzoeken is wat hij de meeste dagen doet. Een notitie bij accounts die nog geen vijf"
            " weken bekend zijn.",
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
        """Add up the distinct cases."""
        if seen.stage != "authorised" or seen.case_id is None:
            return
        points = doubt(seen, known, self.limits, now)
        if points is Doubt.NONE:
            return
        kept, today = self._read.touch(seen.actor_id, now), now // DAY
        total = kept.add(seen.case_id, points, now)
        habit = above_habit(kept.before.before(today - 6), self.limits)
        kept.before.raise_to(today, total)
        least = self.limits.doubtful_points
        if is_new(seen, known, self.limits, now):
            least *= 2
        if total >= max(least, habit):
            person = known.people.get(seen.actor_id, now)
            known_long = person is not None and person.has_habits(now)
            yield Hit(
                severity=Severity.WARNING if known_long else Severity.NOTICE,
                key=seen.actor_id,
                subject=of_account(seen),
                facts={"points": total, "least": max(least, habit)},
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
        limits=("visitors_per_case", "days_at_case", "lookup_days", "learning_days"),
        fold_seconds=7 * DAY,
        en=Words(
            "Within a day several people who did not work on it read the same case, or one of them"
            " comes to it on several days of five. Whoever looks patients up most days does not"
            " count for what they looked up.",
            "The case of somebody known, or of one's family, draws people one by one.",
            "Ask the practice's manager. If the patient is somebody known, restrict the case.",
        ),
        nl=Words(
            "Binnen een dag lezen verschillende mensen die er niet aan werkten dezelfde casus, of"
            " één van hen komt er op verschillende van vijf dagen. Wie de meeste dagen patiënten"
            " opzoekt, telt niet voor wat hij opzocht.",
            "De casus van een bekende, of van familie, trekt mensen een voor een.",
            "Vraag de manager van de praktijk. Is de patiënt bekend, beperk dan de casus.",
        ),
    )
    codes = READS

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._visits: Kept[str, Recent[tuple[str, int]]] = Kept(
            lambda: Recent(_VISITS, 256), most=limits.most_people, idle=_VISITS
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count who came to the case within a day, and on how many days each did."""
        if seen.stage != "authorised" or seen.case_id is None:
            return
        if doubt(seen, known, self.limits, now) is Doubt.NONE:
            return
        visits = self._visits.touch(seen.case_id, now)
        visits.add((seen.actor_id, now // DAY), now)
        last = {visit: visits.when(visit) or 0 for visit in visits}
        people = len({who for (who, _), when in last.items() if when > now - DAY})
        own = sum(1 for who, _ in last if who == seen.actor_id)
        if people >= self.limits.visitors_per_case or own >= self.limits.days_at_case:
            yield Hit(
                severity=Severity.WARNING,
                key=seen.case_id,
                subject=of_account(seen),
                facts={"people_in_a_day": people, "days": own},
            )

    @property
    def dropped(self) -> int:
        """How many cases its cap threw away."""
        return self._visits.dropped
