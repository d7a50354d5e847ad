"""What happens on a day when nobody means harm, with all that looks like harm and is none.

Holidays and their cover, hand-overs, night work, shared and changing addresses, forgotten
passwords, people who join and leave, calls to many patients, archives at the month's end,
software with a token that ended, emergencies that were some.
"""

# ruff: noqa: PLR2004 - the numbers of a simulation

from __future__ import annotations

from bench.watch import acts
from bench.watch.scribe import DAY, HOUR, Scribe, Who
from bench.watch.town import Case, Person, Town

SYSTEM = Who("system:backup", "system", None, None)
INSPECTION = Who("system:inspection", "system", None, None)
LISTED = 20  # cases of a list


class Life:
    """The days of a town."""

    def __init__(self, town: Town, scribe: Scribe) -> None:
        """Begin on day 0; what is drawn is drawn from the town's chance."""
        self.town = town
        self.scribe = scribe
        self.chance = town.chance
        self._queue: list[Case] = []
        self._swap_day = self.chance.randrange(30, 70)
        self._reviews: list[tuple[int, str]] = []
        self._fetched: dict[str, list[Case]] = {}
        self._open: dict[str, list[Case]] = {}
        self._devices: set[tuple[str, str]] = set()
        self._archived: dict[str, int] = {}

    def day(self, day: int) -> None:
        """Everything of one day."""
        self._house(day)
        self._changes(day)
        for person in list(self.town.people):
            if person.works(day):
                self._works(person, day)
        self._assign(day)

    def _works(self, person: Person, day: int) -> None:
        if person.kind == "software":
            self._software(person, day)
            return
        address = self._address(person)
        at = day * DAY + (person.begins + self.chance.gauss(0, 0.4)) * HOUR
        if self.chance.random() < 0.3:
            acts.refuse_session(self.scribe, at - 20, person.at(address), "over")  # yesterday's
        rusty = (day - 1) in person.away
        failures = self.chance.choice((1, 1, 2, 3)) if self._happens(0.2 if rusty else 0.04) else 0
        place = (person.id, address if address in {person.office, person.home} else "phone")
        new = place not in self._devices or self._happens(0.01)
        self._devices.add(place)
        at = acts.sign_in(self.scribe, at, person, address, failures, new=new)
        working = {
            "dentist": self._dentist,
            "manager": self._manager,
            "desk": self._desk,
            "planner": self._planner,
            "officer": self._officer,
        }.get(person.kind)
        if working is not None:
            working(person, person.at(address), at, day)

    def _address(self, person: Person) -> str:
        draw = self.chance.random()
        if draw < 0.86:
            return person.office
        if draw < 0.97:
            return person.home
        return f"172.{self.chance.randint(16, 31)}.{self.chance.randint(0, 250)}.9"  # a phone's

    def _dentist(self, person: Person, who: Who, at: float, day: int) -> None:
        town, chance = self.town, self.chance
        cases = town.cases[person.practice or ""]
        end = at + 7.5 * HOUR
        for _ in range(chance.randint(1, 2)):
            self._list(chance.uniform(at, end), who, cases)
        for case in self._of_interest(person, day):
            self._look(person, who, chance.uniform(at, end), case)
        for case in cases[-150:]:
            if case.owner is person and case.done and not self._happens(0.7):
                acts.download(self.scribe, chance.uniform(at, end), who, case)
                case.done = False
        if self._happens(0.5):
            self._create(person, who, chance.uniform(at, end), day)
        if self._happens(0.01):
            self._wrong_link(who, chance.uniform(at, end), cases)

    def _of_interest(self, person: Person, day: int) -> list[Case]:
        """Cases to look at today: one's own, those of who is away, and now and then another's."""
        town, chance = self.town, self.chance
        recent = town.cases[person.practice or ""][-180:]
        own = [case for case in recent if case.owner is person and day - case.day < 60]
        found = chance.sample(own, min(len(own), chance.randint(1, 6)))
        dentists = town.colleagues(person, "dentist", "manager")
        for away in dentists:
            if day in away.away and self._happens(1 / len(dentists)):
                theirs = [case for case in recent if case.owner is away and day - case.day < 60]
                found += chance.sample(theirs, min(len(theirs), chance.randint(1, 3)))
        if recent and self._happens(0.25):
            found.append(chance.choice(recent))
        return found

    def _look(self, person: Person, who: Who, at: float, case: Case) -> None:
        if case.owner is not person and self._happens(0.6):
            acts.search(self.scribe, at - 15, who, [case])
        acts.view(self.scribe, at, who, case)
        if self._happens(0.5):
            acts.thumbnails(self.scribe, at + 2, who, case)
        if self._happens(0.1):
            acts.download(self.scribe, at + 30, who, case, file=0)

    def _create(self, person: Person, who: Who, at: float, day: int) -> None:
        scribe = self.scribe
        if self._happens(0.5):
            acts.search(scribe, at - 60, who, [])
        case = self.town.new_case(person, day)
        scribe.act(at, who, "case.create", "own_practice", case=case.key)
        for number in range(case.files):
            at += self.chance.uniform(10, 60)
            file = ("file", f"{case.id}-{number}")
            scribe.act(at, who, "file.upload", "own_practice", case=case.key, target=file)
            scribe.act(
                at + 2, INSPECTION, "file.inspect", "role:system", case=case.key, target=file
            )
        scribe.act(at + 90, who, "case.submit", "own_practice", case=case.key)
        self._queue.append(case)
        if self._happens(0.01):
            scribe.act(at + HOUR, who, "case.erase", "own_practice", case=case.key)
            self._queue.remove(case)

    def _manager(self, person: Person, who: Who, at: float, day: int) -> None:
        self._dentist(person, who, at, day)
        cases = self.town.cases[person.practice or ""]
        # The archive of the month, on the last working day that there is of it.
        if day % 30 in {27, 28, 29} and day - self._archived.get(person.id, -9) > 9:
            self._archived[person.id] = day
            for number, case in enumerate(cases[-self.chance.randint(15, 40) :]):
                acts.download(self.scribe, at + 3600 + 25 * number, who, case)
        if cases and day > 20 and self._happens(0.001):
            for number, case in enumerate(cases[: self.chance.randint(10, 30)]):
                erased_at = at + 9000 + number
                self.scribe.act(erased_at, who, "case.erase", "own_practice", case=case.key)

    def _desk(self, person: Person, who: Who, at: float, day: int) -> None:
        """Answer calls: look for the patient, open what is found. Sometimes call many patients."""
        chance, cases = self.chance, self.town.cases[person.practice or ""]
        calls = chance.randint(40, 80) if self._happens(0.02) else chance.randint(4, 18)
        for _ in range(calls):
            when = chance.uniform(at, at + 7.5 * HOUR)
            found = [chance.choice(cases[-120:])] if cases and self._happens(0.85) else []
            acts.search(self.scribe, when, who, found)
            if found and self._happens(0.7):
                acts.view(self.scribe, when + 8, who, found[0])
        if self._happens(0.1) and day:
            self._create(person, who, chance.uniform(at, at + 7 * HOUR), day)

    def _planner(self, person: Person, who: Who, at: float, day: int) -> None:
        chance, end = self.chance, at + 7.5 * HOUR
        mine = [case for case in self._mine(person) if not case.done]
        self._list(at + 30, who, mine)
        for case in mine[: chance.randint(5, 14)]:
            when = chance.uniform(at, end)
            acts.view(self.scribe, when, who, case)
            acts.thumbnails(self.scribe, when + 3, who, case)
            fetched = self._fetched.setdefault(person.id, [])
            if case not in fetched:
                fetched.append(case)
                del fetched[:-200]
                acts.download(self.scribe, when + 20, who, case)
            elif self._happens(0.7):
                self._finish(who, when + HOUR, case)
        if mine and self._happens(0.012):
            self._emergency(person, who, chance.uniform(at, end), day)
        if self._happens(0.02):
            self._wrong_link(who, chance.uniform(at, end), mine)

    def _finish(self, who: Who, at: float, case: Case) -> None:
        why = acts.ground(who, case)
        plan = ("file", f"{case.id}-plan")
        self.scribe.act(at, who, "plan.upload", why, case=case.key, target=plan)
        self.scribe.act(at + 60, who, "case.complete", why, case=case.key)
        case.done = True
        self._open[who.id].remove(case)

    def _emergency(self, person: Person, who: Who, at: float, day: int) -> None:
        others = [case for other in self.town.of("planner") for case in self._mine(other)]
        others = [case for case in others if case.planner is not person]
        if not others:
            return
        case, name = self.chance.choice(others), self.town.new_id("emergency")
        declare(self.scribe, at, who, case, name)
        why = f"emergency:{name}"
        acts.view(self.scribe, at + 20, who, case, why)
        acts.thumbnails(self.scribe, at + 25, who, case, why)
        if self._happens(0.5):
            acts.download(self.scribe, at + 60, who, case, why=why)
        self._reviews.append((day + self.chance.randint(0, 2), name))

    def _officer(self, person: Person, who: Who, at: float, day: int) -> None:
        cases = [case for of in self.town.cases.values() for case in of[-1:]]
        why = f"role:{person.role}"
        for number, case in enumerate(self.chance.sample(cases, min(len(cases), 6))):
            when = at + 600 * number
            self.scribe.write(when, who, "log.view", ground=why, case=case.key)
        for due, name in [each for each in self._reviews if each[0] <= day]:
            self.scribe.act(
                at + 300,
                who,
                acts.REVIEWED,
                why,
                target=("emergency", name),
                emergency=name,
                verdict="justified",
            )
            self._reviews.remove((due, name))

    def _software(self, person: Person, day: int) -> None:
        who = person.at()
        cases = self.town.cases[person.practice or ""]
        ended = self._happens(0.003)
        for quarter in range(0, 96, 2):
            at = day * DAY + quarter * 900 + 7
            if ended:
                acts.refuse_token(self.scribe, at, who, "over", f"token of {person.id}")
                continue
            self._list(at, who, cases)
            if cases and quarter % 8 == 0:
                acts.view(self.scribe, at + 1, who, cases[-1])

    def _mine(self, planner: Person) -> list[Case]:
        return self._open.setdefault(planner.id, [])

    def _give(self, at: float, who: Who, case: Case, planner: Person) -> None:
        if case.planner is not None and case in self._mine(case.planner):
            self._mine(case.planner).remove(case)
            acts.end_assignment(self.scribe, at - 1, who, case)
        acts.assign(self.scribe, at, who, case, planner, self.town.new_id("assignment"))
        self._mine(planner).append(case)

    def _assign(self, day: int) -> None:
        """Hand out what came in; hand over what somebody leaves who goes away tomorrow."""
        coordinators = [each for each in self.town.of("coordinator") if each.works(day)]
        planners = [each for each in self.town.of("planner") if each.works(day)]
        if not coordinators or not planners:
            return
        who = self.chance.choice(coordinators).at()
        at = day * DAY + 16 * HOUR
        for case in self._queue:
            planner = min(planners, key=lambda each: (len(self._mine(each)), each.id))
            self._give(at, who, case, planner)
            at += self.chance.uniform(5, 40)
        self._queue = []
        for planner in self.town.of("planner"):
            going = day + 1 in planner.away and day + 4 in planner.away and day not in planner.away
            if going or (day == self._swap_day and self._happens(0.5)):
                taker = self.chance.choice(planners)
                for case in [] if taker is planner else list(self._mine(planner)):
                    self._give(at, who, case, taker)
                    at += 4

    def _house(self, day: int) -> None:
        self.scribe.act(day * DAY + 2 * HOUR, SYSTEM, "backup.write", "role:system", generation=day)
        administrators = [each for each in self.town.of("administrator") if each.works(day)]
        for person in administrators[:1]:
            who, at = person.at(), day * DAY + 10 * HOUR
            self.scribe.write(at, who, "account.list", ground="role:administrator")
            if self._happens(0.2):
                name = self.town.new_id("account")
                add_account(self.scribe, at + 60, who, name, "planner")
        if day % 14 == 13:
            at = day * DAY + 21 * HOUR
            server = Who("system:server", "system", None, None)
            self.scribe.write(at, server, "house.stop")
            self.scribe.write(at + 40, server, "settings.change", settings=["workers"])
            self.scribe.write(at + 41, server, "house.start", version="0.3.0")

    def _changes(self, day: int) -> None:
        """Somebody joins, somebody leaves; who takes over looks at what they left."""
        town, chance = self.town, self.chance
        if self._happens(0.08):
            old = chance.choice(town.of("dentist"))
            manager = next(each for each in town.colleagues(old, "manager"))
            new = town.settle("dentist", "dentist", old.practice, old.office, joined=day + 1)
            add_account(self.scribe, day * DAY + 9 * HOUR, manager.at(), new.id, "dentist")
            joining = day * DAY + 20 * HOUR
            self.scribe.act(
                joining,
                new.at(new.home),
                "invitation.accept",
                "role:dentist",
                target=("account", new.id),
            )
            if self._happens(0.5) and old.left > day:
                self._leaves(old, manager, new, day)

    def _leaves(self, old: Person, manager: Person, heir: Person, day: int) -> None:
        old.left = day
        target = ("account", old.id)
        at = day * DAY + 17 * HOUR
        self.scribe.act(
            at, manager.at(), "account.change", "own_practice", target=target, disabled=True
        )
        if self._happens(0.3):
            acts.refuse_session(self.scribe, at + 2 * HOUR, old.at(old.home), "disabled")
        for case in self.town.cases[old.practice or ""]:
            if case.owner is old:
                case.owner = heir

    def _list(self, at: float, who: Who, cases: list[Case]) -> None:
        acts.listing(self.scribe, at, who, cases[-LISTED:])

    def _wrong_link(self, who: Who, at: float, cases: list[Case]) -> None:
        for _ in range(self.chance.choice((1, 1, 2))):
            name = self.town.new_id("case")
            known = self.chance.choice(cases) if cases and who.role == "planner" else None
            acts.refuse_case(self.scribe, at, who, known.id if known else name, known)

    def _happens(self, probability: float) -> bool:
        return self.chance.random() < probability


def declare(scribe: Scribe, at: float, who: Who, case: Case, name: str) -> None:
    """Declare an emergency for a case."""
    target = ("emergency", name)
    why = f"role:{who.role}"
    scribe.act(
        at, who, acts.DECLARED, why, case=case.key, target=target, emergency=name, minutes=60
    )


def add_account(scribe: Scribe, at: float, who: Who, account_id: str, role: str) -> None:
    """Add somebody and invite them."""
    why = "own_practice" if who.controller_id else f"role:{who.role}"
    target = ("account", account_id)
    scribe.act(at, who, "account.add", why, target=target, role=role)
    scribe.act(at + 1, who, "account.invite", why, target=target)
