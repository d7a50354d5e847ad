"""The instruction to erase cases: one or many, at once or after a second person's word.

Asking is one transaction with its events; carrying out is privacy/erasure.py, and each case ends
in a certificate of its own. Asking again gives the same erasure.

Many erasures at once are not one person's doing (invariant 9): from as many cases within a day as
the practice has set they wait until another dentist of the practice approves, or the time that it
has set is over; until then everything goes on, and they can be withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action
from gateway.access.sessions import Sessions
from gateway.errors import InvalidInputError, NotFoundError, WrongStateError
from gateway.ids import new_id, now
from gateway.privacy.reasons import Reasons, check_reason
from storage import accounts, cases, erasures
from storage.accounts import Controller
from storage.database import Database
from storage.erasures import Erasure

MOST_CASES = 1_000  # of one request
DAY = timedelta(days=1)


class Instructions:
    """Takes instructions in, shows how far they are, and lets what waits go on or back."""

    def __init__(
        self,
        *,
        main: Database,
        access: Access,
        sessions: Sessions,
        reasons: Reasons,
        requested: Callable[[], None],
    ) -> None:
        """`requested` is called when there is something to carry out."""
        self._main = main
        self._access = access
        self._sessions = sessions
        self._reasons = reasons
        self._requested = requested

    async def erase_cases(
        self, actor: Actor, case_ids: Sequence[str], reason: str
    ) -> Sequence[Erasure]:
        """Freeze the cases and put their erasure in line, or have it wait for a second person.

        Raises:
            InvalidInputError: No reason, or no case, or too many.
            ConfirmationRequiredError: A browser whose password was given too long ago.
        """
        check_reason(reason)
        if not 1 <= len(case_ids) <= MOST_CASES:
            raise InvalidInputError(field="cases", reason=f"take 1 to {MOST_CASES} cases")
        await self._sessions.require_confirmation(actor, Action.CASE_ERASE)
        grants = [
            await self._access.authorise(actor, Action.CASE_ERASE, case_id)
            for case_id in sorted(set(case_ids))  # the order in which they are locked
        ]
        async with self._main.reading() as connection:
            known = [await erasures.of_case(connection, grant.case.id) for grant in grants]
        if None not in known:
            return [there for there in known if there is not None]
        # Also by those that wait, or are under way, already: they are named together.
        reason = await self._reasons.cleaned(grants, reason)
        async with self._main.transaction() as tx:
            found = await self._put_in_line(tx, actor, grants, reason)
        self._requested()
        return found

    async def _put_in_line(
        self, tx: AsyncConnection, actor: Actor, grants: Sequence[Grant], reason: str
    ) -> Sequence[Erasure]:
        controller_id = grants[0].case.controller_id
        # Held until the commit: requests that come together count together.
        await accounts.lock_controller(tx, controller_id)
        at, request_id, found = now(), new_id(), []
        asked = [await erasures.of_case(tx, grant.case.id) for grant in grants]
        step, until = await _first_step(tx, controller_id, asked.count(None))
        for grant, there in zip(grants, asked, strict=True):
            if there is not None:
                found.append(there)
                continue
            case = await cases.lock(tx, grant.case.id)
            if case is None:
                raise NotFoundError
            erasure = Erasure(
                id=new_id(),
                request_id=request_id,
                kind="case",
                controller_id=controller_id,
                case_id=case.id,
                step=step,
                requested_by=actor.id,
                requested_at=at,
                reason=reason,
                key_id=case.key_id,
                waits_until=until,
            )
            await erasures.add(tx, erasure)
            if step == "frozen":
                await cases.freeze(tx, case.id, at)
            target = Target("erasure", erasure.id)
            await self._access.outcome_in(tx, grant, target, step=step)
            found.append(erasure)
        return found

    async def approve(self, actor: Actor, request_id: str) -> Sequence[Erasure]:
        """Agree, as the second person, that what waits is carried out.

        Raises:
            NotFoundError: There is no such request.
            InvalidInputError: It is the same person who asked.
            WrongStateError: It waits no longer.
        """
        await self._sessions.require_confirmation(actor, Action.ERASURE_APPROVE)
        waiting, grants = await self._waiting(actor, request_id, Action.ERASURE_APPROVE)
        if any(erasure.requested_by == actor.id for erasure in waiting):
            reason = "another dentist of the practice approves than who asked"
            raise InvalidInputError(field="approval", reason=reason)
        async with self._main.transaction() as tx:
            await accounts.lock_controller(tx, waiting[0].controller_id)
            for erasure, grant in zip(waiting, grants, strict=True):
                await cases.lock(tx, grant.case.id)
                if not await erasures.start(tx, erasure.id, second_by=actor.id):
                    raise WrongStateError(needed="waiting", state="changed")
                await cases.freeze(tx, grant.case.id, now())
                await self._access.outcome_in(tx, grant, Target("erasure", erasure.id))
        self._requested()
        return await self._of_request(request_id)

    async def withdraw(self, actor: Actor, request_id: str) -> None:
        """Take back what waits; it was as if nobody had asked, but for the log.

        Raises:
            NotFoundError: There is no such request.
            WrongStateError: It waits no longer.
        """
        waiting, grants = await self._waiting(actor, request_id, Action.ERASURE_WITHDRAW)
        async with self._main.transaction() as tx:
            for erasure, grant in zip(waiting, grants, strict=True):
                if not await erasures.withdraw(tx, erasure.id, finished_at=now()):
                    raise WrongStateError(needed="waiting", state="changed")
                await self._access.outcome_in(tx, grant, Target("erasure", erasure.id))

    async def _waiting(
        self, actor: Actor, request_id: str, action: Action
    ) -> tuple[Sequence[Erasure], Sequence[Grant]]:
        asked = [e for e in await self._of_request(request_id) if e.kind == "case"]
        asked.sort(key=lambda erasure: erasure.case_id or "")  # the order in which they are locked
        if not asked:
            await self._access.authorise(actor, action, request_id)  # refused, as unknown
        grants = [
            await self._access.authorise(
                actor, action, erasure.case_id or "", target=Target("erasure", erasure.id)
            )
            for erasure in asked
        ]
        if any(erasure.step != "waiting" for erasure in asked):
            raise WrongStateError(needed="waiting", state=asked[0].step)
        return asked, grants

    async def view(self, actor: Actor, case_id: str, file_id: str | None = None) -> Erasure:
        """How far the erasure of a case, or of one file of it, is; and its certificate."""
        target = None if file_id is None else Target("file", file_id)
        await self._access.authorise(actor, Action.ERASURE_VIEW, case_id, target=target)
        async with self._main.reading() as connection:
            erasure = (
                await erasures.of_case(connection, case_id)
                if file_id is None
                else await erasures.of_file(connection, case_id, file_id)
            )
        if erasure is None:
            raise NotFoundError
        return erasure

    async def view_request(self, actor: Actor, request_id: str) -> Sequence[Erasure]:
        """What was asked for at once, each with its certificate once there is one.

        It is one look, whatever number of cases: its event names them.

        Raises:
            NotFoundError: There is no such request, or it is another practice's.
        """
        target = Target("erasure", request_id)
        grant = await self._access.authorise(actor, Action.ERASURE_VIEW, target=target)
        asked = await self._of_request(request_id)
        if not asked or actor.controller_id not in {None, asked[0].controller_id}:
            await self._access.note(actor, Action.ERASURE_VIEW, refused=True, erasure=request_id)
            raise NotFoundError
        seen = [erasure.case_id for erasure in asked if erasure.case_id is not None]
        await self._access.outcome(grant, controller_id=asked[0].controller_id, cases=seen)
        return asked

    async def open_requests(self, actor: Actor) -> tuple[Sequence[Erasure], Sequence[Controller]]:
        """What waits or is under way, and the practices whose rules apply: one's own, or all.

        All is for a privacy officer.
        """
        grant = await self._access.authorise(actor, Action.ERASURE_VIEW)
        async with self._main.reading() as connection:
            found = await erasures.pending(connection, actor.controller_id)
            practices = await accounts.list_controllers(connection)
        await self._access.outcome(grant, erasures=[erasure.id for erasure in found])
        own = actor.controller_id
        return found, [each for each in practices if own in {None, each.id}]

    async def _of_request(self, request_id: str) -> Sequence[Erasure]:
        async with self._main.reading() as connection:
            return await erasures.of_request(connection, request_id)


async def _first_step(
    tx: AsyncConnection, controller_id: str, count: int
) -> tuple[str, datetime | None]:
    """Whether so many more cases are erased at once, or wait, and until when."""
    at = now()
    controller = await accounts.get_controller(tx, controller_id)
    if controller is None:
        raise NotFoundError
    many = controller.erasure_second_from
    if not many or await erasures.cases_since(tx, controller_id, at - DAY) + count < many:
        return "frozen", None
    hours = controller.erasure_delay_hours
    return "waiting", at + timedelta(hours=hours) if hours else None
