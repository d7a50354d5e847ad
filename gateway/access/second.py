"""The second person: for what one person alone must not do, another one gives their password.

Invariant 9: nothing irreversible on one stolen session, and nothing that undoes the house by one
person's hand. Whoever agrees is known by their own password, given for this one act.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.access.actors import Actor
from gateway.access.grants import Access
from gateway.access.passwords import Passwords
from gateway.access.policy import Action, Role
from gateway.access.throttle import AGREEMENT, Door, Throttle
from gateway.errors import InvalidInputError, LoginFailedError
from storage import accounts
from storage.accounts import Account
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the second person gives."""

    email: str
    password: str = field(repr=False)


class SecondPerson:
    """Asks for somebody else's agreement, and logs that it was given or refused."""

    def __init__(
        self,
        main: Database,
        access: Access,
        passwords: Passwords,
        throttle: Throttle,
        *,
        needed: bool,
    ) -> None:
        """Accounts live in `main`; `needed` is the setting `two_people`."""
        self._main = main
        self._access = access
        self._passwords = passwords
        self._throttle = throttle
        self._needed = needed

    async def agree(
        self, first: Actor, action: Action, given: Credentials | None, *roles: Role
    ) -> Account | None:
        """The second person for an act of `first`, once their password is right.

        It costs what a sign-in costs, two at a time, and is logged as one.

        Args:
            first: Who acts.
            action: What for; named in the event.
            given: E-mail address and password of the second person.
            roles: What they must be, one of these.

        Returns:
            Their account, for the event of the act itself; None where nobody was given and the
            setting asks for nobody.

        Raises:
            InvalidInputError: Nobody was given; or it is the same person, or somebody whose role
                does not serve.
            LoginFailedError: Unknown address, no or wrong password, a disabled account: one
                answer, after the same work.
            TooManyAttemptsError: Too many that `first` brought were wrong.
        """
        wanted = " or ".join(role.value.replace("_", " ") for role in roles)
        if given is None:
            if not self._needed:
                return None
            raise InvalidInputError(field="second", reason=f"this takes a second person: {wanted}")
        door = Door(AGREEMENT, first.id)
        await self._throttle.enter(door)
        account, right = await self._find(given)
        if account is None or not right:
            who = first if account is None else _as(first, account)
            await self._note(who, first, action, refused=True)
            raise LoginFailedError(field="second")
        await self._throttle.passed([door])
        second = _as(first, account)
        if account.id == first.id or second.role not in roles:
            await self._note(second, first, action, refused=True)
            reason = f"take another person than who asks: {wanted}"
            raise InvalidInputError(field="second", reason=reason)
        await self._note(second, first, action, refused=False)
        return account

    async def _find(self, given: Credentials) -> tuple[Account | None, bool]:
        """Whose the address is, and whether the password is theirs and good."""
        async with self._main.reading() as connection:
            account = await accounts.find_account(connection, given.email.strip().lower())
        known = account.password_hash if account else None
        right = await self._passwords.verify(known, given.password)
        return account, right and account is not None and account.disabled_at is None

    async def _note(self, who: Actor, first: Actor, action: Action, *, refused: bool) -> None:
        await self._access.note(
            who, Action.SECOND_AGREE, refused=refused, agrees_to=action.value, of=first.id
        )


def _as(first: Actor, account: Account) -> Actor:
    """The second person, at the place where the first one is."""
    return replace(
        first,
        id=account.id,
        role=Role(account.role),
        controller_id=account.controller_id,
        email=account.email,
        session=None,
    )
