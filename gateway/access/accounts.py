"""Controllers, accounts and tokens, as the operator makes them on the command line."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor, operator
from gateway.access.grants import Access, Target
from gateway.access.passwords import Passwords
from gateway.access.policy import OF_CONTROLLER, Action, Role
from gateway.access.scope import NO_LIMITS, Limits, scope_of
from gateway.access.tokens import OPERATORS_TOKEN, make_token
from gateway.errors import ForbiddenError, InvalidInputError
from gateway.ids import new_id, now
from storage import accounts, identities, signins, tokens
from storage.accounts import Account, Controller
from storage.database import Database

# Enough to catch a slip; whether an address exists, only a mail can tell.
EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}")
NAME_LIMIT = 200
LARGEST_NUMBER = 10_000
PERSONAL_ROLES = tuple(
    role for role in Role if role not in {Role.OPERATOR, Role.SYSTEM, Role.NOBODY}
)


class Accounts:
    """What the operator does with controllers and accounts; each act is an event."""

    def __init__(
        self,
        main: Database,
        access: Access,
        passwords: Passwords,
        make_keys: Callable[[str], Awaitable[None]],
    ) -> None:
        """`make_keys` makes a new controller's keys, durably, before its row exists."""
        self._main = main
        self._access = access
        self._passwords = passwords
        self._make_keys = make_keys

    async def add_controller(self, *, name: str, email: str) -> Controller:
        """Add a practice, with keys of its own.

        Raises:
            InvalidInputError: Name or e-mail address.
        """
        controller = Controller(new_id(), check_name(name), check_email(email), now())
        grant = await self._access.authorise(operator(), Action.CONTROLLER_ADD)
        # A crash after this leaves keys that seal nothing.
        await self._make_keys(controller.id)
        async with self._main.transaction() as tx:
            await accounts.add_controller(tx, controller)
            await self._access.outcome_in(tx, grant, Target("controller", controller.id))
        return controller

    async def list_controllers(self) -> Sequence[Controller]:
        """All practices by name."""
        await self._access.authorise(operator(), Action.CONTROLLER_LIST)
        async with self._main.reading() as connection:
            return await accounts.list_controllers(connection)

    async def change_controller(
        self, controller_id: str, *, delay_hours: int | None = None, second_from: int | None = None
    ) -> Controller:
        """Set when erasures of many cases of a practice wait, and how long at the most.

        Raises:
            InvalidInputError: No such client, or a number below 0.
        """
        given = {"erasure_delay_hours": delay_hours, "erasure_second_from": second_from}
        changed = {name: value for name, value in given.items() if value is not None}
        for name, value in changed.items():
            if not 0 <= value <= LARGEST_NUMBER:
                raise InvalidInputError(field=name, reason=f"take 0 to {LARGEST_NUMBER}")
        target = Target("controller", controller_id)
        grant = await self._access.authorise(operator(), Action.CONTROLLER_CHANGE, target=target)
        async with self._main.transaction() as tx:
            controller = await accounts.get_controller(tx, controller_id)
            if controller is None:
                raise InvalidInputError(field="client", reason="there is no client of this id")
            if changed:
                await accounts.change_controller(tx, controller_id, **changed)
            await self._access.outcome_in(tx, grant, target, controller_id=controller_id, **changed)
            return await accounts.get_controller(tx, controller_id) or controller

    async def add_account(
        self,
        *,
        email: str,
        role: str,
        controller_id: str | None = None,
        password: str | None = None,
    ) -> Account:
        """Add one person's account. Without a password only tokens sign it in.

        Raises:
            InvalidInputError: Names the field: e-mail address (bad or taken), role, client,
                password.
        """
        if role == Role.SERVICE and password is not None:
            raise InvalidInputError(field="password", reason="a program has tokens alone")
        check_role(role, controller_id)
        account = Account(
            id=new_id(),
            email=check_email(email),
            role=role,
            controller_id=controller_id,
            created_at=now(),
            password_hash=None
            if password is None
            else await self._passwords.hash(password, (email,)),
        )
        grant = await self._access.authorise(operator(), Action.ACCOUNT_ADD)
        async with self._main.transaction() as tx:
            await hold_client(tx, controller_id)
            if await accounts.find_account(tx, account.email) is not None:
                raise InvalidInputError(field="email", reason="there is an account of this address")
            await accounts.add_account(tx, account)
            await self._access.outcome_in(tx, grant, Target("account", account.id), role=role)
        return account

    async def list_accounts(self) -> Sequence[Account]:
        """All accounts by e-mail address."""
        await self._access.authorise(operator(), Action.ACCOUNT_LIST)
        async with self._main.reading() as connection:
            return await accounts.list_accounts(connection)

    async def set_password(self, *, email: str, password: str) -> None:
        """Give an account a new password. Its sessions end, and every sign-in under way.

        Raises:
            InvalidInputError: Unknown address, or too weak a password.
        """
        account = await self._find(email)
        password_hash = await self._passwords.hash(password, (email,))
        grant = await self._access.authorise(
            operator(), Action.ACCOUNT_CHANGE, target=Target("account", account.id)
        )
        async with self._main.transaction() as tx:
            await accounts.set_password(tx, account.id, password_hash)
            ended = await accounts.end_sessions(tx, account.id)
            await signins.end_all(tx, account.id)
            await self._access.outcome_in(
                tx, grant, Target("account", account.id), ended_sessions=ended
            )

    async def disable(self, *, email: str) -> None:
        """Shut an account out, at once: its sessions and tokens end for good, its uploads too.

        Raises:
            InvalidInputError: Unknown address.
        """
        await self.shut_out(operator(), (await self._find(email)).id)

    async def shut_out(self, actor: Actor, account_id: str) -> int:
        """Shut an account out, as the operator or to contain an incident; how many tokens ended."""
        target = Target("account", account_id)
        grant = await self._access.authorise(actor, Action.ACCOUNT_CHANGE, target=target)
        async with self._main.transaction() as tx:
            revoked = await accounts.disable(tx, account_id, now())
            await self._access.outcome_in(tx, grant, target, disabled=True, revoked_tokens=revoked)
        return revoked

    async def revoke_tokens(self, *, email: str) -> int:
        """Revoke every token of an account, at once; how many there were.

        Raises:
            InvalidInputError: Unknown address.
        """
        return await self.revoke_all(operator(), (await self._find(email)).id)

    async def revoke_all(self, actor: Actor, account_id: str) -> int:
        """Revoke every token of an account, as the operator or to contain an incident."""
        target = Target("account", account_id)
        grant = await self._access.authorise(actor, Action.ACCOUNT_CHANGE, target=target)
        async with self._main.transaction() as tx:
            revoked = await tokens.revoke(tx, account_id, now())
            await self._access.outcome_in(tx, grant, target, revoked_tokens=revoked)
        return revoked

    async def unlink(self, *, email: str) -> int:
        """Forget who a sign-on provider says an account is, and end its sessions by sign-on.

        Returns:
            How many identities were forgotten. The next sign-on may link another one.

        Raises:
            InvalidInputError: Unknown address.
        """
        account = await self._find(email)
        target = Target("account", account.id)
        grant = await self._access.authorise(operator(), Action.ACCOUNT_CHANGE, target=target)
        async with self._main.transaction() as tx:
            unlinked = await identities.unlink(tx, account.id)
            await identities.end_sessions(tx, account_id=account.id, provider_session=None)
            await signins.end_all(tx, account.id)
            await self._access.outcome_in(tx, grant, target, unlinked=unlinked)
        return unlinked

    async def create_token(
        self,
        *,
        email: str,
        name: str = OPERATORS_TOKEN,
        limits: Limits = NO_LIMITS,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a bearer token of an account; it is shown this once and stored hashed.

        Without limits it is for the person's own command line, and does what they may.

        Raises:
            InvalidInputError: Unknown address, or what the token is limited to.
        """
        account = await self._find(email)
        scope = replace(scope_of(limits), as_person=limits == NO_LIMITS)
        secret, token = make_token(account.id, check_name(name), scope, expires_at)
        grant = await self._access.authorise(
            operator(), Action.TOKEN_CREATE, target=Target("account", account.id)
        )
        async with self._main.transaction() as tx:
            await tokens.add(tx, token)
            await self._access.outcome_in(tx, grant, Target("token", token.id))
        return secret

    async def _find(self, email: str) -> Account:
        async with self._main.reading() as connection:
            account = await accounts.find_account(connection, email.strip().lower())
        if account is None:
            raise InvalidInputError(field="email", reason="there is no account of this address")
        return account


def check_role(role: str, controller_id: str | None) -> None:
    """Check that an account may have this role, and names a client where it takes one.

    Raises:
        InvalidInputError: Names the field.
    """
    if role not in PERSONAL_ROLES:
        raise InvalidInputError(field="role", reason=f"choose one of {', '.join(PERSONAL_ROLES)}")
    if role not in OF_CONTROLLER:
        if controller_id is not None:
            raise InvalidInputError(field="client", reason="this role belongs to no client")
        return
    if controller_id is None:
        raise InvalidInputError(field="client", reason="this role is of a client; give it")


async def hold_client(tx: AsyncConnection, controller_id: str | None) -> None:
    """Keep a client from being closed until the transaction ends; without one do nothing.

    Raises:
        InvalidInputError: There is none of this id, or it is closed.
    """
    if controller_id is None:
        return
    await accounts.lock_controller(tx, controller_id)
    if await accounts.is_closed(tx, controller_id):
        raise InvalidInputError(field="client", reason="there is no client of this id")


async def check_still(tx: AsyncConnection, actor: Actor) -> None:
    """Check that who acts was neither shut out nor given another role since they were authorised.

    Raises:
        ForbiddenError: They were.
    """
    if actor.role is Role.OPERATOR:
        return
    own = await accounts.get_account(tx, actor.id)
    if own is None or own.disabled_at is not None or own.role != actor.role:
        raise ForbiddenError


def check_name(name: str) -> str:
    """The name without space around it. Raises InvalidInputError."""
    if not name.strip() or len(name) > NAME_LIMIT or not name.isprintable():
        raise InvalidInputError(field="name", reason=f"take 1 to {NAME_LIMIT} characters")
    return name.strip()


def check_email(email: str) -> str:
    """The address in lower case. Raises InvalidInputError."""
    email = email.strip().lower()
    if not EMAIL.fullmatch(email) or not email.isprintable():
        raise InvalidInputError(
            field="email", reason="give one address such as name@practice.example"
        )
    return email
