"""The sessions of an account: seen by their device and place, and ended.

A session is a row that every request reads, on every node: what is deleted here is refused there
on the next request.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action, Relation
from gateway.access.sessions import Sessions
from gateway.errors import NotFoundError
from gateway.ids import now
from storage import accounts, everybody
from storage.accounts import Account, Session
from storage.database import Database


class SessionList:
    """Sees and ends sessions."""

    def __init__(self, main: Database, access: Access, sessions: Sessions) -> None:
        """Sessions live in `main`; `sessions` knows which are over."""
        self._main = main
        self._access = access
        self._sessions = sessions

    async def own(self, actor: Actor) -> Sequence[Session]:
        """One's own sessions that are not over, last used first."""
        await self._access.authorise(actor, Action.SESSION_LIST)
        async with self._main.reading() as connection:
            found = await accounts.sessions_of(connection, actor.id)
        at = now()
        return [session for session in found if not self._sessions.is_over(session, at)]

    async def end(self, actor: Actor, session_id: str) -> None:
        """End one of one's own sessions, at once and everywhere.

        Raises:
            ConfirmationRequiredError: Confirm, then try again (ASVS 7.5.2).
            NotFoundError: No such session of one's own.
        """
        await self._sessions.require_confirmation(actor, Action.SESSION_END)
        target = Target("session", session_id)
        grant = await self._access.authorise(actor, Action.SESSION_END, target=target)
        async with self._main.transaction() as tx:
            if await accounts.end_sessions(tx, actor.id, only=session_id) == 0:
                raise NotFoundError
            await self._access.outcome_in(tx, grant, target, ended=1)

    async def end_others(self, actor: Actor) -> int:
        """End all of one's own sessions but the one that asks; how many.

        Raises:
            ConfirmationRequiredError: Confirm, then try again.
        """
        await self._sessions.require_confirmation(actor, Action.SESSION_END)
        grant = await self._access.authorise(actor, Action.SESSION_END)
        async with self._main.transaction() as tx:
            ended = await accounts.end_sessions(tx, actor.id, but=actor.session)
            await self._access.outcome_in(tx, grant, ended=ended)
        return ended

    async def all(
        self, actor: Actor, before: str | None, limit: int
    ) -> Sequence[tuple[Session, Account]]:
        """Everybody's sessions that are not over, newest first; to a manager, the own practice's.

        Args:
            actor: Who asks.
            before: The id of a session; those that began before it.
            limit: How many to look at; those among them that are over are left out.
        """
        grant = await self._access.authorise(actor, Action.SESSION_LIST_ALL)
        at = now()
        async with self._main.reading() as connection:
            return await everybody.running(
                connection, at, controller_id=_whose(grant), before=before, limit=limit
            )

    async def end_all(self, actor: Actor) -> int:
        """End everybody's sessions and sign-ins but the one that asks; how many.

        To a manager everybody is the own practice's people. Tokens go on.

        Raises:
            ConfirmationRequiredError: Confirm, then try again.
        """
        await self._sessions.require_confirmation(actor, Action.SESSION_END_ALL)
        grant = await self._access.authorise(actor, Action.SESSION_END_ALL)
        async with self._main.transaction() as tx:
            ended = await everybody.end_every(tx, controller_id=_whose(grant), but=actor.session)
            await self._access.outcome_in(tx, grant, ended=ended)
        return ended

    async def end_any(self, actor: Actor, session_id: str) -> None:
        """End one session of whomever.

        Raises:
            ConfirmationRequiredError: Confirm, then try again.
            NotFoundError: No such session, or not of somebody whose account who asks runs.
        """
        await self._sessions.require_confirmation(actor, Action.SESSION_END)
        async with self._main.reading() as connection:
            found = await everybody.find(connection, session_id)
        # What there is not is refused like what is of others.
        target = Target("account", session_id if found is None else found.account_id)
        grant = await self._access.authorise(actor, Action.SESSION_END, target=target)
        async with self._main.transaction() as tx:
            if (
                found is None
                or await accounts.end_sessions(tx, found.account_id, only=session_id) == 0
            ):
                raise NotFoundError
            await self._access.outcome_in(tx, grant, ended=1)

    async def end_of(self, actor: Actor, account_id: str) -> int:
        """End every session of another account; how many.

        Raises:
            ConfirmationRequiredError: Confirm, then try again.
            NotFoundError: No such account, or not one of the practice whose manager asks.
        """
        await self._sessions.require_confirmation(actor, Action.SESSION_END)
        target = Target("account", account_id)
        grant = await self._access.authorise(actor, Action.SESSION_END, target=target)
        async with self._main.transaction() as tx:
            if await accounts.get_account(tx, account_id) is None:
                raise NotFoundError
            ended = await accounts.end_sessions(tx, account_id)
            await self._access.outcome_in(tx, grant, ended=ended)
        return ended


def _whose(grant: Grant) -> str | None:
    """The practice whose people a manager runs; None for who runs everybody's accounts."""
    return None if grant.relation is Relation.HOUSE else grant.actor.controller_id
