"""Rights that somebody gives to themself, and uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.watch.known import PRACTICE, READS, Known, network_of
from gateway.watch.memory import Kept
from gateway.watch.rules.base import About, Hit, Rule, Words, of_account
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds

_ON_ACCOUNTS = frozenset(
    {"account.add", "account.change", "account.invite", "service.add", "factor_recovery.agree"}
)
_GRANTS = _ON_ACCOUNTS | {"case.assign", "case.hand_over"}


@dataclass(slots=True)
class _Given:
    """Who gave this account something, from which network and when; whether it was in use."""

    by: str = ""
    network: str = ""
    at: int = 0
    known: bool = False


class SelfGrant(Rule):
    """Somebody widens what they may do, or makes an account that then reads from their network."""

    about = About(
        name="self_grant",
        severities=(Severity.WARNING, Severity.HIGH),
        limits=("grant_hours",),
        en=Words(
            "Somebody assigns a case to themself or changes their own account's rights, or makes"
            " or changes an account that then acts from their own network, or from one where it"
            " never was; high once it reads a case.",
            "Who hands out rights reads nothing, and who reads hands out nothing: together they"
            " are the way round every other rule.",
            "End what was given. Ask two people apart from each other what it was for.",
        ),
        nl=Words(
            "Iemand wijst een casus aan zichzelf toe of wijzigt rechten van het eigen account, of"
            " maakt of wijzigt een account dat daarna vanaf zijn netwerk handelt, of vanaf een"
            " waar het nooit was; hoog zodra het een casus leest.",
            "Wie rechten uitdeelt leest niets, en wie leest deelt niets uit: samen zijn ze de weg"
            " om elke andere regel heen.",
            "Beëindig wat is gegeven. Vraag twee mensen los van elkaar waar het voor was.",
        ),
    )
    codes = _GRANTS | READS

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        super().__init__(limits)
        idle = limits.grant_hours * 3600
        self._given: Kept[str, _Given] = Kept(_Given, most=limits.most_people, idle=idle)

    def see(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        """Remember what was given to whom, and look who reads."""
        if seen.code in _GRANTS:
            yield from self._grants(seen, known, now)
        elif seen.stage == "authorised":
            yield from self._reads(seen, known, now)

    def _grants(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        account_id = seen.object_id if seen.object_type == "account" else seen.text("planner")
        if account_id is None or (seen.stage == "authorised" and seen.code != "case.assign"):
            return
        oneself = account_id == seen.actor_id
        if seen.is_refused:
            if oneself:
                yield Hit(severity=Severity.WARNING, key=seen.actor_id, subject=of_account(seen))
            return
        if seen.code not in _ON_ACCOUNTS and not oneself:
            return  # assigning work to others is what coordinators do
        given = self._given.touch(account_id, now)
        given.by, given.at = seen.actor_id, now
        person = known.people.get(account_id, now)
        given.known = person is not None and bool(person.places)
        given.network = network_of(seen.address) if seen.address else ""
        if oneself:
            yield Hit(severity=Severity.WARNING, key=seen.actor_id, subject=of_account(seen))

    def _reads(self, seen: Seen, known: Known, now: int) -> Iterator[Hit]:
        given = self._given.get(seen.actor_id, now)
        if given is None or not given.by or now - given.at > self.limits.grant_hours * 3600:
            return
        oneself = given.by == seen.actor_id
        together = bool(
            given.network and seen.address and network_of(seen.address) == given.network
        )
        together = together and seen.actor_role not in PRACTICE  # a practice has one network
        # An account that others made ready, and that goes on where it never was.
        taken_over = given.known and _is_new_to(seen, known, given.at, now)
        if oneself or together or taken_over:
            yield Hit(
                severity=Severity.HIGH,
                key=given.by,
                subject=of_account(seen),
                facts={"minutes_since": (now - given.at) // 60},
            )

    @property
    def dropped(self) -> int:
        """How many accounts its cap threw away."""
        return self._given.dropped


def _is_new_to(seen: Seen, known: Known, at: int, now: int) -> bool:
    """Whether the account came to its network only after `at`."""
    person = known.people.get(seen.actor_id, now)
    if person is None or seen.address is None:
        return False
    began, _ = person.places.get(network_of(seen.address), (at + 1, 0))
    return began > at
