"""The log itself, and what is stored: altered, missing, out of order."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.watch.known import Known
from gateway.watch.memory import DAY, HOUR, MINUTE, Kept
from gateway.watch.rules.base import About, Hit, Rule, Words, of_account
from gateway.watch.seen import Seen, Severity, Subject
from gateway.watch.thresholds import Thresholds


class Tamper(Rule):
    """Something stored is not what was sealed, or a key was opened that no event accounts for."""

    about = About(
        name="tamper",
        severities=(Severity.HIGH,),
        fold_seconds=HOUR,
        en=Words(
            "Something stored does not open as what was sealed, is missing, or a key was opened"
            " that no event accounts for (`integrity.alarm`).",
            "A disk that fails looks like this, and so does somebody who alters files or reads"
            " them past the log.",
            "Run `kluis doctor --deep`. If it names one file, restore it; if more, take the"
            " machine off the network and keep its disk as it is.",
        ),
        nl=Words(
            "Iets dat is opgeslagen gaat niet open als wat is verzegeld, ontbreekt, of er is een"
            " sleutel geopend die geen gebeurtenis verklaart (`integrity.alarm`).",
            "Zo ziet een schijf eruit die stukgaat, en ook iemand die bestanden wijzigt of ze"
            " buiten het logboek om leest.",
            "Draai `kluis doctor --deep`. Noemt die één bestand, zet het dan terug; zijn het er"
            " meer, haal de machine dan van het netwerk en laat de schijf zoals die is.",
        ),
    )
    codes = frozenset({"integrity.alarm"})

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Every alarm counts; those of one case fold."""
        subject = Subject(controller_id=seen.controller_id, case_id=seen.case_id)
        yield Hit(severity=Severity.HIGH, key=seen.case_id or "house", subject=subject)


class LogGap(Rule):
    """A place of the log, or a practice's running number, is missing or there twice."""

    about = About(
        name="log_gap",
        severities=(Severity.WARNING, Severity.HIGH),
        limits=("late_minutes",),
        fold_seconds=HOUR,
        en=Words(
            "An event is missing: between two places of the log, or between two running numbers"
            " of a practice; or an event is much older than those before it (a warning).",
            "Events are numbered without gaps. Whoever takes one out leaves one; a late event is"
            " a clock that is wrong, or an event that was held back.",
            "Run `kluis log verify` and compare with a witness's checkpoint. For a late event,"
            " check the clock of the node that wrote it.",
        ),
        nl=Words(
            "Er ontbreekt een gebeurtenis: tussen twee plaatsen in het logboek, of tussen twee"
            " volgnummers van een praktijk; of een gebeurtenis is veel ouder dan die ervoor (een"
            " waarschuwing).",
            "Gebeurtenissen zijn zonder gaten genummerd. Wie er een uithaalt laat een gat; een"
            " late is een klok die niet goed staat, of is achtergehouden.",
            "Draai `kluis log verify` en vergelijk met het controlepunt van een getuige."
            " Controleer bij een late gebeurtenis de klok van de node die haar schreef.",
        ),
    )

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._index = -1
        self._numbers: Kept[str, list[int]] = Kept(list, most=limits.most_people, idle=365 * DAY)

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Compare with the place and number before."""
        if self._index >= 0 and seen.index != self._index + 1:
            facts = {"missing": seen.index - self._index - 1}
            yield Hit(severity=Severity.HIGH, key="log", subject=Subject(), facts=facts)
        self._index = seen.index
        if seen.number is not None and seen.controller_id is not None:
            last = self._numbers.touch(seen.controller_id, now)
            if last and seen.number != last[0] + 1:
                yield Hit(
                    severity=Severity.HIGH,
                    key=seen.controller_id,
                    subject=Subject(controller_id=seen.controller_id),
                    facts={"expected": last[0] + 1, "found": seen.number},
                )
            last[:] = [seen.number]
        late = (now - int(seen.at.timestamp())) // MINUTE
        if late >= self.limits.late_minutes:
            facts = {"minutes": late}
            yield Hit(severity=Severity.WARNING, key="late", subject=of_account(seen), facts=facts)

    @property
    def dropped(self) -> int:
        """How many practices its cap threw away."""
        return self._numbers.dropped
