"""Where and when somebody acts: a network where they never were, an hour that is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.watch.known import READS, Known, Person, network_of
from gateway.watch.memory import DAY, HOUR, MINUTE, Kept, Recent
from gateway.watch.rules.base import About, Hit, Rule, Words, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds

_CHANGES = frozenset(
    {
        *("token.create", "password.change", "factor.add", "factor.activate", "factor.remove"),
        *("recovery_codes.renew", "profile.export", "case.erase", "account.change", "account.add"),
    }
)
"""What makes a stolen session last, or does harm at once."""


@dataclass(slots=True)
class _Visit:
    """What an account did at a network that is new to it."""

    cases: Recent[str] = field(default_factory=lambda: Recent(HOUR))
    changes: Recent[str] = field(default_factory=lambda: Recent(HOUR))


class StrangePlace(Rule):
    """A session goes on at a network where its person never signed in, and does a lot there."""

    about = About(
        name="strange_place",
        severities=(Severity.NOTICE, Severity.WARNING, Severity.HIGH),
        limits=("known_days", "strange_place_cases"),
        en=Words(
            "An account that did not sign in there acts from a network that is new to it, and"
            " within an hour reads several cases or changes what lets it in; high if it acts at"
            " its usual network in the same hour. A notice if it signed in there, and changes"
            " what lets it in.",
            "A stolen session or token is used where the thief is, while its owner works on.",
            "End the account's sessions and tokens, then call the person.",
        ),
        nl=Words(
            "Een account dat zich daar niet aanmeldde handelt vanaf een netwerk dat er nieuw voor"
            " is, en leest binnen een uur verschillende casussen of wijzigt wat toegang geeft;"
            " hoog als het in hetzelfde uur ook op het gewone netwerk handelt. Een notitie als"
            " het zich er aanmeldde, en wijzigt wat toegang geeft.",
            "Een gestolen sessie of token wordt gebruikt waar de dief is, terwijl de eigenaar"
            " doorwerkt.",
            "Beëindig sessies en tokens van het account, en bel dan de persoon.",
        ),
    )

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._visits: Kept[tuple[str, str], _Visit] = Kept(
            _Visit, most=limits.most_people, idle=HOUR
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Weigh what is done where the account is new."""
        person = known.people.get(seen.actor_id, now)
        if seen.stage != "authorised" or seen.address is None or person is None:
            return
        network = network_of(seen.address)
        began, _ = person.places.get(network, (now, now))
        if now - began > DAY or now - person.first_at < self.limits.known_days * DAY:
            return
        if seen.code not in READS and seen.code not in _CHANGES:
            return
        visit = self._visits.touch((seen.actor_id, network), now)
        if seen.code in _CHANGES:
            visit.changes.add(seen.code, now)
        elif seen.case_id is not None:
            visit.cases.add(seen.case_id, now)
        cases, changes = visit.cases.count(now), visit.changes.count(now)
        if not changes and cases < self.limits.strange_place_cases:
            return
        carried = network not in person.signed_in
        apart = _minutes_elsewhere(person, network, now)
        if not carried and not changes:
            return  # they proved who they are, and do their work
        severity = Severity.HIGH if apart <= HOUR // MINUTE else Severity.WARNING
        if not carried:
            severity = Severity.NOTICE
        yield Hit(
            severity=severity,
            key=seen.actor_id,
            subject=of_account(seen),
            facts={
                "cases": cases,
                "changes": changes,
                "signed_in_there": int(not carried),
                "minutes_since_elsewhere": apart,
            },
        )

    @property
    def dropped(self) -> int:
        """How many visits its cap threw away."""
        return self._visits.dropped


class OutOfHours(Rule):
    """Somebody reads a lot at an hour of the day at which they never act."""

    about = About(
        name="out_of_hours",
        severities=(Severity.NOTICE,),
        limits=("known_days", "out_of_hours_cases"),
        en=Words(
            "Somebody reads several cases within an hour, at a time of day (UTC) at which they"
            " did not act on any day of the last four weeks.",
            "By itself it is overtime. Beside another alert of the same account it is not.",
            "Nothing, if no other alert names the account.",
        ),
        nl=Words(
            "Iemand leest binnen een uur verschillende casussen, op een tijd van de dag (UTC)"
            " waarop hij de laatste vier weken nooit iets deed.",
            "Op zichzelf is het overwerk. Naast een andere melding van hetzelfde account niet.",
            "Niets, als geen andere melding het account noemt.",
        ),
    )
    codes = READS

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._read: Kept[str, Recent[str]] = Kept(
            lambda: Recent(HOUR), most=limits.most_people, idle=HOUR
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Compare the hour with the account's own."""
        person = known.people.get(seen.actor_id, now)
        if seen.stage != "authorised" or seen.case_id is None or person is None:
            return
        days, near = person.habit(now // DAY, now % DAY // HOUR)
        if days < self.limits.known_days or near:
            return
        count = self._read.touch(seen.actor_id, now).add(seen.case_id, now)
        if count >= self.limits.out_of_hours_cases:
            yield Hit(
                severity=Severity.NOTICE,
                key=seen.actor_id,
                subject=of_account(seen),
                facts={"cases": count, "hour": now % DAY // HOUR},
            )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._read.dropped


def _minutes_elsewhere(person: Person, network: str, now: int) -> int:
    """Minutes since the account last acted at another network; a day at the most."""
    last = max((at for place, (_, at) in person.places.items() if place != network), default=0)
    return min((now - last) // MINUTE, DAY // MINUTE)
