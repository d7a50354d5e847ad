"""Emergency access: a planner or coordinator opens a case without being assigned to it.

They give a reason first and have it for a short time; the practice is told at once, and a privacy
officer, who is another person, reviews each one. What is done by it bears its own ground in the
log (NEN 7513).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target, require_still
from gateway.access.notices import tell
from gateway.access.policy import Action
from gateway.errors import ForbiddenError, InvalidInputError, NotFoundError, WrongStateError
from gateway.ids import new_id, now
from gateway.privacy.reasons import Reasons, check_reason
from gateway.settings import Settings
from storage import cases, emergencies
from storage.database import Database
from storage.emergencies import Emergency

Verdict = Literal["justified", "unjustified"]


class Emergencies:
    """Declares emergencies, lists them, and takes their review."""

    def __init__(
        self, main: Database, access: Access, reasons: Reasons, settings: Settings
    ) -> None:
        """How long one lasts at the most, and when its review is due, are settings."""
        self._main = main
        self._access = access
        self._reasons = reasons
        self._minutes = settings.emergency_minutes
        self._review = timedelta(hours=settings.emergency_review_hours)

    async def declare(self, actor: Actor, case_id: str, reason: str, minutes: int) -> Emergency:
        """Open a case to oneself, for reading, for some minutes.

        Raises:
            InvalidInputError: No reason, or too long a time.
            WrongStateError: One may see the case without it, or has declared one that runs.
        """
        check_reason(reason)
        if not 1 <= minutes <= self._minutes:
            raise InvalidInputError(field="minutes", reason=f"take 1 to {self._minutes}")
        grant = await self._access.authorise(actor, Action.EMERGENCY_DECLARE, case_id)
        reason = await self._reasons.cleaned([grant], reason)
        async with self._main.transaction() as tx:
            require_still(grant, await cases.lock(tx, case_id))
            at = now()
            if await cases.running_assignment(tx, case_id, actor.id, at) is not None:
                raise WrongStateError(needed="not assigned", state="assigned")
            if await emergencies.running(tx, case_id, actor.id, at) is not None:
                raise WrongStateError(needed="no emergency", state="one that runs")
            declared = Emergency(
                id=new_id(),
                case_id=case_id,
                controller_id=grant.case.controller_id,
                account_id=actor.id,
                reason=reason,
                starts_at=at,
                ends_at=at + timedelta(minutes=minutes),
                review_due_at=at + self._review,
            )
            await emergencies.add(tx, declared)
            await tell(
                tx,
                "emergency_access",
                controller_id=declared.controller_id,
                case=case_id,
                until=declared.ends_at,
            )
            target = Target("emergency", declared.id)
            await self._access.outcome_in(
                tx, grant, target, emergency=declared.id, minutes=minutes, reason=reason
            )
        return declared

    async def list(
        self, actor: Actor, *, reviewed: bool, before: str | None, limit: int
    ) -> Sequence[Emergency]:
        """The practice's own, or all for a privacy officer; the newest first."""
        grant = await self._access.authorise(actor, Action.EMERGENCY_LIST)
        async with self._main.reading() as connection:
            found = await emergencies.list_emergencies(
                connection,
                controller_id=actor.controller_id,
                reviewed=reviewed,
                before=before,
                limit=limit,
            )
        by_controller: dict[str, list[str]] = defaultdict(list)
        for emergency in found:
            by_controller[emergency.controller_id].append(emergency.id)
        for controller_id, ids in by_controller.items():
            # Apart for each practice: nothing crosses between them.
            await self._access.outcome(grant, controller_id=controller_id, emergencies=ids)
        return found

    async def review(
        self, actor: Actor, emergency_id: str, verdict: Verdict, words: str
    ) -> Emergency:
        """Say whether the emergency was one; it ends, if it still runs. The practice is told.

        Raises:
            NotFoundError: There is no such emergency.
            ForbiddenError: It is one's own.
            WrongStateError: It has been reviewed.
        """
        check_reason(words, field="words")
        async with self._main.reading() as connection:
            known = await emergencies.get(connection, emergency_id)
        action, target = Action.EMERGENCY_REVIEW, Target("emergency", emergency_id)
        case_id = emergency_id if known is None else known.case_id  # unknown: refused as such
        grant = await self._access.authorise(actor, action, case_id, target=target)
        if known is None:
            raise NotFoundError
        if known.account_id == actor.id:
            refusal = ForbiddenError()
            await self._access.outcome(grant, refusal=refusal.code)
            raise refusal
        words, at = await self._reasons.cleaned([grant], words.strip()), now()
        async with self._main.transaction() as tx:
            if not await emergencies.review(
                tx, emergency_id, by=actor.id, at=at, verdict=verdict, words=words
            ):
                raise WrongStateError(needed="not reviewed", state="reviewed")
            await tell(
                tx, f"emergency_{verdict}", controller_id=known.controller_id, case=known.case_id
            )
            await self._access.outcome_in(
                tx, grant, target, emergency=emergency_id, verdict=verdict
            )
            reviewed = await emergencies.get(tx, emergency_id)
        return reviewed or known
