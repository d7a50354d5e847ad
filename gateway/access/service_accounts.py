"""The software of a practice: accounts that have tokens and no password, kept by its manager.

Such an account may bring cases in and read them (policy.py, `service`). It never signs in, is
reached by no mail, and ends with the practice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.access.accounts import check_still, hold_client
from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action, Role
from gateway.access.scope import Limits
from gateway.access.sessions import Sessions
from gateway.access.tokens import asked_for, short_name
from gateway.errors import NotFoundError
from gateway.ids import new_id, now
from storage import accounts, tokens
from storage.accounts import Account
from storage.database import Database
from storage.tokens import Token


@dataclass(frozen=True, slots=True)
class Service:
    """One program of a practice, and its tokens that are good."""

    account: Account
    tokens: Sequence[Token]


class ServiceAccounts:
    """What a practice's manager does with its programs."""

    def __init__(self, main: Database, access: Access, sessions: Sessions) -> None:
        """Accounts and tokens live in `main`; `sessions` knows who has just proved themself."""
        self._main = main
        self._access = access
        self._sessions = sessions

    async def add(self, actor: Actor, name: str) -> Service:
        """Add a program of one's own practice; it has no token yet.

        Raises:
            InvalidInputError: The name; or the practice was closed meanwhile.
            ForbiddenError: Who asks was shut out meanwhile.
        """
        name, account_id = short_name(name), new_id()
        grant = await self._access.authorise(actor, Action.SERVICE_ADD)
        account = Account(
            id=account_id,
            # An account has an address; mail to this one reaches nobody (RFC 2606).
            email=f"{account_id}@service.invalid",
            role=Role.SERVICE,
            controller_id=actor.controller_id,
            created_at=now(),
            name=name,
        )
        async with self._main.transaction() as tx:
            await hold_client(tx, actor.controller_id)
            await check_still(tx, actor)
            await accounts.add_account(tx, account)
            await self._access.outcome_in(tx, grant, Target("account", account.id))
        return Service(account, [])

    async def list(self, actor: Actor) -> Sequence[Service]:
        """The programs of one's own practice that were not ended, by their names."""
        await self._access.authorise(actor, Action.SERVICE_LIST)
        async with self._main.reading() as connection:
            found = [
                account
                for account in await accounts.list_accounts(connection)
                if account.role == Role.SERVICE
                and account.controller_id == actor.controller_id
                and account.disabled_at is None
            ]
            return [
                Service(account, await tokens.running(connection, account.id, now()))
                for account in sorted(found, key=lambda account: account.name or "")
            ]

    async def end(self, actor: Actor, account_id: str) -> None:
        """End a program at once: its tokens and uploads end with it.

        Raises:
            NotFoundError: No such program of one's own practice.
        """
        grant = await self._change(actor, account_id)
        async with self._main.transaction() as tx:
            revoked = await accounts.disable(tx, account_id, now())
            await self._access.outcome_in(tx, grant, disabled=True, revoked_tokens=revoked)

    async def add_token(
        self, actor: Actor, account_id: str, *, name: str, limits: Limits, expires_at: datetime
    ) -> tuple[str, Token]:
        """Make a token of a program; its secret exists here and in the answer, nowhere else.

        Raises:
            NotFoundError: No such program of one's own practice.
            InvalidInputError: Name, limits or end.
            ConfirmationRequiredError: Confirm, then try again.
            UnauthenticatedError: Who asks was shut out meanwhile.
        """
        secret, token = asked_for(account_id, name, limits, expires_at)
        await self._sessions.require_confirmation(actor, Action.SERVICE_CHANGE)
        grant = await self._change(actor, account_id)
        async with self._main.transaction() as tx:
            await self._sessions.hold(tx, actor)
            program = await accounts.lock_account(tx, account_id)
            if program is None or program.disabled_at is not None:
                raise NotFoundError
            await tokens.add(tx, token)
            await self._access.outcome_in(tx, grant, Target("token", token.id))
        return secret, token

    async def revoke_token(self, actor: Actor, account_id: str, token_id: str) -> None:
        """End a token of a program at once.

        Raises:
            NotFoundError: No such program of one's own practice, or no such token of it.
        """
        grant = await self._change(actor, account_id)
        async with self._main.transaction() as tx:
            if await tokens.revoke(tx, account_id, now(), token_id) == 0:
                raise NotFoundError
            await self._access.outcome_in(tx, grant, Target("token", token_id))

    async def _change(self, actor: Actor, account_id: str) -> Grant:
        target = Target("account", account_id)
        grant = await self._access.authorise(actor, Action.SERVICE_CHANGE, target=target)
        async with self._main.reading() as connection:
            account = await accounts.get_account(connection, account_id)
        # A person of the practice is no program: nobody makes a token of somebody else.
        if account is None or account.role != Role.SERVICE or account.disabled_at is not None:
            raise NotFoundError
        return grant
