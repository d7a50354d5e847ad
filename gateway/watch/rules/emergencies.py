"""Emergencies: access without an assignment, for a reason that somebody reviews."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from gateway.watch.known import READS, Known
from gateway.watch.memory import DAY, HOUR, Kept, Recent
from gateway.watch.rules.base import About, Hit, Rule, Words, of_account
from gateway.watch.seen import Seen, Severity, Subject
from gateway.watch.thresholds import Thresholds

_MOST_UNREVIEWED = 10_000


class Emergency(Rule):
    """Somebody opens cases by declaring emergencies."""

    about = About(
        name="emergency",
        severities=(Severity.NOTICE, Severity.WARNING, Severity.HIGH),
        limits=("emergencies_per_week",),
        en=Words(
            "Somebody declares an emergency for a case, or reads it so: a notice; with a second"
            " case within a week a warning, with several high.",
            "An emergency goes past assignment. It is for a patient in need, so it is rare.",
            "Read the reason and review it. Ask the practice whether there was an emergency.",
        ),
        nl=Words(
            "Iemand roept voor een casus een noodgeval uit, of leest die zo: een notitie; bij een"
            " tweede casus binnen een week een waarschuwing, bij meer hoog.",
            "Een noodgeval gaat aan toewijzing voorbij. Het is voor een patiënt in nood, en dus"
            " zeldzaam.",
            "Lees de reden en beoordeel die. Vraag de praktijk of er een noodgeval was.",
        ),
    )

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._cases: Kept[str, Recent[str]] = Kept(
            lambda: Recent(7 * DAY, 256), most=limits.most_people, idle=7 * DAY
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Count the distinct cases that one account opened so."""
        declared = seen.code in {"emergency.declare", "case.emergency"}
        used = seen.code in READS and seen.ground.startswith("emergency:")
        if seen.stage != "authorised" or seen.case_id is None or not (declared or used):
            return
        count = self._cases.touch(seen.actor_id, now).add(seen.case_id, now)
        severity = Severity.NOTICE if count == 1 else Severity.WARNING
        if count >= self.limits.emergencies_per_week:
            severity = Severity.HIGH
        yield Hit(
            severity=severity,
            key=seen.actor_id,
            subject=of_account(seen),
            facts={"cases": count},
        )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._cases.dropped


class EmergencyUnreviewed(Rule):
    """Nobody reviewed an emergency in time."""

    about = About(
        name="emergency_unreviewed",
        severities=(Severity.NOTICE,),
        limits=("review_hours",),
        fold_seconds=7 * DAY,
        en=Words(
            "An emergency has not been reviewed by a privacy officer in time.",
            "What nobody reviews is no exception any more, but a way in.",
            "Review it, or say who will.",
        ),
        nl=Words(
            "Een noodgeval is niet op tijd door een functionaris beoordeeld.",
            "Wat niemand beoordeelt is geen uitzondering meer, maar een ingang.",
            "Beoordeel het, of zeg wie dat doet.",
        ),
    )

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._due: list[tuple[int, str, str | None, str | None, str]] = []
        self._open: set[str] = set()
        self._dropped = 0

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Remember what was declared, forget what was reviewed, and say what is overdue."""
        if seen.stage == "outcome" and seen.object_id is not None:
            self._note(seen, seen.object_id, now)
        while self._due and self._due[0][0] <= now:
            _, emergency, controller_id, case_id, actor_id = heapq.heappop(self._due)
            if emergency in self._open:
                self._open.remove(emergency)
                subject = Subject(account_id=actor_id, controller_id=controller_id, case_id=case_id)
                yield Hit(severity=Severity.NOTICE, key=emergency, subject=subject)

    def _note(self, seen: Seen, emergency: str, now: int) -> None:
        if seen.code == "emergency.review" and seen.text("refusal") is None:
            self._open.discard(emergency)
        elif seen.code == "emergency.declare":
            if len(self._open) >= _MOST_UNREVIEWED:
                self._dropped += 1
                return
            self._open.add(emergency)
            due = now + self.limits.review_hours * HOUR
            one = (due, emergency, seen.controller_id, seen.case_id, seen.actor_id)
            heapq.heappush(self._due, one)

    @property
    def dropped(self) -> int:
        """How many emergencies were beyond its cap."""
        return self._dropped
