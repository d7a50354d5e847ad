"""Taking files out: many at once, or a few a day for weeks."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.watch.known import TAKES, Known
from gateway.watch.memory import DAY, HOUR, Kept, Recent
from gateway.watch.relation import is_explained
from gateway.watch.rules.base import About, Hit, Rule, Words, above_habit, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds


class BulkDownload(Rule):
    """Somebody downloads from many more cases in an hour than they or their colleagues do."""

    about = About(
        name="bulk_download",
        severities=(Severity.WARNING, Severity.HIGH),
        limits=("taken_cases_per_hour", "percent_of_habit", "fresh_days"),
        en=Words(
            "In an hour somebody downloads files of many more cases than in their busiest hour of"
            " the last weeks; cases that were assigned to them in the last days do not count. A"
            " warning for accounts that are known for less than five weeks.",
            "Whoever leaves, or has somebody else's session, takes what they can get.",
            "End their sessions and tokens first, then ask. The log names each case.",
        ),
        nl=Words(
            "Iemand downloadt in een uur bestanden van veel meer casussen dan in zijn drukste uur"
            " van de laatste weken; casussen die pas zijn toegewezen tellen niet. Een"
            " waarschuwing bij accounts die nog geen vijf weken bekend zijn.",
            "Wie vertrekt, of de sessie van een ander heeft, neemt mee wat hij krijgen kan.",
            "Beëindig eerst sessies en tokens, en vraag het dan. Het logboek noemt elke casus.",
        ),
    )
    codes = TAKES

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._taken: Kept[str, Recent[str]] = Kept(
            lambda: Recent(HOUR, 4096), most=limits.most_people, idle=HOUR
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count the distinct cases that are not new to whoever takes them."""
        if seen.stage != "authorised" or seen.case_id is None:
            return
        if _is_fresh(seen, seen.case_id, known, self.limits, now):
            return
        count = self._taken.touch(seen.actor_id, now).add(seen.case_id, now)
        if count < self.limits.taken_cases_per_hour:
            return
        person = known.people.get(seen.actor_id, now)
        habit = above_habit([] if person is None else person.busy.before(now // DAY), self.limits)
        known_long = person is not None and person.has_habits(now)
        if count >= habit:
            yield Hit(
                severity=Severity.HIGH if known_long else Severity.WARNING,
                key=seen.actor_id,
                subject=of_account(seen),
                facts={"cases": count, "least": max(habit, self.limits.taken_cases_per_hour)},
            )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._taken.dropped


class SlowExfiltration(Rule):
    """Somebody takes a few cases without a reason, again and again, for weeks."""

    about = About(
        name="slow_exfiltration",
        severities=(Severity.WARNING,),
        limits=("taken_strange_cases", "slow_days", "active_days", "away_hours"),
        fold_seconds=7 * DAY,
        en=Words(
            "Over weeks somebody downloads files of many cases that they have nothing to do with,"
            " a few a day.",
            "Whoever knows that a burst is seen takes little at a time.",
            "End their sessions and tokens, then ask. Look at all weeks, not at the last day.",
        ),
        nl=Words(
            "Weken lang downloadt iemand bestanden van veel casussen waarmee hij niets te maken"
            " heeft, een paar per dag.",
            "Wie weet dat een uitschieter opvalt, neemt weinig tegelijk.",
            "Beëindig sessies en tokens, en vraag het dan. Kijk naar alle weken, niet naar de"
            " laatste dag.",
        ),
    )
    codes = TAKES

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        length = limits.slow_days * DAY
        self._taken: Kept[str, Recent[str]] = Kept(
            lambda: Recent(length, 4096), most=limits.most_people, idle=length
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count the distinct cases without a reason over weeks."""
        if seen.stage != "authorised" or seen.case_id is None:
            return
        if is_explained(seen, known, self.limits, now):
            return
        count = self._taken.touch(seen.actor_id, now).add(seen.case_id, now)
        if count >= self.limits.taken_strange_cases:
            yield Hit(
                severity=Severity.WARNING,
                key=seen.actor_id,
                subject=of_account(seen),
                facts={"cases": count},
            )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._taken.dropped


def _is_fresh(seen: Seen, case_id: str, known: Known, limits: Thresholds, now: int) -> bool:
    """Whether the case was assigned to them, or worked on by them, in the last days."""
    case = known.cases.get(case_id, now)
    if case is None:
        return False
    since = max(case.planners.get(seen.actor_id, 0), case.workers.get(seen.actor_id, 0))
    return now - since <= limits.fresh_days * DAY
