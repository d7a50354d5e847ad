"""What an attack needs: somebody who does it, a day, and a label that says what was planted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bench.watch.life import Life
from bench.watch.scribe import DAY, HOUR, Scribe
from bench.watch.town import Case, Person, Town


@dataclass(slots=True)
class Planted:
    """The label of one attack.

    Attributes:
        scenario: Its name.
        variant: Which of its kind.
        first: When it began, in seconds.
        evident: When it had gone so far that somebody who reads the log could know.
        last: When it ended.
        ids: Accounts, addresses and cases that it is about; `house` for the log itself.
        cases: Whose content was opened.
    """

    scenario: str
    variant: int
    first: float = 0.0
    evident: float = 0.0
    last: float = 0.0
    ids: set[str] = field(default_factory=set)
    cases: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Plot:
    """One attack while it is carried out."""

    town: Town
    life: Life
    scribe: Scribe
    chance: random.Random
    planted: Planted
    free: list[Person]  # nobody has attacked as them yet
    day: int = 0
    steps: int = 0

    def pick(self, *kinds: str) -> Person:
        """Somebody to be, or to be robbed, in this attack alone."""
        person = next(
            each
            for each in self.free
            if each.kind in kinds and each.joined == 0 and each.left > self.town.size.days
        )
        self.free.remove(person)
        self.planted.ids.add(person.id)
        # A leaver who takes cases along has not left before; nobody is away on that day.
        person.away.clear()
        return person

    def hour(self, first: float, last: float) -> float:
        """A moment of the day."""
        return self.day * DAY + self.chance.uniform(first, last) * HOUR

    def did(self, at: float, *cases: Case, evident_after: int = 1) -> None:
        """One step of the attack is done; after so many it is evident."""
        planted = self.planted
        self.steps += 1
        planted.first = planted.first or at
        planted.last = max(planted.last, at)
        if self.steps == evident_after:
            planted.evident = at
        for case in cases:
            planted.cases.add(case.id)
            planted.ids.add(case.id)

    def outsider(self) -> str:
        """An address that nobody of the town has."""
        chance = self.chance
        address = f"198.51.{chance.randint(0, 250)}.{chance.randint(1, 250)}"
        self.planted.ids.add(address)
        return address

    def old_cases(self, person: Person, count: int) -> list[Case]:
        """Cases of the practice that somebody has nothing to do with, from long ago if possible."""
        cases = [
            case for case in self.town.cases[person.practice or ""] if case.owner is not person
        ]
        return self.chance.sample(cases, min(count, len(cases)))


Attack = Callable[[Plot], Iterator[int]]
"""Acts on a day, and says after how many days it goes on."""
