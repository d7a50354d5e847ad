"""What the log has told so far of people, networks and cases: what rules hold an event against.

An event is learned after the rules have seen it. Everything here is bounded, and who or what was
not seen for longer than the history is forgotten.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.watch.memory import DAY, HOUR, MINUTE, Days, Kept, Recent
from gateway.watch.seen import Seen
from gateway.watch.thresholds import Thresholds

READS = frozenset({"case.view", "file.view", "file.download", "file.thumbnail"})
TAKES = frozenset({"file.download"})
WORK = frozenset(
    {
        *("case.create", "case.submit", "case.assign", "case.hand_over", "case.complete"),
        *("case.rectify", "file.upload", "file.place", "file.remove", "plan.upload"),
    }
)
"""Acts that are work on a case: whoever does one has to do with it."""

PRACTICE = frozenset({"dentist", "practice_manager", "service"})
HOUSE = frozenset({"coordinator", "planner", "privacy_officer", "administrator", "operator"})
_LOOKUPS = frozenset({"case.list", "case.search"})
HABIT_DAYS = 35  # longer than a month: what is done monthly is a habit
_MOST_PLACES = 32
_MOST_WORKERS = 16


@lru_cache(maxsize=65_536)
def network_of(address: str) -> str:
    """The network that an address stands for: its /24, or /64 in IPv6; the text where it is none.

    A house has many addresses and one network, and who wants many addresses has them in one.
    """
    head, dot, last = address.rpartition(".")
    if dot and last.isdigit() and ":" not in head:
        return head
    try:
        parsed = ipaddress.ip_network(f"{address}/64", strict=False)
    except ValueError:
        return address
    return str(parsed.network_address)


@dataclass(slots=True)
class Person:
    """What is known of an account; times in seconds since 1970.

    `places` are the networks it acted from, each with when that began and the last time, the one
    used longest ago first; `signed_in` those where it proved who it is. `hours` are the hours of
    the day (UTC) that it acted in, one bit each, by day. `taken` are the cases whose files it took
    within an hour, `busy` the most of them at a time, by day. `looked_up` are the cases that its
    lists and searches named of late; `looks` are the days on which it read others' so.
    """

    role: str = ""
    controller_id: str | None = None
    first_at: int = 0
    last_at: int = 0
    disabled_at: int | None = None
    revoked_at: int | None = None
    places: OrderedDict[str, tuple[int, int]] = field(default_factory=OrderedDict)
    signed_in: OrderedDict[str, int] = field(default_factory=OrderedDict)
    hours: OrderedDict[int, int] = field(default_factory=OrderedDict)
    taken: Recent[str] = field(default_factory=lambda: Recent(HOUR, 4096))
    busy: Days = field(default_factory=lambda: Days(HABIT_DAYS))
    looked_up: Recent[str] = field(default_factory=lambda: Recent(HOUR, 512))
    looks: Days = field(default_factory=lambda: Days(HABIT_DAYS))

    def is_stranger_at(self, network: str) -> bool:
        """Whether it never acted from this network."""
        return network not in self.places

    def has_habits(self, now: int) -> bool:
        """Whether it is known for so long that what is not its habit says something."""
        return now - self.first_at >= HABIT_DAYS * DAY

    def habit(self, day: int, hour: int) -> tuple[int, int]:
        """On how many days before `day` it acted, and on how many within an hour of `hour`."""
        near = (1 << hour) | (1 << (hour + 1) % 24) | (1 << (hour - 1) % 24)
        masks = [mask for when, mask in self.hours.items() if day - HABIT_DAYS <= when < day]
        return len(masks), sum(1 for mask in masks if mask & near)


@dataclass(slots=True)
class CaseKnown:
    """What is known of a case.

    `workers` did work on it, `planners` were assigned to it, each with when; `ended` are those
    whose assignment was taken away.
    """

    controller_id: str | None = None
    created_at: int | None = None
    worked_at: int | None = None
    workers: OrderedDict[str, int] = field(default_factory=OrderedDict)
    planners: OrderedDict[str, int] = field(default_factory=OrderedDict)
    ended: OrderedDict[str, int] = field(default_factory=OrderedDict)


class Known:
    """Everything that rules share."""

    def __init__(self, thresholds: Thresholds, canaries: Collection[str] = ()) -> None:
        """Know nothing yet, but which cases are canaries: those are not forgotten."""
        self.since = 0  # of the first event
        self.canaries = set(canaries)
        self._lookup = thresholds.lookup_minutes * MINUTE
        self.acted: OrderedDict[int, int] = OrderedDict()  # how many people did, by day
        idle = thresholds.history_days * DAY
        self.people: Kept[str, Person] = Kept(Person, most=thresholds.most_people, idle=idle)
        self.cases: Kept[str, CaseKnown] = Kept(CaseKnown, most=thresholds.most_cases, idle=idle)
        self.assignments: Kept[str, list[str]] = Kept(list, most=thresholds.most_cases, idle=idle)
        self.networks: Kept[str, Recent[str]] = Kept(
            lambda: Recent(idle, 64), most=thresholds.most_people, idle=idle
        )

    @property
    def dropped(self) -> dict[str, int]:
        """How much its caps threw away."""
        return {"people": self.people.dropped, "cases": self.cases.dropped}

    def learn(self, seen: Seen, now: int) -> None:
        """Take in an event that the rules have seen."""
        self.since = self.since or now
        if seen.is_refused or seen.actor_role in {"nobody", "system"}:
            return
        if seen.case_id is not None and seen.code in WORK:
            self._learn_work(seen, seen.case_id, now)
        elif seen.code in {"canary.make", "canary.end"}:
            self._learn_canary(seen)
        elif seen.object_type == "account" and seen.object_id is not None:
            self._learn_account(seen, seen.object_id, now)
        elif seen.code == "token.revoke":
            self.people.touch(seen.actor_id, now).revoked_at = now
        if seen.stage == "authorised":
            self._learn_person(seen, now)
        elif seen.code in _LOOKUPS and seen.actor_role in PRACTICE:
            named = seen.detail.get("cases")
            looked_up = self.people.touch(seen.actor_id, now).looked_up
            for case_id in named if isinstance(named, list) else ():
                looked_up.add(case_id, now)

    def _learn_canary(self, seen: Seen) -> None:
        case_id = seen.text("case")  # no event names it as its case: the practice reads those
        if case_id is None or seen.stage != "outcome":
            return
        if seen.code == "canary.make":
            self.canaries.add(case_id)
        else:
            self.canaries.discard(case_id)

    def _learn_person(self, seen: Seen, now: int) -> None:
        person = self.people.touch(seen.actor_id, now)
        if not person.role:
            person.first_at = now
        person.role = seen.actor_role
        if seen.actor_role in PRACTICE:
            person.controller_id = seen.controller_id or person.controller_id
        person.last_at = now
        day = now // DAY
        if day not in person.hours:
            self.acted[day] = self.acted.get(day, 0) + 1
            if len(self.acted) > HABIT_DAYS:
                self.acted.popitem(last=False)
        person.hours[day] = person.hours.get(day, 0) | 1 << now % DAY // HOUR
        if len(person.hours) > HABIT_DAYS + 1:
            person.hours.popitem(last=False)
        if seen.address is not None:
            self._learn_place(person, seen, network_of(seen.address), now)
        if seen.code in READS and seen.case_id is not None:
            self._learn_look(person, seen.actor_id, seen.case_id, now)
        if seen.code in TAKES and seen.case_id is not None:
            person.busy.raise_to(day, person.taken.add(seen.case_id, now))

    def _learn_look(self, person: Person, account_id: str, case_id: str, now: int) -> None:
        when, case = person.looked_up.when(case_id), self.cases.get(case_id, now)
        if case is not None:
            self.cases.touch(case_id, now)  # a long treatment rests, and is looked at
        if when is None or now - when > self._lookup or (case and account_id in case.workers):
            return
        person.looks.set(now // DAY, 1)

    def _learn_place(self, person: Person, seen: Seen, network: str, now: int) -> None:
        began, _ = person.places.pop(network, (now, now))
        person.places[network] = (began, now)
        if len(person.places) > _MOST_PLACES:
            person.places.popitem(last=False)
        if seen.code == "session.open":
            _put(person.signed_in, network, now, _MOST_PLACES)
        self.networks.touch(network, now).add(seen.actor_id, now)

    def _learn_work(self, seen: Seen, case_id: str, now: int) -> None:
        case = self.cases.touch(case_id, now)
        case.controller_id = seen.controller_id
        if seen.code == "case.create":
            case.created_at = case.created_at or now
        case.worked_at = now
        if seen.code != "case.assign":
            _put(case.workers, seen.actor_id, now, _MOST_WORKERS)
        if seen.stage == "outcome" and seen.object_type == "assignment":
            self._learn_assignment(seen, case_id, case, now)

    def _learn_assignment(self, seen: Seen, case_id: str, case: CaseKnown, now: int) -> None:
        planner = seen.text("planner")
        if planner is not None:
            _put(case.planners, planner, now, _MOST_WORKERS)
            case.ended.pop(planner, None)
            if seen.object_id is not None:
                self.assignments.touch(seen.object_id, now)[:] = [case_id, planner]
        elif seen.object_id is not None and (known := self.assignments.get(seen.object_id, now)):
            _put(case.ended, known[1], now, _MOST_WORKERS)
        if seen.code == "case.hand_over":
            _put(case.ended, seen.actor_id, now, _MOST_WORKERS)

    def _learn_account(self, seen: Seen, account_id: str, now: int) -> None:
        if seen.stage != "outcome":
            return
        disabled = seen.detail.get("disabled")
        if disabled is True or seen.code == "profile.close":
            self.people.touch(account_id, now).disabled_at = now
        elif disabled is False:
            self.people.touch(account_id, now).disabled_at = None
        revoked = seen.detail.get("revoked_tokens")
        if isinstance(revoked, int) and revoked > 0:
            self.people.touch(account_id, now).revoked_at = now


def _put(times: OrderedDict[str, int], name: str, now: int, most: int) -> None:
    times.pop(name, None)
    times[name] = now
    if len(times) > most:
        times.popitem(last=False)
