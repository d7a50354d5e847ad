"""Canaries: cases behind which there is no patient, so that nobody has a reason to open them.

A practice enters one as it enters any case, with an invented patient, and agrees that it is one;
a privacy officer then says so here. Nothing of the case shows it, nor does any event that the
practice sees: the events of canaries name it in a detail, and belong to the house.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.errors import InvalidInputError, NotFoundError, WrongStateError
from gateway.ids import new_id, now
from gateway.privacy.reasons import check_reason
from storage import canaries, cases
from storage.canaries import Canary
from storage.database import Database


class Canaries:
    """Makes cases canaries, and ends that."""

    def __init__(self, main: Database, access: Access) -> None:
        """Rows in `main`."""
        self._main = main
        self._access = access

    async def make(self, actor: Actor, case_id: str, consent: str) -> Canary:
        """Make a case a canary.

        Args:
            actor: A privacy officer.
            case_id: A case that its practice entered for this.
            consent: Who of the practice agreed, and when.

        Raises:
            InvalidInputError: No consent, or there is no such case.
            WrongStateError: It was handed in for planning or erased, or it is or was a canary.
        """
        check_reason(consent, field="consent")
        canary = Canary(new_id(), case_id, actor.id, now(), consent.strip())
        grant = await self._access.authorise(
            actor, Action.CANARY_MAKE, target=Target("canary", canary.id)
        )
        async with self._main.transaction() as tx:
            case = await cases.lock(tx, case_id)
            if case is None:
                raise InvalidInputError(field="case_id", reason="name a case")
            if case.state != "draft" or case.frozen_at is not None:
                raise WrongStateError(needed="draft", state=case.state)
            if await canaries.of_case(tx, case_id) is not None:
                raise WrongStateError(needed="no canary", state="canary")
            await canaries.add(tx, canary)
            await self._access.outcome_in(tx, grant, case=case_id)
        return canary

    async def list(self, actor: Actor) -> Sequence[Canary]:
        """All that there are and were, the newest first."""
        await self._access.authorise(actor, Action.CANARY_LIST)
        async with self._main.reading() as connection:
            return await canaries.list_canaries(connection)

    async def end(self, actor: Actor, canary_id: str) -> None:
        """Let a case be a canary no more. Raises NotFoundError, WrongStateError."""
        grant = await self._access.authorise(
            actor, Action.CANARY_END, target=Target("canary", canary_id)
        )
        async with self._main.transaction() as tx:
            canary = await canaries.get(tx, canary_id)
            if canary is None:
                raise NotFoundError
            if not await canaries.end(tx, canary_id, now()):
                raise WrongStateError(needed="canary", state="ended")
            await self._access.outcome_in(tx, grant, case=canary.case_id)
