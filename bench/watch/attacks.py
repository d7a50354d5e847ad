"""The twelve scenarios of the threat list, each in as many variants as are asked for.

Each is written as what an attacker would do, with pace and size drawn anew, some of them slow and
small. When it is evident is said here, by a number of steps, and not by what any rule needs.
"""

# ruff: noqa: PLR2004 - the numbers of a simulation

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import cycle, islice

from bench.watch import acts
from bench.watch.life import add_account, declare
from bench.watch.plots import Attack, Plot
from bench.watch.scribe import DAY, Who
from bench.watch.town import Case, Person


def snooping(plot: Plot) -> Iterator[int]:
    """A colleague looks at cases of others, out of curiosity."""
    person = plot.pick("dentist")
    days = plot.chance.choice((1, 2, 5, 10))
    cases = plot.old_cases(person, plot.chance.randint(8, 25))
    per_day = max(len(cases) // days, 1)
    while cases:
        today, cases = cases[:per_day], cases[per_day:]
        at = plot.hour(9, 15)
        for case in today:
            if plot.planted.variant % 4 == 0:  # by name, as somebody with a reason would
                acts.search(plot.scribe, at - 5, person.at(), [case])
            acts.view(plot.scribe, at, person.at(), case)
            if plot.chance.random() < 0.5:
                acts.thumbnails(plot.scribe, at + 2, person.at(), case)
            plot.did(at, case, evident_after=6)
            at += plot.chance.uniform(10, 600)
        yield 1


def known_person(plot: Plot) -> Iterator[int]:
    """One case, of somebody known: many of the practice look, or one relative comes back."""
    crowd = plot.planted.variant % 2 == 0
    first = plot.pick("dentist")
    case = plot.old_cases(first, 1)[0]
    people = [first, *plot.town.colleagues(first, "dentist", "desk", "manager")]
    people = [person for person in people if person is not case.owner]
    lookers = plot.chance.sample(people, min(len(people), plot.chance.randint(4, 6)))
    for number in range(plot.chance.randint(4, 6)):
        person = lookers[number % len(lookers)] if crowd else first
        at = plot.hour(9, 16)
        if plot.planted.variant % 4 == 1:
            acts.search(plot.scribe, at - 5, person.at(), [case])
        acts.view(plot.scribe, at, person.at(), case)
        acts.thumbnails(plot.scribe, at + 3, person.at(), case)
        plot.planted.ids.add(person.id)
        plot.did(at, case, evident_after=3)
        if not crowd or number % 3 == 2:
            yield plot.chance.randint(1, 2)


def bulk(plot: Plot) -> Iterator[int]:
    """Somebody takes what they can before they leave."""
    planner = plot.planted.variant % 4 == 0
    person = plot.pick("planner") if planner else plot.pick("dentist", "manager")
    if planner:
        mine = [case for of in plot.town.cases.values() for case in of if case.planner is person]
        cases = mine[-plot.chance.randint(40, 80) :]
    else:
        cases = plot.town.cases[person.practice or ""][-plot.chance.randint(40, 150) :]
    at, pace = plot.hour(9, 19), plot.chance.choice((2, 5, 15, 40))
    for case in cases:
        acts.download(plot.scribe, at, person.at(), case)
        plot.did(at, case, evident_after=25)
        at += plot.chance.uniform(0.5, 1.5) * pace
    yield 1


def slow_exfiltration(plot: Plot) -> Iterator[int]:
    """Three a day, for sixty days."""
    person = plot.pick("dentist")
    cases = cycle(plot.old_cases(person, 400))
    for _ in range(60):
        at = plot.hour(person.begins + 0.5, person.begins + 7)
        for case in islice(cases, 3):
            acts.view(plot.scribe, at, person.at(), case)
            acts.download(plot.scribe, at + 15, person.at(), case)
            plot.did(at, case, evident_after=60)
            at += plot.chance.uniform(60, 3000)
        yield 1


def stolen_session(plot: Plot) -> Iterator[int]:
    """Somebody's cookie is used from elsewhere, to take or to stay."""
    person = plot.pick("dentist", "manager", "planner")
    address = plot.outsider()
    at = plot.hour(person.begins + 1, person.begins + 6)
    plot.did(at, evident_after=-1)
    cases = _reach(plot, person)
    acts.listing(plot.scribe, at, person.at(address), cases[-20:])
    at += plot.chance.uniform(5, 60)
    for sensitive in range(plot.chance.randint(3, 30)):
        if sensitive % 7 == 3 and person.kind != "planner":
            token = ("token", plot.town.new_id("token"))
            who = person.at(address)
            plot.scribe.act(at, who, "token.create", "own_account", target=token)
            plot.did(at, evident_after=2)
        elif cases:
            case = plot.chance.choice(cases)
            acts.view(plot.scribe, at, person.at(address), case)
            acts.download(plot.scribe, at + 3, person.at(address), case)
            plot.did(at + 3, case, evident_after=2)
        at += plot.chance.uniform(4, 90)
    yield 1


def stuffing(plot: Plot) -> Iterator[int]:
    """Leaked passwords are tried, from one address or many, until one is right."""
    victim = plot.pick("dentist", "desk")
    spread = plot.planted.variant % 3 == 2
    addresses = [plot.outsider() for _ in range(12 if spread else 1)]
    at, pace = plot.hour(0, 20), plot.chance.choice((0.5, 3, 20, 60))
    tries = plot.chance.randint(40, 250)
    people = plot.town.of("dentist", "manager", "desk", "planner")
    for number in range(tries):
        address = addresses[number % len(addresses)]
        draw = plot.chance.random()
        if plot.planted.variant % 5 == 1:
            who = victim.at(address)  # one account, many passwords
        else:
            who = plot.chance.choice(people).at(address) if draw < 0.3 else acts.nobody(address)
        acts.refuse_sign_in(plot.scribe, at, who)
        plot.did(at, evident_after=-1)
        at += plot.chance.uniform(0.5, 1.5) * pace
    at = acts.sign_in(plot.scribe, at, victim, addresses[0], new=True)
    plot.planted.evident = at - 2
    for case in _reach(plot, victim)[-5:]:
        acts.view(plot.scribe, at, victim.at(addresses[0]), case)
        plot.did(at, case, evident_after=-1)
        at += 10
    yield 1


def enumeration(plot: Plot) -> Iterator[int]:
    """Ids are tried: unknown ones, and those of others."""
    person = plot.pick("dentist", "desk", "planner")
    address = plot.outsider() if plot.planted.variant % 2 else person.office
    cases = [case for of in plot.town.cases.values() for case in of]
    foreign = [case for case in cases if case.practice != person.practice]
    at, pace = plot.hour(8, 20), plot.chance.choice((0.2, 2, 10, 30))
    for _ in range(plot.chance.randint(30, 300)):
        known = plot.chance.choice(foreign) if plot.chance.random() < 0.2 else None
        asked = known.id if known else plot.town.new_id("case")
        acts.refuse_case(plot.scribe, at, person.at(address), asked, known)
        plot.did(at, evident_after=15)
        at += plot.chance.uniform(0.5, 1.5) * pace
    yield 1


def oracle(plot: Plot) -> Iterator[int]:
    """Identities are tried against the search, to learn who is a patient."""
    person = plot.pick("dentist", "desk", "software")
    cases = plot.town.cases[person.practice or ""]
    at, pace = plot.hour(8, 15), plot.chance.choice((0.5, 3, 20, 60))
    for _ in range(plot.chance.randint(120, 600)):
        found = [plot.chance.choice(cases)] if cases and plot.chance.random() < 0.1 else []
        acts.search(plot.scribe, at, person.at(), found)
        plot.did(at, evident_after=60)
        at += plot.chance.uniform(0.5, 1.5) * pace
    yield 1


def self_grant(plot: Plot) -> Iterator[int]:
    """Somebody with power over accounts makes a way in for themselves, and reads."""
    way = plot.planted.variant % 4
    at = plot.hour(8, 20)
    plot.planted.first = at  # the grant; it is evident at the first read
    if way == 0:  # an account of one's own making, used from one's own place
        admin = _staff(plot, "administrator")
        reader = _settle(plot, "planner", admin.office)
        add_account(plot.scribe, at, admin.at(), reader.id, "planner")
        target = ("account", reader.id)
        why = "role:planner"
        plot.scribe.act(at + 300, reader.at(), "invitation.accept", why, target=target)
        at = acts.sign_in(plot.scribe, at + 400, reader, admin.office, new=True)
        coordinator = _staff(plot, "coordinator").at()
    elif way == 1:  # the operator sets a password, then signs in with it
        reader = plot.pick("dentist", "manager")
        operator = Who("operator", "operator", None, None)
        target = ("account", reader.id)
        plot.scribe.act(at, operator, "account.change", "role:operator", target=target)
        at = acts.sign_in(plot.scribe, at + 200, reader, plot.outsider(), new=True)
        coordinator = None
    elif way == 2:  # a role changed to one's own advantage
        reader = _staff(plot, "administrator")
        target = ("account", reader.id)
        why = "role:administrator"
        plot.scribe.act(at, reader.at(), "account.change", why, target=target, role="planner")
        reader = _settle(plot, "planner", reader.office, reader.id)
        at += 120
        coordinator = _staff(plot, "coordinator").at()
    else:  # a coordinator gives themself a case
        reader = _staff(plot, "coordinator")
        coordinator = reader.at()
        reader = _settle(plot, "planner", reader.office, reader.id)
    for case in _some(plot, plot.chance.randint(2, 8)):
        if coordinator is not None:
            before = (case.planner, case.assignment)
            name = plot.town.new_id("assignment")
            acts.assign(plot.scribe, at, coordinator, case, reader, name)
        else:
            case = plot.chance.choice(_reach(plot, reader))  # noqa: PLW2901 - one of the practice's
        at += plot.chance.uniform(10, 90)
        address = None if coordinator else min(_addresses(plot))
        acts.view(plot.scribe, at, reader.at(address), case)
        acts.download(plot.scribe, at + 5, reader.at(address), case)
        plot.did(at, case)
        if coordinator is not None:
            case.planner, case.assignment = before
        at += plot.chance.uniform(10, 90)
    yield 1


def emergency_abuse(plot: Plot) -> Iterator[int]:
    """An emergency that is none: many at once, at night, or again and again."""
    person = _staff(plot, "planner")
    manner, at = plot.planted.variant % 3, 0.0
    for turn in range(plot.chance.randint(4, 8)):
        hours = (1, 4) if manner == 1 else (10, 16)
        at = plot.hour(*hours) if manner == 2 or turn == 0 else at + 200
        for case in _some(plot, 1):
            name = plot.town.new_id("emergency")
            declare(plot.scribe, at, person.at(), case, name)
            why = f"emergency:{name}"
            acts.view(plot.scribe, at + 10, person.at(), case, why)
            acts.download(plot.scribe, at + 20, person.at(), case, why=why)
            plot.did(at + 20, case, evident_after=3)
        if manner == 2:
            yield 1


def disabled_use(plot: Plot) -> Iterator[int]:
    """Who was shut out comes back: by account, by token, or to a case taken from them."""
    way, token = plot.planted.variant % 3, plot.town.new_id("token")
    at = plot.hour(9, 12)
    if way == 0:
        person = plot.pick("dentist")
        person.left = plot.day
        manager = plot.town.colleagues(person, "manager")[0]
        target = ("account", person.id)
        plot.scribe.act(
            at, manager.at(), "account.change", "own_practice", target=target, disabled=True
        )
    elif way == 1:
        person = plot.pick("dentist", "manager")
        target = ("token", token)
        plot.scribe.act(at - 600, person.at(), "token.create", "own_account", target=target)
        plot.scribe.act(at, person.at(), "token.revoke", "own_account", target=target)
    else:
        person = plot.pick("planner")
        mine = [case for of in plot.town.cases.values() for case in of if case.planner is person]
        case = mine[-1]
        acts.end_assignment(plot.scribe, at, _staff(plot, "coordinator").at(), case)
    yield plot.chance.randint(1, 6)
    at, address = plot.hour(8, 22), plot.outsider()
    for _ in range(plot.chance.randint(5, 20)):
        who = person.at(address)
        if way == 2:
            acts.refuse_case(plot.scribe, at, who, case.id, case)
        elif way == 1:
            acts.refuse_token(plot.scribe, at, who, "revoked", token)
        elif plot.chance.random() < 0.5:
            acts.refuse_sign_in(plot.scribe, at, who)
        else:
            acts.refuse_session(plot.scribe, at, who, "disabled")
        plot.did(at, evident_after=3 if way else 1)
        at += plot.chance.uniform(2, 200)
    yield 1


def tampering(plot: Plot) -> Iterator[int]:
    """Events are taken out of the log, or something stored is not what was sealed."""
    at = plot.hour(0, 23)
    plot.planted.ids.add("house")
    if plot.planted.variant % 2:
        count = plot.chance.choice((1, 2, 10, 200))
        first, seen = plot.scribe.lose(count, plot.chance.random())
        plot.did(first, evident_after=-1)
        plot.planted.evident = plot.planted.last = seen  # at the event behind the gap
    else:
        case = _some(plot, 1)[0]
        who = Who("system:integrity", "system", None, None)
        target = ("file", f"{case.id}-0")
        plot.scribe.write(at, who, "integrity.alarm", stage="refused", case=case.key, target=target)
        plot.did(at, case)
    yield 1


def _reach(plot: Plot, person: Person) -> list[Case]:
    """What somebody may open."""
    if person.practice is not None:
        return plot.town.cases[person.practice]
    return [case for of in plot.town.cases.values() for case in of if case.planner is person]


def _some(plot: Plot, count: int) -> list[Case]:
    cases = [case for of in plot.town.cases.values() for case in of[-40:]]
    return plot.chance.sample(cases, count)


def _staff(plot: Plot, kind: str) -> Person:
    """One of the house; there are few, so several attacks may be by the same one."""
    person = plot.chance.choice([each for each in plot.town.of(kind) if each.joined == 0])
    plot.planted.ids.add(person.id)
    return person


def _settle(plot: Plot, role: str, office: str, account_id: str | None = None) -> Person:
    """Somebody who exists for the attack alone, or somebody under another role."""
    weekdays: frozenset[int] = frozenset()
    account_id = account_id or plot.town.new_id("account")
    plot.planted.ids.add(account_id)
    return Person(account_id, "none", role, None, office, office, 9.0, weekdays)


def _addresses(plot: Plot) -> set[str]:
    return {each for each in plot.planted.ids if each.startswith("198.")}


MINUTE = timedelta(minutes=1)
SCENARIOS: Mapping[str, tuple[Attack, timedelta, float]] = {
    "stuffing": (stuffing, MINUTE, 1.0),
    "enumeration": (enumeration, MINUTE, 1.0),
    "oracle": (oracle, MINUTE, 1.0),
    "self-grant": (self_grant, MINUTE, 1.0),
    "disabled use": (disabled_use, MINUTE, 1.0),
    "tampering": (tampering, MINUTE, 1.0),
    "bulk": (bulk, 10 * MINUTE, 0.95),
    "stolen session": (stolen_session, 10 * MINUTE, 0.95),
    "emergency abuse": (emergency_abuse, 10 * MINUTE, 0.95),
    "snooping": (snooping, timedelta(seconds=DAY), 0.8),
    "known person": (known_person, timedelta(seconds=DAY), 0.8),
    "slow exfiltration": (slow_exfiltration, timedelta(seconds=DAY), 0.8),
}
"""Each scenario, within what time of being evident it must be told, and how often at least."""
