"""Whose account it is that a sign-on provider names: linked, made, or nobody's.

An account is found by issuer and subject. The first time, an address that the provider vouches for
may link it; to whom that could open what, the setting `oidc_groups` bounds: nobody comes in as
somebody of a practice that no group of theirs names.

The provider's word alone changes no account that there is: who is linked and in which role counts
in the transaction that opens the session (`settle`), after the second factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.accounts import check_email
from gateway.access.actors import Actor, system
from gateway.access.grants import Access, Grant, Target
from gateway.access.identity import Arrival, Identity
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

    async def account(self, visitor: Actor, identity: Identity) -> tuple[Account, Arrival]:
        """Whose account the identity is, and what is to change of it; it may be made by this.

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
        if account is None:
            try:
                return await self._make(visitor, identity, wanted), Arrival(identity.session)
            except IntegrityError:
                raise UnavailableError from None
        role = None if wanted is None or wanted.role == account.role else wanted.role
        if linked is not None:
            return account, Arrival(identity.session, role=role)
        return account, Arrival(identity.session, identity.issuer, identity.subject, role)

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


async def permitted_changes(
    access: Access, visitor: Actor, account: Account, arrival: Arrival
) -> Mapping[Action, Grant]:
    """Log what a complete sign-in is about to change of its account: nothing, mostly."""
    target = Target("account", account.id)
    changes = {Action.ACCOUNT_LINK: arrival.subject, Action.ACCOUNT_CHANGE: arrival.role}
    return {
        action: await access.authorise(acting(visitor), action, target=target)
        for action, value in changes.items()
        if value is not None
    }


async def settle(
    tx: AsyncConnection,
    access: Access,
    held: Account,
    arrival: Arrival,
    grants: Mapping[Action, Grant],
    *,
    links: bool,
) -> None:
    """Change an account as its complete sign-in says, in the transaction that opens the session.

    Another role ends whatever was open in the one before.

    Args:
        tx: It holds the account.
        access: Where the change is logged.
        held: The account.
        arrival: What the provider said.
        grants: Of `permitted_changes`.
        links: Whether enough was proved to link the subject.

    Raises:
        IntegrityError: The subject, or the account, was linked to another one meanwhile.
    """
    if (change := grants.get(Action.ACCOUNT_CHANGE)) and arrival.role != held.role:
        await accounts.change_account(tx, held.id, role=arrival.role)
        revoked = await accounts.end_access(tx, held.id, now())
        await access.outcome_in(
            tx,
            change,
            controller_id=held.controller_id,
            role=str(arrival.role),
            revoked_tokens=revoked,
        )
    if not links or arrival.issuer is None or arrival.subject is None:
        return
    linked = await identities.find(tx, arrival.issuer, arrival.subject)
    if linked is None or linked.account_id != held.id:
        subject = LinkedIdentity(arrival.issuer, arrival.subject, held.id, now())
        await identities.link(tx, subject)
        await tell(tx, "sign_on_linked", account_id=held.id)
        await access.outcome_in(tx, grants[Action.ACCOUNT_LINK], controller_id=held.controller_id)


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
