"""Acts that are refused: ids that somebody tries one after the other, and bursts of any kind."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.watch.known import Known
from gateway.watch.memory import DAY, MINUTE, Kept, Recent
from gateway.watch.rules.base import About, Hit, Rule, Words, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds


class Enumeration(Rule):
    """Somebody asks for one thing after the other that is not theirs to see."""

    about = About(
        name="enumeration",
        severities=(Severity.HIGH,),
        limits=("unknown_per_burst", "unknown_per_day"),
        en=Words(
            "Somebody asks, in ten minutes or in a day, for many different cases, files or"
            " accounts that do not exist for them, and never were theirs.",
            "Ids are long and random; who follows links does not miss often. It is somebody who"
            " tries ids, or has a list of them.",
            "End the account's sessions and tokens, and ask what it was doing. Look for which of"
            " the ids exist: whoever has those got them somewhere.",
        ),
        nl=Words(
            "Iemand vraagt, in tien minuten of op een dag, naar veel verschillende casussen,"
            " bestanden of accounts die er voor hem niet zijn, en nooit van hem waren.",
            "Id's zijn lang en willekeurig; wie links volgt mist zelden. Het is iemand die id's"
            " probeert, of er een lijst van heeft.",
            "Beëindig sessies en tokens van het account, en vraag wat het deed. Zoek uit welke"
            " van de id's bestaan: wie die heeft, kreeg ze ergens vandaan.",
        ),
    )

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._burst: Kept[str, Recent[str]] = Kept(
            lambda: Recent(10 * MINUTE, 256), most=limits.most_people, idle=10 * MINUTE
        )
        self._day: Kept[str, Recent[str]] = Kept(
            lambda: Recent(DAY, 256), most=limits.most_people, idle=DAY
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count the distinct things that were not found, but for those once one's own."""
        asked = seen.object_id or seen.case_id
        if not seen.is_refused or asked is None or seen.code.startswith("session."):
            return
        if seen.text("refusal") not in {"not_found", "forbidden"} or _once_theirs(seen, known, now):
            return
        who = seen.actor_id if seen.actor_role != "nobody" else (seen.address or seen.actor_id)
        burst = self._burst.touch(who, now).add(asked, now)
        day = self._day.touch(who, now).add(asked, now)
        if burst >= self.limits.unknown_per_burst or day >= self.limits.unknown_per_day:
            facts = {"in_ten_minutes": burst, "in_a_day": day}
            yield Hit(severity=Severity.HIGH, key=who, subject=of_account(seen), facts=facts)

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._burst.dropped + self._day.dropped


class RefusedBurst(Rule):
    """Many refusals of any kind at once, by one account or from one address."""

    about = About(
        name="refused_burst",
        severities=(Severity.WARNING,),
        limits=("refusals_per_burst",),
        en=Words(
            "One account, or one address without an account, is refused very often within ten"
            " minutes.",
            "Somebody tries what they may do, tries tokens, or a program is broken.",
            "Ask the person or the supplier of the program; block the address if it is neither.",
        ),
        nl=Words(
            "Eén account, of één adres zonder account, wordt binnen tien minuten heel vaak"
            " geweigerd.",
            "Iemand probeert uit wat hij mag, probeert tokens, of een programma is stuk.",
            "Vraag het de persoon of de leverancier; blokkeer het adres als het geen van beide is.",
        ),
    )

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._refused: Kept[str, Recent[int]] = Kept(
            lambda: Recent(10 * MINUTE, 256), most=limits.most_people, idle=10 * MINUTE
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:  # noqa: ARG002
        """Count refusals; what a sign-in refuses has rules of its own."""
        if not seen.is_refused or seen.code == "session.open":
            return
        who = seen.actor_id if seen.actor_role != "nobody" else (seen.address or seen.actor_id)
        count = self._refused.touch(who, now).add(seen.index, now)
        if count >= self.limits.refusals_per_burst:
            facts = {"refusals": count}
            yield Hit(severity=Severity.WARNING, key=who, subject=of_account(seen), facts=facts)

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._refused.dropped


def _once_theirs(seen: Seen, known: Known, now: int) -> bool:
    """Whether they had to do with the case before: an old link is no guess."""
    case = known.cases.get(seen.case_id, now) if seen.case_id is not None else None
    return case is not None and (
        seen.actor_id in case.planners
        or seen.actor_id in case.ended
        or seen.actor_id in case.workers
    )
