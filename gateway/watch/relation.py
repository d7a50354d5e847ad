"""Whether somebody has to do with a case that they read, as far as the log tells.

In a practice everybody may open every case of it, so being allowed explains nothing. What does:
work on the case by oneself. What may: that anybody worked on it of late, that whoever did is away,
that it was just searched for or listed. It explains one read each, and no number of them; but
those who look patients up most days do so for a living.
"""

from __future__ import annotations

from enum import IntEnum

from gateway.watch.known import PRACTICE, CaseKnown, Known
from gateway.watch.memory import DAY
from gateway.watch.seen import Seen
from gateway.watch.thresholds import Thresholds


class Doubt(IntEnum):
    """How little explains that somebody reads a case; as points, they add up."""

    NONE = 0  # their own work, or their daily one
    SOME = 1  # it is in work, somebody is away, or they looked it up
    FULL = 2  # nothing does


def doubt(seen: Seen, known: Known, limits: Thresholds, now: int) -> Doubt:
    """How little explains a read of a case by somebody of its practice."""
    if seen.case_id is None or seen.actor_role not in PRACTICE or seen.actor_role == "service":
        return Doubt.NONE  # planners read what they were assigned; others see no content
    case = known.cases.get(seen.case_id, now)
    if case is not None and seen.actor_id in case.workers:
        return Doubt.NONE
    if _is_looked_up(seen, known, limits, now):
        return Doubt.NONE if _looks_up_daily(seen, known, limits, now) else Doubt.SOME
    if case is None:
        # Before the watch has seen enough of the past, it has not met every case.
        return Doubt.NONE if now - known.since < limits.active_days * DAY else Doubt.FULL
    if _is_in_work(case, limits, now) or _is_cover(seen, known, case, limits, now):
        return Doubt.SOME
    return Doubt.FULL


def is_explained(seen: Seen, known: Known, limits: Thresholds, now: int) -> bool:
    """Whether work explains a read, by oneself, by anybody of late, or by somebody who is away.

    That it was looked up does not: who takes files out looks them up, too.
    """
    if seen.case_id is None or seen.actor_role not in PRACTICE or seen.actor_role == "service":
        return True
    case = known.cases.get(seen.case_id, now)
    if case is None:
        return now - known.since < limits.active_days * DAY
    if seen.actor_id in case.workers or _is_in_work(case, limits, now):
        return True
    return _is_cover(seen, known, case, limits, now)


def is_new(seen: Seen, known: Known, limits: Thresholds, now: int) -> bool:
    """Whether somebody is known for so short a time that little is a habit of theirs."""
    person = known.people.get(seen.actor_id, now)
    return person is None or now - person.first_at < limits.learning_days * DAY


def _is_looked_up(seen: Seen, known: Known, limits: Thresholds, now: int) -> bool:
    person = known.people.get(seen.actor_id, now)
    if person is None or seen.case_id is None:
        return False
    when = person.looked_up.when(seen.case_id)
    return when is not None and now - when <= limits.lookup_minutes * 60


def _looks_up_daily(seen: Seen, known: Known, limits: Thresholds, now: int) -> bool:
    """Whether it is their work to read what they look up; of newcomers it is assumed."""
    person = known.people.get(seen.actor_id, now)
    if person is None or is_new(seen, known, limits, now):
        return True
    return len(person.looks.before(now // DAY)) >= limits.lookup_days


def _is_in_work(case: CaseKnown, limits: Thresholds, now: int) -> bool:
    return case.worked_at is not None and now - case.worked_at <= limits.active_days * DAY


def _is_cover(seen: Seen, known: Known, case: CaseKnown, limits: Thresholds, now: int) -> bool:
    """Whether those of the practice who worked on it have been away."""
    theirs = [known.people.get(worker, now) for worker in case.workers if worker != seen.actor_id]
    colleagues = [each for each in theirs if each is not None and each.role in PRACTICE]
    return bool(colleagues) and all(
        now - each.last_at > limits.away_hours * 3600 for each in colleagues
    )
