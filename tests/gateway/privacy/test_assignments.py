"""Who plans a case, from when until when: given, handed over, ended, and over by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.gateway.ground import SQLITE, change, logged, refused
from tests.house import API, House, Person

PLAN = b"%PDF-1.7 a plan"
DAY = 86_400 * 1_000_000  # microseconds


def day(days: int) -> str:
    return str(datetime.now(UTC).date() + timedelta(days=days))


async def sees(person: Person, case_id: str) -> bool:
    return (await person.ask("GET", f"{API}/cases/{case_id}")).status == 200


async def assign(house: House, case_id: str, planner: Person, **term: str) -> Any:
    body = {"email": planner.email, **term}
    return await house.coordinator.post(f"{API}/cases/{case_id}/assignments", body, 201)


async def hand_over(giver: Person, case_id: str, taker: Person, status: int = 201) -> Any:
    body = {"email": taker.email}
    return await giver.post(f"{API}/cases/{case_id}/handover", body, status)


async def test_an_assignment_begins_on_its_first_day(house: House) -> None:
    case_id, _ = await house.submitted_case()
    case = await assign(house, case_id, house.planner, **{"from": day(2), "until": day(4)})
    assert case["assignments"][0]["starts_at"].startswith(f"{day(2)}T00:00:00")
    assert not await sees(house.planner, case_id)

    await change(house, "UPDATE assignments SET starts_at = starts_at - :by", by=2 * DAY)
    assert await sees(house.planner, case_id)


WRONG = [
    ("from", {"from": day(-2)}),
    ("from", {"from": "soon"}),
    ("until", {"until": day(-2)}),
    ("until", {"from": day(3), "until": day(2)}),
    ("start", {"start": day(3)}),
]


@SQLITE
async def test_days_that_cannot_be_are_refused_by_their_field(house: House) -> None:
    case_id, _ = await house.submitted_case()
    for field, term in WRONG:
        body = {"email": house.planner.email, **term}
        path = f"{API}/cases/{case_id}/assignments"
        problem = refused(
            await house.coordinator.ask("POST", path, json=body), 422, "invalid_input"
        )
        assert problem["field"] in {field, "body"}, term
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["assignments"] == []


async def test_a_planner_hands_a_case_over_and_loses_it(house: House) -> None:
    case_id, _ = await house.submitted_case()
    await assign(house, case_id, house.planner, until=day(5))
    colleague = await house.add_person("planner")
    given = await hand_over(house.planner, case_id, colleague)

    assert given["email"] == colleague.email
    assert given["ends_at"].startswith(f"{day(5)}T23:59:59")
    assert await sees(colleague, case_id)
    assert not await sees(house.planner, case_id)
    _, outcome = await logged(house, "case.hand_over")
    assert outcome["event"]["detail"]["planner"] == colleague.id
    refused(
        await house.planner.ask(
            "POST", f"{API}/cases/{case_id}/handover", json={"email": colleague.email}
        ),
        404,
        "not_found",
    )


@SQLITE
async def test_a_colleague_who_may_stay_longer_keeps_that(house: House) -> None:
    case_id, _ = await house.submitted_case()
    colleague = await house.add_person("planner")
    await assign(house, case_id, house.planner, until=day(5))
    await assign(house, case_id, colleague, until=day(9))

    assert (await hand_over(house.planner, case_id, colleague))["ends_at"].startswith(day(9))
    assert not await sees(house.planner, case_id)
    await assign(house, case_id, house.planner)
    assert (await hand_over(house.planner, case_id, colleague))["ends_at"] is None


@SQLITE
async def test_a_case_is_handed_to_another_planner_alone(house: House) -> None:
    case_id, _ = await house.planned_case()
    disabled = await house.add_person("planner")
    await change(house, "UPDATE accounts SET disabled_at = 1 WHERE id = :id", id=disabled.id)
    wrong = (house.planner, house.dentist, house.coordinator, disabled)
    for person in wrong:
        problem = await hand_over(house.planner, case_id, person, 422)
        assert problem["field"] == "email"
    assert await sees(house.planner, case_id)


async def test_completed_work_is_kept_for_a_grace_time_and_then_gone(house: House) -> None:
    case_id, _ = await house.planned_case()
    later = await house.add_person("planner")
    await assign(house, case_id, later, **{"from": day(40)})
    await house.planner.upload(case_id, PLAN, "plan", "plan.pdf")
    case = await house.planner.post(f"{API}/cases/{case_id}/completion")

    completed = datetime.fromisoformat(case["completed_at"])
    grace = timedelta(days=house.settings.assignment_grace_days)
    ends = {datetime.fromisoformat(a["ends_at"]) for a in case["assignments"]}
    assert ends == {completed + grace}
    assert await sees(house.planner, case_id)
    by = (grace.days + 41) * DAY
    statement = "UPDATE assignments SET starts_at = starts_at - :by, ends_at = ends_at - :by"
    await change(house, statement, by=by)
    assert not await sees(house.planner, case_id)
    assert not await sees(later, case_id)


@SQLITE
async def test_an_end_before_the_grace_time_stays_the_end(house: House) -> None:
    case_id, _ = await house.submitted_case()
    await assign(house, case_id, house.planner, until=day(1))
    await house.planner.upload(case_id, PLAN, "plan", "plan.pdf")
    case = await house.planner.post(f"{API}/cases/{case_id}/completion")

    assert case["assignments"][0]["ends_at"].startswith(day(1))


async def test_the_coordinator_lists_who_plans_what_and_each_practice_sees_its_own_part(
    house: House,
) -> None:
    ours, _ = await house.planned_case()
    _, foreign = await house.add_practice()
    theirs = await foreign.new_case()
    await change(house, "UPDATE cases SET state = 'submitted' WHERE id = :id", id=theirs)
    colleague = await house.add_person("planner")
    await assign(house, theirs, colleague, **{"from": day(3)})
    await hand_over(house.planner, ours, colleague)

    listed = (await house.coordinator.get(f"{API}/assignments"))["assignments"]
    assert [(one["case_id"], one["email"]) for one in listed] == [
        (ours, colleague.email),
        (theirs, colleague.email),
    ]
    assert [one["assigned_by"] for one in listed] == [house.planner.id, house.coordinator.id]
    everything = await house.coordinator.get(f"{API}/assignments?ended=yes&limit=2")
    rest = await house.coordinator.get(f"{API}/assignments?ended=yes&before={everything['next']}")
    assert [one["email"] for one in rest["assignments"]] == [house.planner.email]

    named = [
        (event["object"]["controller_id"], event["event"]["detail"]["cases"])
        for event in await logged(house, "assignment.list")
        if event["event"]["stage"] == "outcome"
    ]
    assert (house.practice.id, [ours]) in named
    assert all(ours not in cases for controller, cases in named if controller != house.practice.id)


async def test_of_a_hand_over_and_an_end_at_one_moment_one_happens(house: House) -> None:
    case_id, _ = await house.planned_case()
    colleague = await house.add_person("planner")
    own = (await house.planner.get(f"{API}/cases/{case_id}"))["assignments"][0]["id"]
    given, ended = await asyncio.gather(
        house.planner.ask(
            "POST", f"{API}/cases/{case_id}/handover", json={"email": colleague.email}
        ),
        house.coordinator.ask("DELETE", f"{API}/cases/{case_id}/assignments/{own}"),
    )

    assert (given.status, ended.status) in {(201, 409), (404, 204)}
    assert not await sees(house.planner, case_id)
    assert await sees(colleague, case_id) is (given.status == 201)


async def test_a_case_is_handed_to_one_colleague_by_one_planner_once(house: House) -> None:
    case_id, _ = await house.planned_case()
    first, second = await house.add_person("planner"), await house.add_person("planner")
    answers = await asyncio.gather(
        *(
            house.planner.ask(
                "POST", f"{API}/cases/{case_id}/handover", json={"email": person.email}
            )
            for person in (first, second)
        )
    )

    assert sorted(answer.status for answer in answers) == [201, 404]
    assert [await sees(person, case_id) for person in (first, second)].count(True) == 1


@SQLITE
async def test_a_coordinator_sees_who_could_plan_and_how_much_each_has_to_do(house: House) -> None:
    first, _ = await house.planned_case()
    second, _ = await house.submitted_case()
    idle, gone = await house.add_person("planner"), await house.add_person("planner")
    await assign(house, second, house.planner)
    await assign(house, second, gone)
    await change(house, "UPDATE accounts SET disabled_at = created_at WHERE id = :id", id=gone.id)

    seen = {each["email"]: each["planned"] for each in await planners(house)}
    assert seen == {house.planner.email: 2, idle.email: 0}

    await house.planner.upload(first, PLAN, "plan", "plan.pdf")
    await house.planner.post(f"{API}/cases/{first}/completion")
    assert {each["planned"] for each in await planners(house)} == {0, 1}


async def planners(house: House) -> Any:
    return (await house.coordinator.get(f"{API}/planners"))["planners"]


@SQLITE
async def test_a_list_of_cases_says_who_plans_each_now(house: House) -> None:
    waiting, _ = await house.submitted_case()
    planned, _ = await house.planned_case()
    over, _ = await house.planned_case()
    await change(
        house,
        "UPDATE assignments SET ends_at = starts_at + 1 WHERE case_id = :id",
        id=over,
    )

    for person, shown in (
        (house.coordinator, {waiting, planned, over}),
        (house.planner, {planned}),
    ):
        listed = (await person.get(f"{API}/cases"))["cases"]
        planning = {case["id"]: [a["email"] for a in case["assignments"]] for case in listed}
        assert planning == {id_: [house.planner.email] * (id_ == planned) for id_ in shown}
