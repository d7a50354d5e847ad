"""Use of what was ended: a disabled account, a revoked token, an assignment that is over."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.watch.known import Known
from gateway.watch.memory import DAY, HOUR, Kept, Recent
from gateway.watch.rules.base import About, Hit, Rule, Words, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds

_MORE_THAN_ONCE = 2


class ShutOutUse(Rule):
    """A disabled account is tried, or does something; or a revoked token is used."""

    about = About(
        name="shut_out_use",
        severities=(Severity.WARNING, Severity.HIGH),
        limits=("revoked_days", "revoked_uses"),
        en=Words(
            "A disabled account signs in, or one of its sessions or tokens is used; or a token"
            " is used after it was revoked. A warning: a token comes from a network that it may"
            " not come from.",
            "Whoever was shut out still tries, or somebody else has what was theirs. An act that"
            " was allowed, though the account is disabled, would be a fault of ours.",
            "Find out who has the account's password or token. If anything was allowed, stop the"
            " server and look at the access log of that account.",
        ),
        nl=Words(
            "Een uitgeschakeld account meldt zich aan, of een sessie of token ervan wordt"
            " gebruikt; of een token wordt gebruikt nadat het was ingetrokken. Een waarschuwing:"
            " een token komt vanaf een netwerk waar het niet vandaan mag komen.",
            "Wie is buitengesloten probeert het nog, of een ander heeft wat van hem was. Een"
            " handeling die mocht, hoewel het account uit staat, zou een fout van ons zijn.",
            "Zoek uit wie wachtwoord of token van het account heeft. Mocht er iets, stop dan de"
            " server en bekijk het logboek van dat account.",
        ),
    )

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._uses: Kept[str, Recent[int]] = Kept(
            lambda: Recent(HOUR, 64), most=limits.most_people, idle=HOUR
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Compare who acts with whom the log has seen shut out."""
        if seen.stage == "outcome" or seen.actor_role in {"nobody", "system"}:
            return
        ended, person = seen.text("ended"), known.people.get(seen.actor_id, now)
        disabled = person is not None and person.disabled_at is not None
        if disabled or ended in {"disabled", "revoked"}:
            facts = {"refused": int(seen.is_refused)}
            yield Hit(
                severity=Severity.HIGH, key=seen.actor_id, subject=of_account(seen), facts=facts
            )
            return
        if ended == "network":
            yield Hit(severity=Severity.WARNING, key=seen.actor_id, subject=of_account(seen))
        if ended is not None or person is None or person.revoked_at is None:
            return
        recent = now - person.revoked_at <= self.limits.revoked_days * DAY
        if not (seen.is_refused and seen.code == "session.use" and recent):
            return
        # A session that ran out is refused once, then its person signs in; a program goes on.
        uses = self._uses.touch(seen.actor_id, now).add(seen.index, now)
        if uses >= self.limits.revoked_uses:
            yield Hit(
                severity=Severity.WARNING,
                key=seen.actor_id,
                subject=of_account(seen),
                facts={"uses": uses},
            )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._uses.dropped


class EndedAssignment(Rule):
    """A planner goes on asking for cases that were taken from them."""

    about = About(
        name="ended_assignment",
        severities=(Severity.NOTICE, Severity.WARNING),
        limits=("ended_cases_per_day", "ended_asks_per_hour"),
        en=Words(
            "A planner asks more than once for cases whose assignment to them has ended; a warning"
            " if there are many in a day, or they ask again and again.",
            "One old link is nothing; many are somebody who wants what is no longer theirs.",
            "Ask the planner, or assign the cases again if the work goes on.",
        ),
        nl=Words(
            "Een planner vraagt meer dan eens naar casussen waarvan de toewijzing aan hem is"
            " beëindigd; een waarschuwing als het er veel op een dag zijn, of hij telkens weer"
            " vraagt.",
            "Eén oude link is niets; veel is iemand die wil wat niet meer van hem is.",
            "Vraag het de planner, of wijs de casussen opnieuw toe als het werk doorgaat.",
        ),
    )

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._asked: Kept[str, Recent[str]] = Kept(
            lambda: Recent(DAY, 256), most=limits.most_people, idle=DAY
        )
        self._asks: Kept[str, Recent[int]] = Kept(
            lambda: Recent(HOUR, 256), most=limits.most_people, idle=HOUR
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count the requests, and the distinct cases, that are over for who asks."""
        if not seen.is_refused or seen.case_id is None or seen.actor_role != "planner":
            return
        case = known.cases.get(seen.case_id, now)
        if case is None or not (seen.actor_id in case.planners or seen.actor_id in case.ended):
            return
        count = self._asked.touch(seen.actor_id, now).add(seen.case_id, now)
        asks = self._asks.touch(seen.actor_id, now).add(seen.index, now)
        if max(count, asks) < _MORE_THAN_ONCE:
            return
        many = count >= self.limits.ended_cases_per_day or asks >= self.limits.ended_asks_per_hour
        yield Hit(
            severity=Severity.WARNING if many else Severity.NOTICE,
            key=seen.actor_id,
            subject=of_account(seen),
            facts={"cases": count, "requests_in_an_hour": asks},
        )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._asked.dropped + self._asks.dropped
