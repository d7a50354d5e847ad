"""The people of the house and of each practice, run by those who may: never one's own account.

An administrator runs everybody's accounts, a practice's manager those of the own practice. Nobody
sets anybody's password: a new person chooses it by the link of an invitation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.accounts import (
    check_email,
    check_name,
    check_role,
    check_still,
    hold_client,
)
from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target
from gateway.access.links import Links, Purpose
from gateway.access.policy import PRACTICE_ROLES, Action, Relation, Role
from gateway.access.sessions import Sessions
from gateway.errors import ForbiddenError, InvalidInputError, NotFoundError, WrongStateError
from gateway.ids import new_id, now
from storage import accounts
from storage.accounts import Account
from storage.database import Database


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Whom to invite."""

    email: str
    role: str
    name: str | None = None
    controller_id: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What to change of somebody; None leaves it as it is."""

    name: str | None = None
    role: str | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Invited:
    """Who was invited, and whether the mail left."""

    account: Account
    mailed: bool


class People:
    """Lists, invites and changes people."""

    def __init__(self, main: Database, access: Access, sessions: Sessions, links: Links) -> None:
        """Accounts live in `main`; `links` mails invitations."""
        self._main = main
        self._access = access
        self._sessions = sessions
        self._links = links

    async def all(self, actor: Actor) -> Sequence[Account]:
        """Everybody whose account is not closed; to a practice's manager, the own people.

        Raises:
            ForbiddenError: Who asks runs nobody's account.
        """
        grant = await self._access.authorise(actor, Action.ACCOUNT_LIST)
        async with self._main.reading() as connection:
            found = await accounts.list_accounts(connection)
        return [
            account
            for account in found
            if account.closed_at is None
            and (grant.relation is Relation.HOUSE or account.controller_id == actor.controller_id)
        ]

    async def add(self, actor: Actor, person: NewPerson) -> Invited:
        """Make an account without a password, and mail its invitation.

        Raises:
            ForbiddenError: Who asks runs nobody's account, comes with a token, or was shut out
                meanwhile.
            ConfirmationRequiredError: The password was given too long ago.
            InvalidInputError: Names the field: e-mail address (bad or taken), name, role, client.
        """
        grant = await self._access.authorise(actor, Action.ACCOUNT_ADD)
        await self._sessions.require_confirmation(actor, Action.ACCOUNT_ADD)
        controller_id = _client_of(grant, person)
        if person.role == Role.SERVICE:
            raise InvalidInputError(field="role", reason="a program is not invited")
        check_role(person.role, controller_id)
        account = Account(
            id=new_id(),
            email=check_email(person.email),
            role=person.role,
            controller_id=controller_id,
            created_at=now(),
            name=None if person.name is None else check_name(person.name),
            language=person.language,
            invited_by=None if actor.role is Role.OPERATOR else actor.id,
        )
        async with self._main.transaction() as tx:
            await hold_client(tx, controller_id)
            await check_still(tx, actor)
            if await accounts.find_account(tx, account.email) is not None:
                raise InvalidInputError(field="email", reason="there is an account of this address")
            await accounts.add_account(tx, account)
            mail = await self._links.make(tx, account, Purpose.INVITATION)
            target = Target("account", account.id)
            await self._access.outcome_in(
                tx, grant, target, controller_id=controller_id, role=account.role
            )
        # A crash before this leaves an account that is invited again.
        return Invited(account, await self._links.deliver(mail, grant))

    async def invite(self, actor: Actor, account_id: str) -> Invited:
        """Mail the invitation again; the link of the earlier one works no longer.

        Raises:
            NotFoundError: No such account, or not for who asks.
            WrongStateError: They chose a password already, are shut out, or are no person.
        """
        target = Target("account", account_id)
        grant = await self._access.authorise(actor, Action.ACCOUNT_INVITE, target=target)
        async with self._main.transaction() as tx:
            account = await _existing(tx, account_id)
            if state_of(account) != "invited" or account.role == Role.SERVICE:
                raise WrongStateError(needed="invited", state=state_of(account))
            mail = await self._links.make(tx, account, Purpose.INVITATION)
            await self._access.outcome_in(tx, grant, target)
        return Invited(account, await self._links.deliver(mail, grant))

    async def change(self, actor: Actor, account_id: str, change: PersonChange) -> Account:
        """Change somebody's name or role, shut them out, or let them in again.

        Another role, or none, ends their sessions and tokens at once.

        Raises:
            NotFoundError: No such account, or not for who asks.
            ForbiddenError: It is one's own, or of who invited who asks; or who asks was shut out
                meanwhile.
            ConfirmationRequiredError: The password was given too long ago.
            InvalidInputError: Names the field.
        """
        target = Target("account", account_id)
        grant = await self._access.authorise(actor, Action.ACCOUNT_CHANGE, target=target)
        await self._sessions.require_confirmation(actor, Action.ACCOUNT_CHANGE)
        async with self._main.transaction() as tx:
            account = await self._locked(tx, actor, account_id)
            changed = _columns(account, change)
            if changed:
                await accounts.change_account(tx, account_id, **changed)
            said = _said(change)
            if change.disabled:
                said["revoked_tokens"] = await accounts.disable(tx, account_id, now())
            elif change.role is not None:
                said["revoked_tokens"] = await accounts.end_access(tx, account_id, now())
            await self._access.outcome_in(
                tx, grant, target, controller_id=account.controller_id, **said
            )
            return await _existing(tx, account_id)

    @staticmethod
    async def _locked(tx: AsyncConnection, actor: Actor, account_id: str) -> Account:
        """The account, while no two managers of its practice can shut each other out."""
        account = await _existing(tx, account_id)
        if account.controller_id is not None:
            await accounts.lock_controller(tx, account.controller_id)
            if await accounts.is_closed(tx, account.controller_id):
                raise NotFoundError
        await check_still(tx, actor)
        if await accounts.invited(tx, actor.id, by=account_id):
            raise ForbiddenError  # it may be a second account of theirs
        return await _existing(tx, account_id)


def state_of(account: Account) -> str:
    """Whether somebody was invited, works here, is shut out or is gone."""
    if account.closed_at is not None:
        return "closed"
    if account.disabled_at is not None:
        return "disabled"
    return "active" if account.password_hash is not None else "invited"


def _said(change: PersonChange) -> dict[str, str | bool | int | list[str]]:
    """A change as the log has it: which fields, and the rights; nobody's name."""
    fields = PersonChange.__dataclass_fields__
    said: dict[str, str | bool | int | list[str]] = {
        "changed": sorted(name for name in fields if getattr(change, name) is not None)
    }
    if change.role is not None:
        said["role"] = change.role
    if change.disabled is not None:
        said["disabled"] = change.disabled
    return said


def _client_of(grant: Grant, person: NewPerson) -> str | None:
    """The practice of a new person: a manager's own one, whatever was left out.

    Another practice than their own is to a manager like one that does not exist.
    """
    if grant.relation is Relation.HOUSE:
        return person.controller_id
    own = grant.actor.controller_id
    if person.controller_id not in {None, own}:
        raise InvalidInputError(field="client", reason="there is no client of this id")
    if person.role not in PRACTICE_ROLES:
        reason = f"choose one of {', '.join(sorted(PRACTICE_ROLES))}"
        raise InvalidInputError(field="role", reason=reason)
    return own


def _columns(account: Account, change: PersonChange) -> dict[str, object]:
    columns: dict[str, object] = {}
    if change.name is not None:
        columns["name"] = check_name(change.name)
    if change.role is not None:
        alike = PRACTICE_ROLES if account.controller_id else set(Role) - PRACTICE_ROLES
        if change.role not in alike or account.role == Role.SERVICE:
            raise InvalidInputError(field="role", reason="choose a role of the same house")
        columns["role"] = change.role
    if change.disabled is False:
        columns["disabled_at"] = None
    return columns


async def _existing(connection: AsyncConnection, account_id: str) -> Account:
    account = await accounts.get_account(connection, account_id)
    if account is None or account.closed_at is not None:
        raise NotFoundError
    return account
