"""Whose account it is that a sign-on provider names: linked, made, or nobody's.

An account is found by issuer and subject. The first time, an address that the provider vouches for
may link it; to whom that could open what, the setting `oidc_groups` bounds: nobody comes in as
somebody of a practice that no group of theirs names.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.accounts import check_email
from gateway.access.actors import Actor, system
from gateway.access.grants import Access, Target
from gateway.access.identity import Identity
from gateway.access.notices import tell
from gateway.access.policy import PRACTICE_ROLES, STAFF, Action, Role
from gateway.access.proofs import Proof
from gateway.access.sessions import as_account
from gateway.errors import InvalidInputError, SignOnRefusedError, UnavailableError
from gateway.ids import new_id, now
from gateway.settings import Settings
from storage import accounts, identities
from storage.accounts import Account
from storage.database import Database
from storage.identities import LinkedIdentity


@dataclass(frozen=True, slots=True)
class Membership:
    """What a group of the provider makes somebody here."""

    group: str
    role: Role
    controller_id: str | None

    @classmethod
    def parse(cls, text: str) -> Membership:
        """From GROUP=ROLE or GROUP=ROLE@CLIENT_ID.

        Raises:
            InvalidInputError: No such role, or one that needs a client, or must have none.
        """
        group, _, whole = text.rpartition("=")
        name, _, controller_id = whole.partition("@")
        known = {role.value: role for role in PRACTICE_ROLES | STAFF}
        role = known.get(name.strip())
        if not group.strip() or role is None:
            reason = f"give GROUP=ROLE with one of {', '.join(sorted(known))}"
            raise InvalidInputError(field="oidc_groups", reason=reason)
        if (role in PRACTICE_ROLES) != bool(controller_id.strip()):
            reason = "a practice's role takes @CLIENT_ID, one of staff takes none"
            raise InvalidInputError(field="oidc_groups", reason=reason)
        return cls(group.strip(), role, controller_id.strip() or None)


class Arrivals:
    """From an identity to an account."""

    def __init__(self, main: Database, access: Access, settings: Settings) -> None:
        """Accounts and their identities live in `main`.

        Raises:
            InvalidInputError: The setting `oidc_groups`.
        """
        self._main = main
        self._access = access
        self._memberships = [Membership.parse(text) for text in settings.oidc_groups]
        self._creates = settings.oidc_create_staff

    async def account(self, visitor: Actor, identity: Identity) -> Account:
        """Whose account the identity is; it may be linked, changed or made by this.

        Raises:
            SignOnRefusedError: Nobody's; why, the log says.
            UnavailableError: Somebody else did the same at this moment.
        """
        wanted = self._membership(identity.groups)
        if wanted is None and self._memberships:
            raise await refusal(self._access, visitor, "groups")
        async with self._main.reading() as connection:
            linked = await identities.find(connection, identity.issuer, identity.subject)
            account = await _known(connection, linked, identity)
            others = await identities.of_account(connection, account.id) if account else ()
        why = self._bar(account, linked, identity, wanted)
        if linked is None and any(it.issuer == identity.issuer for it in others):
            why = "linked"  # to another subject
        if why is not None:
            who = as_account(visitor, account) if account else visitor
            raise await refusal(self._access, who, why)
        try:
            if account is None:
                account = await self._make(visitor, identity, wanted)
            elif linked is None:
                await self._link(visitor, account, identity)
        except IntegrityError:
            raise UnavailableError from None
        return await self._placed(visitor, account, wanted)

    def _membership(self, groups: AbstractSet[str]) -> Membership | None:
        return next((it for it in self._memberships if it.group in groups), None)

    def _bar(
        self,
        account: Account | None,
        linked: LinkedIdentity | None,
        identity: Identity,
        wanted: Membership | None,
    ) -> str | None:
        """Why this identity does not come in, or None."""
        if account is None:
            if identity.email is None:
                return "email"
            makes = self._creates and wanted is not None and wanted.controller_id is None
            return None if makes else "unknown"
        if account.disabled_at is not None:
            return "disabled"
        if account.role == Role.SERVICE:
            return "role"
        if wanted is not None:
            return None if account.controller_id == wanted.controller_id else "client"
        # Without groups only our own people are linked; who is linked already stays so.
        return None if linked is not None or account.controller_id is None else "client"

    async def _make(self, visitor: Actor, identity: Identity, wanted: Membership | None) -> Account:
        if wanted is None or identity.email is None:
            raise SignOnRefusedError
        account = Account(
            id=new_id(),
            email=check_email(identity.email),
            role=wanted.role,
            controller_id=None,
            created_at=now(),
        )
        grant = await self._access.authorise(acting(visitor), Action.ACCOUNT_ADD)
        async with self._main.transaction() as tx:
            await accounts.add_account(tx, account)
            await identities.link(tx, _linked(identity, account))
            target = Target("account", account.id)
            await self._access.outcome_in(tx, grant, target, role=wanted.role, linked=True)
        return account

    async def _link(self, visitor: Actor, account: Account, identity: Identity) -> None:
        target = Target("account", account.id)
        grant = await self._access.authorise(acting(visitor), Action.ACCOUNT_LINK, target=target)
        async with self._main.transaction() as tx:
            await identities.link(tx, _linked(identity, account))
            await tell(tx, "sign_on_linked", account_id=account.id)
            await self._access.outcome_in(tx, grant, controller_id=account.controller_id)

    async def _placed(self, visitor: Actor, account: Account, wanted: Membership | None) -> Account:
        """The account, with the role that their group has now."""
        if wanted is None or account.role == wanted.role:
            return account
        target = Target("account", account.id)
        grant = await self._access.authorise(acting(visitor), Action.ACCOUNT_CHANGE, target=target)
        async with self._main.transaction() as tx:
            await accounts.change_account(tx, account.id, role=wanted.role)
            await self._access.outcome_in(
                tx, grant, controller_id=account.controller_id, role=wanted.role
            )
        return replace(account, role=wanted.role)


def acting(visitor: Actor) -> Actor:
    """Sign-on itself, on behalf of whoever asks."""
    task = system("sign-on")
    return replace(task, access_point="api", address=visitor.address, request_id=visitor.request_id)


async def refusal(
    access: Access, who: Actor, why: str, action: Action = Action.SESSION_OPEN
) -> SignOnRefusedError:
    """Log why somebody does not come in; what to raise, which does not say it."""
    await access.note(who, action, refused=True, proof=Proof.OIDC, why=why)
    return SignOnRefusedError()


async def _known(
    connection: AsyncConnection, linked: LinkedIdentity | None, identity: Identity
) -> Account | None:
    """The account that is linked, or that could be: of the address that is vouched for."""
    if linked is not None:
        return await accounts.get_account(connection, linked.account_id)
    if identity.email is None:
        return None
    return await accounts.find_account(connection, identity.email)


def _linked(identity: Identity, account: Account) -> LinkedIdentity:
    return LinkedIdentity(identity.issuer, identity.subject, account.id, now())
