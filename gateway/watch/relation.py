"""Whether somebody has to do with a case that they read, as far as the log tells.

In a practice everybody may open every case of it, so being allowed explains nothing. What does:
work on the case by oneself; work on it by anybody of late; or that whoever worked on it is away.
"""

from __future__ import annotations

from gateway.watch.known import PRACTICE, Known
from gateway.watch.memory import DAY
from gateway.watch.seen import Seen
from gateway.watch.thresholds import Thresholds


def is_looked_up(seen: Seen, known: Known, limits: Thresholds, now: int) -> bool:
    """Whether they have just searched for it, or seen it in a list: a patient calls or comes.

    It explains one read, not a habit: who searches too much has a rule of their own.
    """
    person = known.people.get(seen.actor_id, now)
    if person is None or seen.case_id is None:
        return False
    when = person.looked_up.when(seen.case_id)
    return when is not None and now - when <= limits.lookup_minutes * 60


def is_explained(seen: Seen, known: Known, limits: Thresholds, now: int) -> bool:
    """Whether the read of a case follows from work.

    A case that the log does not tell of is explained until the watch has seen enough of the past
    to have met it.
    """
    if seen.case_id is None or seen.actor_role not in PRACTICE or seen.actor_role == "service":
        return True  # planners read what they were assigned; others see no content
    case = known.cases.get(seen.case_id, now)
    if case is None:
        return now - known.since < limits.active_days * DAY
    if seen.actor_id in case.workers:
        return True
    if case.worked_at is not None and now - case.worked_at <= limits.active_days * DAY:
        return True
    return _is_cover(seen, known, list(case.workers), limits, now)


def _is_cover(seen: Seen, known: Known, workers: list[str], limits: Thresholds, now: int) -> bool:
    """Whether those of the practice who worked on it have been away."""
    theirs = [known.people.get(worker, now) for worker in workers if worker != seen.actor_id]
    colleagues = [each for each in theirs if each is not None and each.role in PRACTICE]
    return bool(colleagues) and all(
        now - each.last_at > limits.away_hours * 3600 for each in colleagues
    )


def is_strange(seen: Seen, known: Known, limits: Thresholds, now: int) -> bool:
    """Whether nothing explains the read."""
    if is_explained(seen, known, limits, now):
        return False
    return not is_looked_up(seen, known, limits, now)


def is_visit(seen: Seen, known: Known, limits: Thresholds, now: int) -> bool:
    """Whether somebody of a practice came to a case that is not theirs, nor in anybody's hands.

    It asks less than `is_strange`: that a colleague is away explains one visit, not several.
    """
    if seen.case_id is None or seen.actor_role not in PRACTICE or seen.actor_role == "service":
        return False
    case = known.cases.get(seen.case_id, now)
    if case is None or seen.actor_id in case.workers:
        return False
    if case.worked_at is not None and now - case.worked_at <= limits.fresh_days * DAY:
        return False
    return not is_looked_up(seen, known, limits, now)
