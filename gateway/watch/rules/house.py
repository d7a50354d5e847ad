"""Single acts that always count: canaries, erasures, copies of the whole, what a practice says."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.watch.known import HABIT_DAYS, READS, Known
from gateway.watch.memory import DAY, Days, Kept, Recent
from gateway.watch.rules.base import About, Hit, Rule, Words, above_habit, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds

_ERASURES = frozenset({"case.erase", "file.erase"})
_COPIES = frozenset({"backup.write", "backup.test", "house.restore", "recovery.change"})


class Canary(Rule):
    """Somebody opens a case that nobody has a reason to open."""

    about = About(
        name="canary",
        severities=(Severity.HIGH,),
        en=Words(
            "Somebody opens a case, or a file of it, that a privacy officer made as a canary.",
            "There is no patient behind it and no work on it, so nobody comes to it by their job.",
            "Ask the person. Look at what else they read on the same days.",
        ),
        nl=Words(
            "Iemand opent een casus, of een bestand ervan, die een functionaris als kanarie heeft"
            " gemaakt.",
            "Er is geen patiënt en geen werk, dus niemand komt er door zijn werk.",
            "Vraag het de persoon. Kijk wat die op dezelfde dagen nog meer las.",
        ),
    )
    codes = READS

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Every read of a canary counts, allowed or not."""
        if seen.case_id in known.canaries and seen.stage != "outcome":
            if seen.actor_role == "privacy_officer":
                return
            yield Hit(severity=Severity.HIGH, key=seen.actor_id, subject=of_account(seen))


class Erasures(Rule):
    """One account asks for many erasures."""

    about = About(
        name="erasures",
        severities=(Severity.WARNING, Severity.HIGH),
        limits=("erasures_per_day", "percent_of_habit"),
        en=Words(
            "One account asks for many erasures within a day, more than it does; high if they are"
            " several times as many.",
            "An erasure cannot be undone. Whoever wants to harm a practice, or to hide what they"
            " did, erases.",
            "While they wait, take them back (`DELETE /erasures/ID`). Ask the practice by phone.",
        ),
        nl=Words(
            "Eén account vraagt op een dag om veel vernietigingen, meer dan het doet; hoog als het"
            " er een veelvoud zijn.",
            "Vernietigen kan niet ongedaan worden gemaakt. Wie een praktijk wil schaden, of wil"
            " verbergen wat hij deed, vernietigt.",
            "Neem ze terug zolang ze wachten (`DELETE /erasures/ID`). Bel de praktijk.",
        ),
    )
    codes = _ERASURES

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._asked: Kept[str, tuple[Recent[str], Days]] = Kept(
            lambda: (Recent(DAY, 4096), Days(HABIT_DAYS)),
            most=limits.most_people,
            idle=HABIT_DAYS * DAY,
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Count the distinct cases and files that a person asks about."""
        if seen.stage != "authorised" or seen.actor_role == "system" or seen.case_id is None:
            return
        recent, days = self._asked.touch(seen.actor_id, now)
        what = seen.case_id if seen.code == "case.erase" else seen.object_id or seen.case_id
        count, day = recent.add(what, now), now // DAY
        habit = above_habit(days.before(day), self.limits)
        days.set(day, count)
        least = max(self.limits.erasures_per_day, habit)
        if count >= least:
            many = count >= 3 * least
            yield Hit(
                severity=Severity.HIGH if many else Severity.WARNING,
                key=seen.actor_id,
                subject=of_account(seen),
                facts={"erasures": count},
            )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._asked.dropped


class PrivilegedCopy(Rule):
    """Somebody copies, restores or re-keys the whole house."""

    about = About(
        name="privileged_copy",
        severities=(Severity.NOTICE, Severity.WARNING),
        en=Words(
            "A person, not the schedule, writes a back-up, restores one, tries one out, or changes"
            " the recovery key; an administrator who does so is a warning.",
            "A back-up is everything at once. Who makes one at an unusual moment may take it home.",
            "Compare with what was planned. Check where the copy is, and who can read it.",
        ),
        nl=Words(
            "Een persoon, niet het rooster, schrijft een back-up, zet er een terug, probeert er"
            " een uit, of vervangt de herstelsleutel; een administrator die dat doet is een"
            " waarschuwing.",
            "Een back-up is alles tegelijk. Wie er op een vreemd moment een maakt, kan die"
            " meenemen.",
            "Vergelijk met wat gepland was. Kijk waar de kopie is, en wie haar kan lezen.",
        ),
    )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Everything that a person does of these; also exports by code, whatever they are named."""
        if seen.actor_role == "system" or seen.stage == "outcome":
            return
        if seen.code in _COPIES or seen.code in {"log.export", "house.export"}:
            routine = seen.actor_role == "operator" and seen.code == "backup.write"
            yield Hit(
                severity=Severity.NOTICE if routine else Severity.WARNING,
                key=seen.actor_id,
                subject=of_account(seen),
            )


class MisuseReport(Rule):
    """A practice says that somebody read its patients without a reason."""

    about = About(
        name="misuse_report",
        severities=(Severity.HIGH,),
        en=Words(
            "A practice reports misuse, from its own view of the access log.",
            "Nobody knows better who had to do with a patient.",
            "Answer the practice within a day. Treat it as an incident until it is explained.",
        ),
        nl=Words(
            "Een praktijk meldt misbruik, op grond van haar eigen inzage in het logboek.",
            "Niemand weet beter wie met een patiënt te maken had.",
            "Antwoord de praktijk binnen een dag. Behandel het als incident tot het is verklaard.",
        ),
    )
    codes = frozenset({"misuse.report"})

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Each report counts; those of one case fold."""
        if seen.stage == "authorised":
            key = seen.case_id or seen.controller_id or seen.actor_id
            yield Hit(severity=Severity.HIGH, key=key, subject=of_account(seen))
