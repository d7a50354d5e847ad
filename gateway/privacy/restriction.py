"""Restricting a case (GDPR article 18): stored and nothing else, until a doubt is settled."""

from __future__ import annotations

from datetime import datetime

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant
from gateway.access.policy import Action
from gateway.errors import CaseFrozenError, NotFoundError, WrongStateError
from gateway.ids import now
from gateway.privacy.reasons import Reasons, check_reason
from storage import cases
from storage.database import Database


class Restriction:
    """Restricts cases and releases them; the reason stands in the log of the case."""

    def __init__(self, main: Database, access: Access, reasons: Reasons) -> None:
        """Rows in `main`."""
        self._main = main
        self._access = access
        self._reasons = reasons

    async def restrict(self, actor: Actor, case_id: str, reason: str) -> None:
        """Stop all work on a case; planners lose access at once, until it is released.

        Raises:
            InvalidInputError: No reason.
            CaseRestrictedError: It is restricted already.
        """
        check_reason(reason)
        grant = await self._access.authorise(actor, Action.CASE_RESTRICT, case_id)
        await self._change(grant, reason, now())

    async def release(self, actor: Actor, case_id: str, reason: str) -> None:
        """Let the work on a restricted case go on; who was assigned has access again.

        Raises:
            InvalidInputError: No reason.
            WrongStateError: It is not restricted.
        """
        check_reason(reason)
        grant = await self._access.authorise(actor, Action.CASE_RELEASE, case_id)
        await self._change(grant, reason, None)

    async def _change(self, grant: Grant, reason: str, restricted_at: datetime | None) -> None:
        reason = await self._reasons.cleaned([grant], reason)
        async with self._main.transaction() as tx:
            case = await cases.lock(tx, grant.case.id)
            if case is None:
                raise NotFoundError
            if case.frozen_at is not None:
                raise CaseFrozenError
            if (case.restricted_at is None) is (restricted_at is None):
                there = "released" if case.restricted_at is None else "restricted"
                raise WrongStateError(needed="a change", state=there)
            await cases.change(tx, case.id, restricted_at=restricted_at)
            await self._access.outcome_in(tx, grant, reason=reason)
