"""A town's log as a stream, with or without attacks; the same seed gives the same events.

Seeds are of two kinds. TUNING may be looked at while thresholds are chosen; JUDGING may not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.watch.attacks import SCENARIOS
from bench.watch.life import Life
from bench.watch.plots import Planted, Plot
from bench.watch.scribe import DAY, Scribe
from bench.watch.town import Size, Town
from storage.accesslog.reading import StoredEvent

TUNING = (11, 12, 13)
JUDGING = (9071, 9072)
SETTLING = 30  # days before the first attack: a habit is known by then
SMALL = Size(practices=4, planners=4, days=45)


@dataclass(slots=True)
class Stream:
    """The events of a town; `planted` is complete once they were all given out."""

    seed: int
    size: Size = field(default_factory=Size)
    variants: int = 20  # of each scenario; 0: nobody means harm
    planted: list[Planted] = field(default_factory=list)
    worked: int = 0  # days on which somebody worked, added up over people
    bystanders: list[str] = field(default_factory=list)  # whom nobody attacked

    def __iter__(self) -> Iterator[StoredEvent]:
        """Give the events, a day at a time."""
        town = Town(random.Random(self.seed), self.size)  # noqa: S311 - a simulation
        scribe = Scribe()
        life = Life(town, scribe)
        under_way = self._plots(town, life, scribe)
        for day in range(self.size.days):
            life.day(day)
            self.worked += sum(person.works(day) for person in town.people)
            for plot, steps in [each for each in under_way if each[0].day == day]:
                wait = next(steps, None)
                if wait is None:
                    under_way.remove((plot, steps))
                else:
                    plot.day = day + wait
            yield from scribe.until((day + 1) * DAY)
        self.planted = [each for each in self.planted if each.evident]
        attacked = {each for planted in self.planted for each in planted.ids}
        people = [person.id for person in town.people if person.joined == 0]
        self.bystanders = [each for each in people if each not in attacked]

    def _plots(self, town: Town, life: Life, scribe: Scribe) -> list[tuple[Plot, Iterator[int]]]:
        chance = random.Random(f"attacks of {self.seed}")  # noqa: S311 - a simulation
        free = list(town.people)
        chance.shuffle(free)
        plots = []
        for name, (attack, _, _) in SCENARIOS.items():
            for variant in range(self.variants):
                planted = Planted(name, variant)
                self.planted.append(planted)
                plot = Plot(town, life, scribe, chance, planted, free)
                last = self.size.days - (62 if name == "slow exfiltration" else 14)
                plot.day = chance.randrange(min(SETTLING, last - 1), last)
                plots.append((plot, attack(plot)))
        return plots
