"""One's own account and one's own practice: seen, corrected, taken along, closed.

Of a correction the log keeps which fields, never what stood there. Closing erases what no law
keeps: name, addresses, phone, password, factors; the account's id stays, for the log names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.accountkeys import AccountKeys
from gateway.access.accounts import check_email, check_name
from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.notices import tell
from gateway.access.policy import Action, Role
from gateway.access.proofs import is_strong, proofs_of
from gateway.access.sessions import Sessions
from gateway.errors import NotFoundError, WrongStateError
from gateway.ids import now
from storage import accounts, factors, identities, tokens
from storage.accesslog.reading import StoredEvent, events_of_actor
from storage.accounts import Account, Controller, Session
from storage.database import Database
from storage.factors import Factor
from storage.identities import LinkedIdentity
from storage.tokens import Token

Columns = Mapping[str, str | bool | None]
STRETCH = 10_000  # places of the log that one request looks at


@dataclass(frozen=True, slots=True)
class Held:
    """Everything that is held about one person, but for the events of the log."""

    account: Account
    practice: Controller | None
    sessions: tuple[Session, ...]
    tokens: tuple[Token, ...]
    factors: tuple[Factor, ...]
    identities: tuple[LinkedIdentity, ...]
    recovery_codes_left: int


class Profile:
    """What everybody does with the own account, and a manager with the practice."""

    def __init__(
        self, main: Database, access: Access, sessions: Sessions, keys: AccountKeys
    ) -> None:
        """Accounts live in `main`; `keys` seals what is a person's alone."""
        self._main = main
        self._access = access
        self._sessions = sessions
        self._keys = keys

    async def view(self, actor: Actor) -> Account:
        """One's own account."""
        await self._access.authorise(actor, Action.PROFILE_VIEW)
        return await self._own(actor)

    async def change(self, actor: Actor, changed: Columns) -> Account:
        """Correct one's own name, phone or language.

        Raises:
            InvalidInputError: The name.
        """
        grant = await self._access.authorise(actor, Action.PROFILE_CHANGE)
        columns = _checked(changed)
        async with self._main.transaction() as tx:
            if columns:
                await accounts.change_account(tx, actor.id, **columns)
            await self._access.outcome_in(
                tx, grant, Target("account", actor.id), changed=sorted(columns)
            )
        return await self._own(actor)

    async def export(self, actor: Actor) -> Held:
        """All that is held about oneself but for the log: `events` (GDPR art. 15 and 20)."""
        await self._access.authorise(actor, Action.PROFILE_EXPORT)
        async with self._main.reading() as connection:
            account = await _existing(connection, actor.id)
            practice = account.controller_id
            return Held(
                account=account,
                practice=await accounts.get_controller(connection, practice) if practice else None,
                sessions=tuple(await accounts.sessions_of(connection, actor.id)),
                tokens=tuple(await tokens.running(connection, actor.id, now())),
                factors=tuple(await factors.of_account(connection, actor.id)),
                identities=tuple(await identities.of_account(connection, actor.id)),
                recovery_codes_left=await factors.recovery_codes_left(connection, actor.id),
            )

    async def events(self, actor: Actor, after: int) -> tuple[Sequence[StoredEvent], int | None]:
        """What one did or tried, as the log has it; by stretches of the log.

        Args:
            actor: Who asks.
            after: The place in the log behind which to look; -1: from the beginning.

        Returns:
            The own events of a stretch, and where to go on; None: there are no more.
        """
        grant = await self._access.authorise(actor, Action.PROFILE_EXPORT)
        async with self._main.reading() as connection:
            found, following = await events_of_actor(connection, actor.id, after, STRETCH)
        await self._access.outcome(grant, after=after, events=len(found))
        return found, following

    async def close(self, actor: Actor) -> None:
        """Close one's own account, at once and for good.

        Raises:
            ConfirmationRequiredError: The password was given too long ago.
            WrongStateError: The practice would have no manager left.
        """
        await self._sessions.require_confirmation(actor, Action.PROFILE_CLOSE)
        grant = await self._access.authorise(actor, Action.PROFILE_CLOSE)
        async with self._main.transaction() as tx:
            if actor.controller_id is not None:
                await accounts.lock_controller(tx, actor.controller_id)
            account = await _existing(tx, actor.id)
            if account.role == Role.PRACTICE_MANAGER and await _is_last_manager(tx, account):
                raise WrongStateError(needed="another manager", state="the last manager")
            await tell(tx, "account_closed", address=account.email)
            await accounts.end_account(tx, account.id, now())
            await self._access.outcome_in(tx, grant, Target("account", account.id))
        # A crash before this leaves it to the sweep.
        await self._keys.drop(actor.id)

    async def view_practice(self, actor: Actor) -> Controller:
        """One's own practice."""
        await self._access.authorise(actor, Action.PRACTICE_VIEW)
        return await self._practice(actor)

    async def change_practice(self, actor: Actor, changed: Columns) -> Controller:
        """Correct the practice's details, or ask a second factor of its people.

        Asking for one ends the sessions that were opened without, one's own too.

        Raises:
            ConfirmationRequiredError: The password was given too long ago.
            InvalidInputError: Name or e-mail address.
        """
        grant = await self._access.authorise(actor, Action.PRACTICE_CHANGE)
        await self._sessions.require_confirmation(actor, Action.PRACTICE_CHANGE)
        columns, before = _checked(changed), await self._practice(actor)
        async with self._main.transaction() as tx:
            if columns:
                await accounts.change_controller(tx, before.id, **columns)
            if columns.get("second_factor_required") and not before.second_factor_required:
                await _end_weak_sessions(tx, before.id)
            if columns.get("email", before.email) != before.email:
                await tell(tx, "email_changed", address=before.email)
            await self._access.outcome_in(
                tx, grant, Target("controller", before.id), changed=sorted(columns)
            )
        return await self._practice(actor)

    async def _own(self, actor: Actor) -> Account:
        async with self._main.reading() as connection:
            return await _existing(connection, actor.id)

    async def _practice(self, actor: Actor) -> Controller:
        async with self._main.reading() as connection:
            practice = await accounts.get_controller(connection, actor.controller_id or "")
        if practice is None:
            raise NotFoundError
        return practice


def _checked(changed: Columns) -> dict[str, str | bool | None]:
    columns = dict(changed)
    if isinstance(name := columns.get("name"), str):
        columns["name"] = check_name(name)
    if isinstance(email := columns.get("email"), str):
        columns["email"] = check_email(email)
    return columns


async def _end_weak_sessions(tx: AsyncConnection, controller_id: str) -> None:
    """End the sessions of a practice's people that were opened without a second factor."""
    for account_id in await accounts.lock_people(tx, controller_id):
        for session in await accounts.sessions_of(tx, account_id):
            if not is_strong(proofs_of(session)):
                await accounts.end_sessions(tx, account_id, only=session.id)


async def _is_last_manager(tx: AsyncConnection, own: Account) -> bool:
    return not any(
        account.id != own.id
        and account.controller_id == own.controller_id
        and account.role == Role.PRACTICE_MANAGER
        and account.disabled_at is None
        and account.password_hash is not None
        for account in await accounts.list_accounts(tx)
    )


async def _existing(connection: AsyncConnection, account_id: str) -> Account:
    account = await accounts.get_account(connection, account_id)
    if account is None or account.closed_at is not None:
        raise NotFoundError
    return account
