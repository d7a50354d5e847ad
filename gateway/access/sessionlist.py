"""The sessions of an account: seen by their device and place, and ended.

A session is a row that every request reads, on every node: what is deleted here is refused there
on the next request.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.access.sessions import Sessions
from gateway.errors import NotFoundError
from gateway.ids import now
from storage import accounts
from storage.accounts import Session
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
