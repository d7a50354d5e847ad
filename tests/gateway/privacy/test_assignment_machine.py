"""Whatever is done with assignments, in whatever order: who is assigned sees the case, nobody else.

Hypothesis drives a running house; a model beside it says who must see the case after each step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.ids import now
from storage import cases
from tests.gateway.ground import SQLITE, change
from tests.house import API, Answer, House, Person

T = TypeVar("T")
Term = tuple[datetime, datetime | None]
DAY = timedelta(days=1)
PLANNERS = st.integers(0, 2)
DAYS = st.none() | st.integers(2, 6)


class Machine(RuleBasedStateMachine):
    """One case, three planners, and days that pass."""

    house: House
    planners: list[Person]
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[int, Term] = {}
        self.completed = False
        self.case_id = self.do(self.house.dentist.new_case())
        self.sql("UPDATE cases SET state = 'submitted' WHERE id = :case")
        self.assign(0, None, None)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def sql(self, statement: str, **values: object) -> None:
        self.do(change(self.house, statement, case=self.case_id, **values))

    def ask(self, who: Person, method: str, end: str, **body: object) -> Answer:
        path = f"{API}/cases/{self.case_id}{end}"
        more: dict[str, Any] = {"json": body} if body else {}
        return self.do(who.ask(method, path, **more))

    def runs(self, planner: int, at: datetime) -> bool:
        begins, ends = self.terms.get(planner, (at + DAY, None))
        return begins <= at and (ends is None or at < ends)

    @rule(planner=PLANNERS, start=DAYS, lasts=DAYS)
    def assign(self, planner: int, start: int | None, lasts: int | None) -> None:
        today = now().date()
        first = None if start is None else today + start * DAY
        last = None if lasts is None else (first or today) + lasts * DAY
        body = {"email": self.planners[planner].email, "from": first and str(first)}
        answer = self.ask(
            self.house.coordinator, "POST", "/assignments", **body, until=last and str(last)
        )
        assert answer.status == (409 if self.completed else 201), answer.text
        if not self.completed:
            begins = datetime.combine(first, time(), UTC) if first else now() - DAY
            ends = datetime.combine(last, time(23, 59, 59), UTC) if last else None
            self.terms[planner] = begins, ends

    @rule(giver=PLANNERS, taker=PLANNERS, may=st.booleans())
    def hand_over(self, giver: int, taker: int, *, may: bool) -> None:
        at, email = now(), self.planners[taker].email
        running = [planner for planner in range(3) if self.runs(planner, at)]
        if may and running:  # else most tries were by who has nothing to give
            giver = running[0]
        answer = self.ask(self.planners[giver], "POST", "/handover", email=email)
        if not self.runs(giver, at):
            assert answer.status == 404, answer.text
        elif self.completed:
            assert answer.status == 409, answer.text
        elif giver == taker:
            assert answer.status == 422, answer.text
        else:
            assert answer.status == 201, answer.text
            ends = [self.terms.pop(giver)[1]]
            if taker in self.terms and not self.is_over(taker, at):
                ends.append(self.terms[taker][1])
            self.terms[taker] = at - DAY, None if None in ends else max(e for e in ends if e)

    @rule(planner=PLANNERS)
    def end(self, planner: int) -> None:
        view = self.ask(self.house.coordinator, "GET", "").json()
        email = self.planners[planner].email
        given = [one["id"] for one in view["assignments"] if one["email"] == email]
        if given:
            answer = self.ask(self.house.coordinator, "DELETE", f"/assignments/{given[-1]}")
            over = planner not in self.terms or self.is_over(planner, now())
            assert answer.status == (409 if over or self.completed else 204), answer.text
            if answer.status == 204:
                del self.terms[planner]

    @precondition(lambda self: self.terms and not self.completed)
    @rule()
    def complete(self) -> None:
        """As Cases.complete does; a plan is of no interest here."""
        grace = timedelta(days=self.house.settings.assignment_grace_days)

        async def completed() -> datetime:
            async with self.house.rooms.main.transaction() as tx:
                await cases.change(tx, self.case_id, state="completed")
                at = now()
                await cases.end_assignments(tx, self.case_id, at + grace)
                return at

        last, self.completed = self.do(completed()) + grace, True
        for planner, (begins, ends) in self.terms.items():
            self.terms[planner] = begins, last if ends is None else min(ends, last)

    @precondition(lambda self: self.terms)
    @rule(days=st.integers(1, 20))
    def let_days_pass(self, days: int) -> None:
        self.sql(
            "UPDATE assignments SET starts_at = starts_at - :by, ends_at = ends_at - :by"
            " WHERE case_id = :case",
            by=days * DAY // timedelta(microseconds=1),
        )
        for planner, (begins, ends) in self.terms.items():
            self.terms[planner] = begins - days * DAY, ends and ends - days * DAY

    def is_over(self, planner: int, at: datetime) -> bool:
        begins, ends = self.terms[planner]
        return ends is not None and ends <= max(at, begins)

    @invariant()
    def who_is_assigned_sees_the_case_and_nobody_else(self) -> None:
        before = [self.runs(planner, now()) for planner in range(3)]
        seen = [self.ask(person, "GET", "").status == 200 for person in self.planners]
        if before == [self.runs(planner, now()) for planner in range(3)]:  # no midnight between
            assert seen == before

    @invariant()
    def a_planner_has_one_assignment_at_the_most(self) -> None:
        view = self.ask(self.house.coordinator, "GET", "").json()
        at, when = now(), datetime.fromisoformat
        lasting = [
            one["email"]
            for one in view["assignments"]
            if one["ends_at"] is None or when(one["ends_at"]) > max(at, when(one["starts_at"]))
        ]
        assert len(lasting) == len(set(lasting))


@SQLITE
async def test_in_whatever_order_assignments_change_the_assigned_see_the_case_and_nobody_else(
    house: House,
) -> None:
    people = [house.planner, await house.add_person("planner"), await house.add_person("planner")]
    attributes = {"house": house, "planners": people, "loop": asyncio.get_running_loop()}
    machine = type("AtThisHouse", (Machine,), attributes)
    chosen = settings(
        max_examples=8,
        stateful_step_count=10,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    await asyncio.to_thread(run_state_machine_as_test, machine, settings=chosen)
