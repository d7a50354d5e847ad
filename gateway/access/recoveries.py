"""A lost second factor, restored by two people, a day and a notice.

The practice's manager (for our own people: a privacy officer) says that somebody lost theirs; an
administrator agrees; the owner is told at once, and again. Whoever sees that it is not so stops
it: the owner, or one who runs the account; and so does the owner by using the factor. When the
delay is over the factors go, the sessions end, and the next sign-in sets up new ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor, system
from gateway.access.grants import Access, Grant, Target
from gateway.access.notices import tell
from gateway.access.policy import Action, Relation
from gateway.access.sessions import Sessions
from gateway.errors import ForbiddenError, NotFoundError, WrongStateError
from gateway.ids import new_id, now
from gateway.settings import Settings
from storage import accounts, factors, recoveries, signins
from storage.accounts import Account
from storage.database import Database
from storage.recoveries import FactorRecovery

LOOK_SECONDS = 30.0

log = structlog.get_logger()


class Recoveries:
    """Asks, agrees, objects, and removes what is due."""

    def __init__(
        self, main: Database, access: Access, sessions: Sessions, settings: Settings
    ) -> None:
        """Requests live in `main`; the delay is a setting, a day at least."""
        self._main = main
        self._access = access
        self._sessions = sessions
        self._delay = timedelta(hours=settings.factor_recovery_hours)

    async def ask(self, actor: Actor, account_id: str, reason: str) -> FactorRecovery:
        """Say that somebody lost their second factor; one that is open already is given again.

        Raises:
            NotFoundError: No such account, or not for who asks.
            ForbiddenError: It is one's own, or of a practice whose manager must ask.
            ConfirmationRequiredError: The password was given too long ago.
            WrongStateError: They have no second factor.
        """
        target = Target("account", account_id)
        grant = await self._access.authorise(actor, Action.FACTOR_RECOVERY_ASK, target=target)
        await self._sessions.require_confirmation(actor, Action.FACTOR_RECOVERY_ASK)
        at = now()
        recovery = FactorRecovery(new_id(), account_id, reason, "asked", actor.id, at)
        async with self._main.transaction() as tx:
            account = await _existing(tx, account_id)
            if grant.relation is Relation.HOUSE and account.controller_id is not None:
                raise ForbiddenError
            if (known := await recoveries.open_of(tx, account_id)) is not None:
                return known
            if not await factors.active(tx, account_id):
                raise WrongStateError(needed="a second factor", state="none")
            await recoveries.add(tx, recovery)
            await tell(tx, "factor_recovery_asked", account_id=account_id)
            await self._access.outcome_in(
                tx, grant, target, controller_id=account.controller_id, recovery=recovery.id
            )
        return recovery

    async def open(self, actor: Actor) -> Sequence[FactorRecovery]:
        """What is open: to a manager of the own practice, to others of everybody."""
        grant = await self._access.authorise(actor, Action.FACTOR_RECOVERY_LIST)
        async with self._main.reading() as connection:
            found = await recoveries.every_open(connection)
            if grant.relation is Relation.HOUSE:
                return found
            own = {
                account.id
                for account in await accounts.list_accounts(connection)
                if account.controller_id == actor.controller_id
            }
        return [recovery for recovery in found if recovery.account_id in own]

    async def agree(self, actor: Actor, recovery_id: str) -> FactorRecovery:
        """Agree, as another person than who asked; the delay begins.

        Raises:
            NotFoundError: No such request.
            ForbiddenError: One's own account; one's own request, or of somebody whom one invited
                or was invited by; or not for this role.
            ConfirmationRequiredError: The password was given too long ago.
            WrongStateError: It was agreed to, stopped or done.
        """
        found, target, grant = await self._for(actor, Action.FACTOR_RECOVERY_AGREE, recovery_id)
        await self._sessions.require_confirmation(actor, Action.FACTOR_RECOVERY_AGREE)
        due = now() + self._delay
        async with self._main.transaction() as tx:
            if await _may_be_one(tx, found.asked_by, actor.id):
                raise ForbiddenError
            if found.state != "asked" or not await recoveries.step(
                tx, found, "agreed", agreed_by=actor.id, due_at=due
            ):
                raise WrongStateError(needed="asked", state=found.state)
            await tell(tx, "factor_recovery_agreed", account_id=found.account_id, due=due)
            await self._access.outcome_in(tx, grant, target, recovery=found.id)
            return await recoveries.get(tx, recovery_id) or found

    async def object(self, actor: Actor, recovery_id: str) -> None:
        """Stop it: the owner, or one who runs the account.

        Raises:
            NotFoundError: No such request, or not for who asks.
            WrongStateError: It is over.
        """
        found, target, grant = await self._for(actor, Action.FACTOR_RECOVERY_OBJECT, recovery_id)
        async with self._main.transaction() as tx:
            await self._stop(tx, found)
            await self._access.outcome_in(tx, grant, target, recovery=found.id)

    async def run(self) -> None:
        """Remove what is due, until cancelled."""
        while True:
            try:
                await self.remove_due()
            except Exception as error:  # noqa: BLE001 - it is due still
                log.error("factor_recovery_failed", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def remove_due(self) -> None:
        """Remove the factors of everybody whose delay is over, or stop where one was used."""
        async with self._main.reading() as connection:
            found = await recoveries.due(connection, now())
        for recovery in found:
            target = Target("account", recovery.account_id)
            grant = await self._access.authorise(
                system("recovery"), Action.FACTOR_RECOVERY, target=target
            )
            async with self._main.transaction() as tx:
                account = await accounts.lock_account(tx, recovery.account_id)
                used = await factors.used_since(tx, recovery.account_id, recovery.asked_at)
                if used or account is None:
                    await self._stop(tx, recovery)
                elif await recoveries.step(tx, recovery, "done", ended_at=now()):
                    await factors.remove_all(tx, account.id)
                    await accounts.end_sessions(tx, account.id)
                    await signins.end_all(tx, account.id)
                    await tell(tx, "factors_removed", account_id=account.id)
                else:
                    continue  # another node has done it, or somebody objected
                await self._access.outcome_in(
                    tx, grant, target, recovery=recovery.id, removed=not used
                )

    @staticmethod
    async def _stop(tx: AsyncConnection, recovery: FactorRecovery) -> None:
        if recovery.state not in recoveries.OPEN or not await recoveries.step(
            tx, recovery, "stopped", ended_at=now()
        ):
            raise WrongStateError(needed="asked / agreed", state=recovery.state)
        await tell(tx, "factor_recovery_ended", account_id=recovery.account_id)

    async def _for(
        self, actor: Actor, action: Action, recovery_id: str
    ) -> tuple[FactorRecovery, Target, Grant]:
        """A request, and the right to do something with it; refused alike where there is none."""
        async with self._main.reading() as connection:
            found = await recoveries.get(connection, recovery_id)
        target = Target("account", recovery_id if found is None else found.account_id)
        grant = await self._access.authorise(actor, action, target=target)
        if found is None:
            raise NotFoundError
        return found, target, grant


async def _existing(tx: AsyncConnection, account_id: str) -> Account:
    account = await accounts.lock_account(tx, account_id)
    if account is None or account.closed_at is not None:
        raise NotFoundError
    return account


async def _may_be_one(tx: AsyncConnection, one: str, other: str) -> bool:
    """Whether two accounts are the same, or one of them made the other."""
    return (
        one == other
        or await accounts.invited(tx, one, by=other)
        or await accounts.invited(tx, other, by=one)
    )
