"""Who plans a case, from when until when: given, handed over, taken away, and over by itself.

A planner has at most one assignment to a case that is not over. All changes of one case hold its
row, so of two at one moment the second sees what the first one did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TypeGuard

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target, require_still
from gateway.access.policy import Action, Role
from gateway.errors import InvalidInputError, NotFoundError, WrongStateError
from gateway.ids import new_id, now
from storage import accounts, cases, emergencies
from storage.accounts import Account
from storage.cases import Assignment
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Term:
    """The days of an assignment, both included, in UTC; none: from now, with no end."""

    start: date | None = None
    until: date | None = None

    def moments(self, at: datetime) -> tuple[datetime, datetime | None]:
        """When it begins and ends.

        Raises:
            InvalidInputError: A day that is over, or an end before the beginning.
        """
        if self.start is not None and self.start < at.date():
            raise InvalidInputError(field="from", reason="take a day that is not over")
        begins = at if self.start is None else max(at, datetime.combine(self.start, time(), UTC))
        if self.until is None:
            return begins, None
        ends = datetime.combine(self.until, time(23, 59, 59), UTC)
        if ends <= begins:
            raise InvalidInputError(field="until", reason="take a day that is not over")
        return begins, ends


class Assignments:
    """What coordinators and planners do with assignments."""

    def __init__(self, main: Database, access: Access) -> None:
        """Rows in `main`; every act is authorised and logged by `access`."""
        self._main = main
        self._access = access

    async def assign(self, actor: Actor, case_id: str, email: str, term: Term) -> Grant:
        """Give a planner access. What they had to the case is replaced.

        Raises:
            InvalidInputError: No planner of this address, or days that cannot be.
        """
        grant = await self._access.authorise(actor, Action.CASE_ASSIGN, case_id)
        at = now()
        begins, ends = term.moments(at)
        async with self._main.transaction() as tx:
            planner = await _planner(tx, email)
            require_still(grant, await cases.lock(tx, case_id))
            await cases.end_assignments(tx, case_id, at, account_id=planner.id)
            assignment = Assignment(new_id(), case_id, planner.id, actor.id, begins, ends)
            await cases.assign(tx, assignment)
            await cases.change(tx, case_id, state="planning")
            target = Target("assignment", assignment.id)
            await self._access.outcome_in(tx, grant, target, planner=planner.id)
        return grant

    async def end(self, actor: Actor, case_id: str, assignment_id: str) -> None:
        """Take a planner's access away, at once.

        Raises:
            NotFoundError: The case has no such assignment.
            WrongStateError: It is over already, such as handed over to a colleague.
        """
        target = Target("assignment", assignment_id)
        grant = await self._access.authorise(actor, Action.CASE_ASSIGN, case_id, target=target)
        async with self._main.transaction() as tx:
            await cases.lock(tx, case_id)
            at = now()
            known = {a.id: a for a in await cases.assignments_of(tx, case_id)}
            if assignment_id not in known:
                raise NotFoundError
            if known[assignment_id].is_over(at):
                raise WrongStateError(needed="not over", state="over")
            await cases.end_assignments(tx, case_id, at, assignment_id=assignment_id)
            await self._access.outcome_in(tx, grant, target)

    async def end_all(self, actor: Actor, account_id: str) -> int:
        """Take every access of a planner away, to contain an incident; how many cases.

        Emergencies that run end too. Each is an event of its case. A crash leaves some of them; the
        same call ends those.
        """
        at = now()
        async with self._main.reading() as connection:
            left = await cases.assigned_to(connection, account_id, at)
            declared = await emergencies.running_of(connection, account_id, at)
        ends = [
            *((Target("assignment", each.id), each.case_id) for each in left),
            *((Target("emergency", each.id), each.case_id) for each in declared),
        ]
        for target, case_id in ends:
            grant = await self._access.authorise(
                actor, Action.ASSIGNMENT_END, case_id, target=target
            )
            async with self._main.transaction() as tx:
                await cases.lock(tx, case_id)
                if target.type == "emergency":
                    await emergencies.end(tx, target.id, now())
                else:
                    await cases.end_assignments(tx, case_id, now(), assignment_id=target.id)
                await self._access.outcome_in(tx, grant, target, planner=account_id)
        return len({case_id for _, case_id in ends})

    async def hand_over(self, actor: Actor, case_id: str, email: str) -> tuple[Assignment, Account]:
        """Give one's own assignment to a colleague, until the same end, and lose it.

        A colleague who is assigned already keeps their own end if it is the later one.

        Raises:
            InvalidInputError: No other planner of this address.
            NotFoundError: One's own assignment has just ended.
        """
        grant = await self._access.authorise(actor, Action.CASE_HAND_OVER, case_id)
        async with self._main.transaction() as tx:
            colleague = await _planner(tx, email)
            if colleague.id == actor.id:
                raise InvalidInputError(field="email", reason="name a colleague")
            require_still(grant, await cases.lock(tx, case_id))
            at = now()
            own = await cases.running_assignment(tx, case_id, actor.id, at)
            if own is None:
                raise NotFoundError
            theirs = await cases.open_assignment(tx, case_id, colleague.id, at)
            ends = own.ends_at if theirs is None else _later(own.ends_at, theirs.ends_at)
            for account_id in (actor.id, colleague.id):
                await cases.end_assignments(tx, case_id, at, account_id=account_id)
            given = Assignment(new_id(), case_id, colleague.id, actor.id, at, ends)
            await cases.assign(tx, given)
            target = Target("assignment", given.id)
            await self._access.outcome_in(tx, grant, target, ended=own.id, planner=colleague.id)
        return given, colleague

    async def list(
        self, actor: Actor, *, ended: bool, before: str | None, limit: int
    ) -> Sequence[tuple[Assignment, str]]:
        """All assignments with their planners' addresses, the newest first.

        Args:
            actor: Who asks.
            ended: Those that are over, too.
            before: Only those given before this one.
            limit: At most so many.
        """
        grant = await self._access.authorise(actor, Action.ASSIGNMENT_LIST)
        at = None if ended else now()
        async with self._main.reading() as connection:
            found = await cases.list_assignments(connection, at, before=before, limit=limit)
            emails = await accounts.emails_of(connection, {a.account_id for a, _ in found})
        by_controller: dict[str, list[str]] = defaultdict(list)
        for assignment, controller_id in found:
            by_controller[controller_id].append(assignment.case_id)
        for controller_id, ids in by_controller.items():
            # Apart for each practice: nothing crosses between them.
            await self._access.outcome(grant, controller_id=controller_id, cases=ids)
        return [(assignment, emails.get(assignment.account_id, "")) for assignment, _ in found]

    async def planners(self, actor: Actor) -> Sequence[tuple[Account, int]]:
        """Everybody to whom a case can be given, and how many each plans now; by address."""
        await self._access.authorise(actor, Action.ASSIGNMENT_LIST)
        async with self._main.reading() as connection:
            known = await accounts.list_accounts(connection)
            planned = await cases.planned_by(connection, now())
        return [(each, planned.get(each.id, 0)) for each in known if _plans(each)]


def _plans(account: Account | None) -> TypeGuard[Account]:
    return account is not None and account.role == Role.PLANNER and account.disabled_at is None


async def _planner(tx: AsyncConnection, email: str) -> Account:
    planner = await accounts.find_account(tx, email.strip().lower())
    if not _plans(planner):
        raise InvalidInputError(field="email", reason="there is no planner of this address")
    return planner


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two ends; None is no end."""
    return None if one is None or other is None else max(one, other)
