"""Sign-ins that somebody guesses: one account many times, or many accounts from one network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.watch.known import Known, network_of
from gateway.watch.memory import HOUR, Kept, Recent
from gateway.watch.rules.base import About, Hit, Rule, Words
from gateway.watch.seen import Seen, Severity, Subject
from gateway.watch.thresholds import Thresholds

_PROVED = frozenset({"session.open", "session.prove"})
_ATTEMPTS = _PROVED | {"session.confirm"}


class GuessedSignIn(Rule):
    """Many failures of one account; worse if it then succeeds from where it never was."""

    about = About(
        name="guessed_sign_in",
        severities=(Severity.WARNING, Severity.HIGH),
        limits=("failures_per_account",),
        en=Words(
            "Many sign-ins of one account fail within an hour; high if one then succeeds from a"
            " network that the account never used.",
            "Somebody may have guessed or learned the password.",
            "Call the person at a number that you know. If it was not them, end their sessions,"
            " have the password changed and look at what was read since.",
        ),
        nl=Words(
            "Het aanmelden bij één account mislukt vaak binnen een uur; hoog als het daarna lukt"
            " vanaf een netwerk dat het account nooit gebruikte.",
            "Iemand kan het wachtwoord hebben geraden of achterhaald.",
            "Bel de persoon op een nummer dat u kent. Was die het niet, beëindig dan de sessies,"
            " laat het wachtwoord wijzigen en kijk wat er sindsdien is gelezen.",
        ),
    )
    codes = _ATTEMPTS

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._failures: Kept[str, Recent[int]] = Kept(
            lambda: Recent(HOUR, 256), most=limits.most_people, idle=HOUR
        )

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count failures of accounts that there are; a success ends the count."""
        if seen.actor_role == "nobody" or seen.stage == "outcome":
            return
        failed = self._failures.touch(seen.actor_id, now)
        if seen.is_refused:
            count = failed.add(seen.index, now)
            if count >= self.limits.failures_per_account:
                yield _hit(seen, Severity.WARNING, failures=count)
            return
        count = failed.count(now)
        if count >= self.limits.failures_per_account // 2 and _is_strange(seen, known, now):
            yield _hit(seen, Severity.HIGH, failures=count)
        if seen.code == "session.open":
            self._failures.pop(seen.actor_id)

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._failures.dropped


@dataclass(slots=True)
class _Wave:
    """Failures and successes, within an hour, of accounts that were never at the network."""

    failed: Recent[str] = field(default_factory=lambda: Recent(HOUR, 4096))
    entered: Recent[str] = field(default_factory=lambda: Recent(HOUR, 256))


class Stuffing(Rule):
    """Many accounts fail from one network, or from many networks that are new to them."""

    about = About(
        name="stuffing",
        severities=(Severity.WARNING, Severity.HIGH),
        limits=("strangers_per_network", "strangers_together"),
        en=Words(
            "Within an hour many sign-ins fail from one network, or from many together, for"
            " accounts that were never there; high if one of them succeeds.",
            "Lists of passwords that leaked elsewhere are being tried. Failures of people at"
            " their usual network do not count, however many share it.",
            "Block the network at the proxy. For each account that got in: end its sessions and"
            " tokens, have the password changed, and look at what was read.",
        ),
        nl=Words(
            "Binnen een uur mislukken veel aanmeldingen vanaf één netwerk, of vanaf veel samen,"
            " van accounts die daar nooit waren; hoog als er een lukt.",
            "Er worden lijsten geprobeerd van wachtwoorden die elders lekten. Mislukte pogingen"
            " van mensen op hun gewone netwerk tellen niet, hoeveel het er ook delen.",
            "Blokkeer het netwerk bij de proxy. Voor elk account dat binnenkwam: beëindig sessies"
            " en tokens, laat het wachtwoord wijzigen en kijk wat er is gelezen.",
        ),
    )
    codes = _ATTEMPTS | {"session.stuffing"}

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        self._waves: Kept[str, _Wave] = Kept(_Wave, most=limits.most_people, idle=HOUR)

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Count who fails from where they never were, by network and over all together."""
        if seen.address is None or seen.stage == "outcome":
            return
        network = network_of(seen.address)
        if seen.code == "session.stuffing":
            yield _wave_hit(network, seen, Severity.WARNING, accounts=1)
            return
        if seen.actor_role != "nobody" and not _is_strange(seen, known, now):
            return
        # Whoever is unknown counts by the attempt: the log does not say what they typed.
        who = seen.actor_id if seen.actor_role != "nobody" else f"{seen.actor_id}:{seen.index}"
        for place, least in (
            (network, self.limits.strangers_per_network),
            ("", self.limits.strangers_together),
        ):
            wave = self._waves.touch(place, now)
            if seen.is_refused:
                wave.failed.add(who, now)
            else:
                wave.entered.add(who, now)
            failed, entered = wave.failed.count(now), wave.entered.count(now)
            if failed < least:
                continue
            # Over all networks together a success says something only of who failed before.
            found = entered if place else sum(1 for each in wave.entered if each in wave.failed)
            severity = Severity.HIGH if found else Severity.WARNING
            yield _wave_hit(place or "everywhere", seen, severity, accounts=failed, entered=found)

    @property
    def dropped(self) -> int:
        """How many networks its cap threw away."""
        return self._waves.dropped


def _is_strange(seen: Seen, known: Known, now: int) -> bool:
    person = known.people.get(seen.actor_id, now)
    if person is None or seen.address is None:
        return person is None
    return person.is_stranger_at(network_of(seen.address))


def _hit(seen: Seen, severity: Severity, **facts: int) -> Hit:
    subject = Subject(
        account_id=seen.actor_id, controller_id=seen.controller_id, address=seen.address
    )
    return Hit(severity=severity, key=seen.actor_id, subject=subject, facts=facts)


def _wave_hit(place: str, seen: Seen, severity: Severity, **facts: int) -> Hit:
    known = None if seen.is_refused or seen.actor_role == "nobody" else seen.actor_id
    subject = Subject(account_id=known, address=seen.address)
    return Hit(severity=severity, key=place, subject=subject, facts=facts)
