"""Who there is: practices, people, where they sit, when they work, and their cases."""

# ruff: noqa: PLR2004 - the numbers of a simulation

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from bench.watch.scribe import Who

CHAIN = 4  # practices that share one address, as a clinic's do


@dataclass(frozen=True, slots=True)
class Size:
    """How large a town is."""

    practices: int = 50
    people: int = 10  # of one practice
    planners: int = 40
    days: int = 100


@dataclass(slots=True, eq=False)
class Person:
    """Somebody with an account.

    `kind` is what they do all day, `role` what the gateway knows; `begins` is the hour of their
    day, `weekdays` those on which they work, `away` the days of their holidays.
    """

    id: str
    kind: str
    role: str
    practice: str | None
    office: str
    home: str
    begins: float
    weekdays: frozenset[int]
    away: set[int] = field(default_factory=set)
    joined: int = 0
    left: int = 10_000

    def works(self, day: int) -> bool:
        """Whether they work on a day."""
        return self.joined <= day < self.left and day % 7 in self.weekdays and day not in self.away

    def at(self, address: str | None = None) -> Who:
        """As whom their events are written."""
        return Who(self.id, self.role, self.practice, address or self.office)


@dataclass(slots=True, eq=False)
class Case:
    """A case and who has to do with it."""

    id: str
    practice: str
    owner: Person
    day: int
    files: int
    planner: Person | None = None
    assignment: str = ""
    done: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Its id and its practice's, as events name it."""
        return (self.id, self.practice)


class Town:
    """Everybody, and every case that there is so far."""

    def __init__(self, chance: random.Random, size: Size) -> None:
        """Settle a town of this size."""
        self.size = size
        self.chance = chance
        self.people: list[Person] = []
        self.cases: dict[str, list[Case]] = defaultdict(list)
        self._ids = 0
        for number in range(size.practices):
            practice = self.new_id("practice")
            office = f"10.{1 + number // CHAIN // 250}.{number // CHAIN % 250}.1"
            if number % 3:
                office = f"10.100.{number // 250}.{number % 250}"
            for place in range(size.people):
                kind = "manager" if place == 0 else "desk" if place in {1, 2} else "dentist"
                role = "practice_manager" if kind == "manager" else "dentist"
                self.settle(kind, role, practice, office)
            if number % 5 == 0:
                self.settle("software", "service", practice, office)
        for kind, count in {
            "planner": size.planners,
            "coordinator": 4,
            "officer": 2,
            "administrator": 2,
        }.items():
            for _ in range(count):
                role = "privacy_officer" if kind == "officer" else kind
                self.settle(kind, role, None, chance.choice(("10.200.0.1", "10.200.0.2")))
        for person in self.people:
            self._plan_holidays(person)

    def settle(
        self, kind: str, role: str, practice: str | None, office: str, joined: int = 0
    ) -> Person:
        """Add somebody."""
        chance = self.chance
        days = range(7) if kind == "software" else range(6) if chance.random() < 0.1 else range(5)
        weekdays = frozenset(day for day in days if kind == "software" or chance.random() < 0.82)
        night = kind in {"planner", "dentist"} and chance.random() < 0.05
        begins = chance.choice((18.5, 20.0)) if night else chance.choice((7.0, 7.5, 8.0, 8.5, 9.0))
        home = f"10.{chance.randint(50, 90)}.{chance.randint(0, 250)}.{chance.randint(1, 250)}"
        person = Person(
            self.new_id("account"),
            kind,
            role,
            practice,
            office,
            home,
            begins,
            weekdays or frozenset({1}),
            joined=joined,
        )
        self.people.append(person)
        return person

    def of(self, *kinds: str) -> list[Person]:
        """Everybody who does one of these."""
        return [person for person in self.people if person.kind in kinds]

    def colleagues(self, person: Person, *kinds: str) -> list[Person]:
        """The others of the same practice, or of the house."""
        return [
            other
            for other in self.people
            if other.practice == person.practice and other is not person and other.kind in kinds
        ]

    def new_id(self, kind: str) -> str:
        """An id that nobody has."""
        self._ids += 1
        return f"{kind}-{self._ids:07d}"

    def new_case(self, owner: Person, day: int) -> Case:
        """A new case of somebody's."""
        practice = owner.practice or ""
        case = Case(self.new_id("case"), practice, owner, day, self.chance.randint(3, 6))
        self.cases[practice].append(case)
        return case

    def _plan_holidays(self, person: Person) -> None:
        if person.kind == "software":
            return
        for _ in range(self.chance.choice((1, 1, 2))):
            first = self.chance.randrange(self.size.days)
            person.away.update(range(first, first + self.chance.choice((2, 5, 7, 12))))
