"""The scope of a planted breach, exactly: no case missed, none too many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from gateway.access.actors import Actor
from gateway.access.policy import Role
from gateway.errors import InvalidInputError
from gateway.ids import new_id, now
from gateway.incidents.gathering import gather
from gateway.incidents.scope import CaseInScope, Effect, Kind, Question, Scope
from tests.gateway.ground import SQLITE, change
from tests.house import API, PATIENT, SCAN, House, Person
from tests.scans import arch, binary_stl

DISCLOSED = (Effect.DISCLOSED,)
WHOLE = (Kind.AGE, Kind.DETAILS, Kind.IDENTITY, Kind.NOTES, Kind.STATE)


async def asked(house: House, question: Question) -> Scope:
    return await gather(house.rooms.main, question, now())


def by_case(scope: Scope) -> Mapping[str, CaseInScope]:
    return {case.case_id: case for theirs in scope.controllers for case in theirs.cases}


@dataclass
class Breach:
    """A thief with a planner's token and a dentist's, among everybody's ordinary work."""

    house: House
    since: datetime
    until: datetime
    viewed: str
    taken: str
    taken_file: str
    archived: str
    archived_files: tuple[str, ...]
    listed: tuple[str, ...]
    south: Person
    south_viewed: str

    @property
    def by_planner(self) -> Question:
        """What the planner's account did while it was the thief's."""
        return Question(accounts=(self.house.planner.id,), since=self.since, until=self.until)


async def assign(house: House, case_id: str, planner: Person) -> None:
    path = f"{API}/cases/{case_id}/assignments"
    await house.coordinator.post(path, {"email": planner.email}, 201)


async def submitted(
    house: House, dentist: Person, number: str, *, scanned: bool = True
) -> tuple[str, str]:
    case_id = await dentist.new_case({**PATIENT, "number": number}, "crowding")
    if not scanned:
        await change(house, "UPDATE cases SET state = 'submitted' WHERE id = :c", c=case_id)
        return case_id, ""
    scan = binary_stl(arch(1_000, seed=int(number)))
    file = await dentist.upload(case_id, scan)
    await dentist.post(f"{API}/cases/{case_id}/submission")
    return case_id, file["id"]


@pytest.fixture
async def breach(house: House) -> Breach:
    """Two practices, eight cases, six weeks in a minute: and decoys of every kind around."""
    planner, colleague = house.planner, await house.add_person("planner")
    _, south = await house.add_practice()
    mine = [await submitted(house, house.dentist, str(n), scanned=n < 5) for n in range(1, 7)]
    theirs = [await submitted(house, south, str(n), scanned=n > 11) for n in range(11, 13)]
    for case_id, _ in (*mine[:5], theirs[0]):
        await assign(house, case_id, planner)
    await assign(house, mine[5][0], colleague)
    viewed, taken, archived, before, after, others = (case_id for case_id, _ in mine)
    # A decoy of the other time: the planner's own work of last week.
    await planner.get(f"{API}/cases/{before}")
    await planner.download(before, mine[3][1])
    since = now()
    await planner.get(f"{API}/cases/{viewed}")
    await planner.download(taken, mine[1][1])
    answer = await planner.ask("GET", f"{API}/cases/{archived}/archive")
    assert answer.status == 200
    await planner.get(f"{API}/cases/{theirs[0][0]}")
    # Decoys of the same account and time: refused, unknown, not theirs, not a byte.
    strange = f"cases/{before}/files/{new_id()}"
    got_nothing = [f"cases/{others}", f"cases/{others}/archive", f"cases/{new_id()}", "alerts"]
    for path in (*got_nothing, strange, f"{strange}/content", f"{strange}/thumbnail"):
        assert (await planner.ask("GET", f"{API}/{path}")).status in {403, 404}
    # Decoys of the same time: everybody else at work.
    await colleague.get(f"{API}/cases/{others}")
    await house.dentist.get(f"{API}/cases/{after}")
    await south.download(*theirs[1])
    await house.coordinator.get(f"{API}/cases")
    until = now()
    await planner.get(f"{API}/cases/{after}")
    listed = tuple(case_id for case_id, _ in (*mine, *theirs))
    return Breach(
        *(house, since, until, viewed, taken, mine[1][1], archived, (mine[2][1],)),
        *(listed, south, theirs[0][0]),
    )


async def test_a_breach_is_what_one_account_got_in_that_time_and_nothing_else(
    breach: Breach,
) -> None:
    found = await asked(breach.house, breach.by_planner)

    seen = by_case(found)
    assert set(seen) == {breach.viewed, breach.taken, breach.archived, breach.south_viewed}
    assert found.complete
    view = (Kind.AGE, Kind.DETAILS, Kind.NOTES, Kind.STATE)
    assert (seen[breach.viewed].kinds, seen[breach.viewed].files) == (view, ())
    assert seen[breach.taken].kinds == (Kind.SCAN, Kind.STATE)
    assert seen[breach.taken].files == (breach.taken_file,)
    assert seen[breach.archived].files == breach.archived_files
    assert {case.effects for case in seen.values()} == {DISCLOSED}
    assert not any(case.keys_exposed for case in seen.values())
    # Each practice by itself; in the one, three cases of three people.
    assert len(found.controllers) == 2
    north = {theirs.controller_id: theirs for theirs in found.controllers}[breach.house.practice.id]
    assert (len(north.cases), north.subjects, north.files) == (3, 3, 2)
    assert (north.content, north.keys_exposed) == (True, False)


@SQLITE
async def test_addresses_requests_and_the_edges_of_the_time_narrow_a_scope_down(
    breach: Breach,
) -> None:
    house, question = breach.house, breach.by_planner
    elsewhere = replace(question, addresses=("192.0.2.0/24", "2001:db8::1"))
    here = replace(question, addresses=("192.0.2.1", "127.0.0.0/8"))
    view = await house.planner.ask("GET", f"{API}/cases/{breach.viewed}")

    assert (await asked(house, elsewhere)).controllers == ()
    assert set(by_case(await asked(house, here))) == set(by_case(await asked(house, question)))
    request = Question(requests=(view.headers["X-Request-ID"],))
    assert set(by_case(await asked(house, request))) == {breach.viewed}
    # From the moment on, and until before it.
    at = datetime.fromisoformat((await _first_view(house, breach.viewed))["at"])
    exactly = replace(question, since=at)
    assert breach.viewed in by_case(await asked(house, exactly))
    assert breach.viewed not in by_case(await asked(house, replace(question, until=at)))


async def _first_view(house: House, case_id: str) -> Mapping[str, str]:
    found = await house.officer.get(f"{API}/cases/{case_id}/events")
    views = [
        event
        for event in found["events"]
        if event["event"] == "case.view" and event["actor"]["id"] == house.planner.id
    ]
    return dict(views[0])


@SQLITE
async def test_a_list_is_metadata_to_the_house_and_shows_a_practice_its_patients(
    breach: Breach,
) -> None:
    house, since = breach.house, now()
    await house.coordinator.get(f"{API}/cases")
    await breach.south.get(f"{API}/cases")
    await house.dentist.post(f"{API}/cases/search", {"patient_number": "3"})

    listed = await asked(house, Question(accounts=(house.coordinator.id,), since=since))
    theirs = await asked(house, Question(accounts=(breach.south.id,), since=since))
    searched = await asked(house, Question(accounts=(house.dentist.id,), since=since))

    assert set(by_case(listed)) == set(breach.listed)
    assert {case.kinds for case in by_case(listed).values()} == {(Kind.STATE,)}
    assert not any(theirs.content for theirs in listed.controllers)
    assert {case.kinds for case in by_case(theirs).values()} == {(Kind.IDENTITY, Kind.STATE)}
    assert len(by_case(theirs)) == 2
    kinds = (Kind.IDENTITY, Kind.MATCH, Kind.STATE)
    assert {case_id: case.kinds for case_id, case in by_case(searched).items()} == {
        breach.archived: kinds
    }


@SQLITE
async def test_one_case_that_does_not_open_keeps_no_other_out_of_the_scope_of_a_list(
    house: House,
) -> None:
    cases = {await house.dentist.new_case({**PATIENT, "number": str(n)}) for n in range(2)}
    altered, since = min(cases), now()
    await change(house, "UPDATE cases SET sealed_identity = :x WHERE id = :c", x=b"x", c=altered)
    listed = (await house.dentist.get(f"{API}/cases"))["cases"]
    assert [each["id"] for each in listed if each["patient"]] == [*(cases - {altered})]

    found = by_case(await asked(house, Question(accounts=(house.dentist.id,), since=since)))

    assert {case.kinds for case in found.values()} == {(Kind.IDENTITY, Kind.STATE)}
    assert set(found) == cases


@SQLITE
async def test_an_erased_case_stays_in_the_scope_of_what_was_read_before(breach: Breach) -> None:
    house = breach.house
    await house.dentist.erase(breach.taken)

    found = by_case(await asked(house, breach.by_planner))

    assert found[breach.taken].files == (breach.taken_file,)
    assert found[breach.taken].kinds == (Kind.SCAN, Kind.STATE)
    assert found[breach.taken].subject is None
    theirs = await asked(house, breach.by_planner)
    assert sum(each.subjects for each in theirs.controllers) == 4


@SQLITE
async def test_what_a_thief_changed_or_destroyed_is_in_the_scope_as_that(breach: Breach) -> None:
    house, since = breach.house, now()
    made = await house.dentist.new_case()
    await house.dentist.upload(made, SCAN)
    path = f"{API}/cases/{breach.viewed}/restriction"
    await house.dentist.ask("POST", path, json={"reason": "a doubt"})
    await house.dentist.erase(breach.archived)
    # A decoy: there is no erasure of this one to see.
    answer = await house.dentist.ask("GET", f"{API}/cases/{breach.taken}/erasure")
    assert answer.status == 404
    until = now()
    await house.dentist.get(f"{API}/cases/{breach.taken}")

    question = Question(accounts=(house.dentist.id,), since=since, until=until)
    found = by_case(await asked(house, question))

    assert {case_id: case.effects for case_id, case in found.items()} == {
        made: (Effect.ALTERED, Effect.DISCLOSED),
        breach.viewed: (Effect.ALTERED,),
        breach.archived: (Effect.DISCLOSED, Effect.LOST),
    }
    assert found[breach.archived].kinds == (Kind.STATE,)  # how far its erasure is


@SQLITE
async def test_not_a_byte_sent_is_no_content_and_a_missing_outcome_is_all_of_it(
    breach: Breach,
) -> None:
    house, since = breach.house, now()
    path = f"{API}/cases/{breach.taken}/files/{breach.taken_file}/content"
    for headers, status in (({"If-None-Match": "*"}, 304), ({"Range": "bytes=999999999-"}, 416)):
        answer = await house.planner.ask("GET", path, headers=headers)
        assert answer.status == status
    question = Question(accounts=(house.planner.id,), since=since)

    none = by_case(await asked(house, question))[breach.taken]
    await house.planner.ask("GET", path, headers={"Range": "bytes=0-9"})
    some = by_case(await asked(house, question))[breach.taken]

    assert (none.kinds, none.files, none.content) == ((Kind.STATE,), (), False)
    assert (some.kinds, some.files) == ((Kind.SCAN, Kind.STATE), (breach.taken_file,))
    lost = Question(requests=("01900000-0000-7000-8000-00000000abcd",))
    planner = Actor(house.planner.id, Role.PLANNER, request_id=lost.requests[0])
    grant = await house.rooms.services.release.open_file(planner, breach.taken, breach.taken_file)
    assert grant.size  # the process died here: who says that it was not sent
    found = by_case(await asked(house, lost))[breach.taken]
    assert found.files == (breach.taken_file,)


@SQLITE
async def test_the_log_that_somebody_took_along_is_in_the_scope_by_the_cases_in_it(
    breach: Breach,
) -> None:
    house, since = breach.house, now()
    page = await breach.south.get(f"{API}/log/events?limit=3")
    numbers = [event["number"] for event in page["events"]]
    question = Question(accounts=(breach.south.id,), since=since)

    found = by_case(await asked(house, question))

    assert numbers == [1, 2, 3]
    assert {case.kinds for case in found.values()} == {(Kind.LOG,)}
    assert len(found) == 1  # the first three events are of one case
    await house.officer.get(f"{API}/log/events?controller={house.practice.id}&limit=1000")
    whole = by_case(await asked(house, Question(accounts=(house.officer.id,), since=since)))
    assert set(whole) == set(breach.listed[:6])


@SQLITE
async def test_an_exposed_key_takes_along_all_there_was_of_that_practice_and_no_other(
    breach: Breach,
) -> None:
    house = breach.house
    await house.dentist.erase(breach.viewed)
    since = now()
    late = await house.dentist.new_case()

    question = Question(keys=(house.practice.id,), since=since)
    found = await asked(house, question)
    earlier = await asked(house, replace(question, since=None, until=since))

    assert set(by_case(found)) == {*breach.listed[1:6], late}
    assert set(by_case(earlier)) == set(breach.listed[:6])
    assert all(case.keys_exposed and case.content for case in by_case(found).values())
    assert by_case(found)[breach.taken].files == (breach.taken_file,)
    assert [theirs.controller_id for theirs in found.controllers] == [house.practice.id]
    with pytest.raises(InvalidInputError):
        await asked(house, Question(keys=(new_id(),)))


@SQLITE
async def test_a_scope_says_that_it_is_not_complete_where_the_log_was_altered_or_pruned(
    breach: Breach,
) -> None:
    house = breach.house
    case_id = breach.viewed
    assert (await asked(house, breach.by_planner)).complete
    await change(
        house,
        "UPDATE events SET record = replace(record, 'case.view', 'case.list')"
        " WHERE case_id = :c AND record LIKE '%case.view%'",
        c=case_id,
    )

    found = await asked(house, breach.by_planner)

    assert not found.complete
    assert not any(theirs.complete for theirs in found.controllers)


def test_a_question_asks_for_something_and_names_what_can_be() -> None:
    at = datetime.fromisoformat("2026-11-01T12:00:00+00:00")
    wrong: list[dict[str, object]] = [
        {},
        {"until": at},
        {"accounts": tuple(map(str, range(1_001)))},
        {"since": at, "until": at},
        {"since": at.replace(tzinfo=None)},
        {"addresses": ("somewhere",)},
        {"addresses": ("192.0.2.1/24",)},
    ]
    for given in wrong:
        with pytest.raises(InvalidInputError):
            Question(**given)  # type: ignore[arg-type]
