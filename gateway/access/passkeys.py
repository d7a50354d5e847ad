"""Passkeys at work: added to an account, asked for in a sign-in, and proving oneself again.

Each ceremony has a ticket (gateway/access/signin.py) that is good for minutes and for one success;
its challenge is derived from it (gateway/access/ceremony.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError

from gateway.access import ceremony
from gateway.access.actors import Actor
from gateway.access.ceremony import Credential, NewPasskey, PasskeyError, RelyingParty
from gateway.access.factors import admit, check_name, check_room, settle
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.access.proofs import Place, Proof
from gateway.access.sessions import Sessions, SignedIn, as_account
from gateway.access.signin import SignIn, arrival_of
from gateway.access.throttle import BEGUN, Door, Throttle, network
from gateway.errors import CodeRefusedError, NotFoundError, PasskeyRefusedError
from gateway.ids import hash_secret, new_id, now
from gateway.settings import Settings
from storage import accounts, factors, signins
from storage.accounts import Account
from storage.database import Database
from storage.factors import Factor


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A ticket, and the options that the browser's authenticator is given with it."""

    ticket: str = field(repr=False)
    options: dict[str, Any] = field(repr=False)


class Passkeys:
    """Registers passkeys and checks their answers."""

    def __init__(
        self,
        main: Database,
        access: Access,
        sessions: Sessions,
        signin: SignIn,
        throttle: Throttle,
        settings: Settings,
    ) -> None:
        """Passkeys live in `main`. They are bound to the host of the setting `public_url`."""
        self._main = main
        self._access = access
        self._sessions = sessions
        self._signin = signin
        self._throttle = throttle
        self._party = RelyingParty.of(settings.public_url) if settings.public_url else None

    @property
    def is_set_up(self) -> bool:
        """Whether there is an address that passkeys could be bound to."""
        return self._party is not None

    async def begin_registration(self, actor: Actor) -> Ceremony:
        """Options for a new passkey of one's own.

        Raises:
            NotFoundError: Passkeys are not set up here.
            ConfirmationRequiredError: Prove yourself again first.
        """
        party = self._checked_party()
        await self._sessions.require_confirmation(actor, Action.FACTOR_ADD)
        await self._access.authorise(actor, Action.FACTOR_ADD)
        known = await self._ids(actor.id)
        ticket = (await self._signin.begin(actor.id)).ticket
        options = ceremony.registration_options(party, actor.id, actor.email or "", ticket, known)
        return Ceremony(ticket, options)

    async def register(
        self, actor: Actor, ticket: str, name: str, credential: Credential
    ) -> Sequence[str]:
        """Add a passkey; lifts what the session was restricted by.

        Returns:
            New recovery codes with the first factor, to be shown this once; else none.

        Raises:
            NotFoundError: Passkeys are not set up here.
            InvalidInputError: The name; or there are as many as there may be.
            CodeRefusedError: The ticket is not one of this account, or over.
            PasskeyRefusedError: What the authenticator made does not hold, or is known already.
            UnauthenticatedError: The session ended meanwhile, or is older than the first factor.
        """
        party, name = self._checked_party(), check_name(name)
        grant = await self._access.authorise(actor, Action.FACTOR_ACTIVATE)
        await self._own_ticket(actor, ticket)
        try:
            made = ceremony.register(party, credential, ticket)
        except PasskeyError as error:
            raise await self._refused(actor, Action.FACTOR_ACTIVATE, error.why) from None
        at = now()
        factor = Factor(
            id=new_id(),
            account_id=actor.id,
            kind="passkey",
            name=name,
            created_at=at,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            activated_at=at,
        )
        try:
            async with self._main.transaction() as tx:
                session, first = await admit(tx, actor)
                if not await signins.end(tx, hash_secret(ticket)):
                    raise CodeRefusedError
                await check_room(tx, actor.id)
                await factors.add(tx, factor)
                fresh = await settle(tx, session, Proof.PASSKEY, first=first)
                await self._access.outcome_in(tx, grant, Target("factor", factor.id))
        except IntegrityError:  # its credential id is taken, by whomever
            raise await self._refused(actor, Action.FACTOR_ACTIVATE, "credential_id") from None
        return fresh

    async def begin_sign_in(self, visitor: Actor, ticket: str | None) -> Ceremony:
        """Options to sign in with.

        Args:
            visitor: Who asks.
            ticket: Of a sign-in that waits for a second factor; None: a passkey alone.

        Raises:
            NotFoundError: Passkeys are not set up here.
            PasskeyRefusedError: Unknown or ended ticket.
            TooManyAttemptsError: Too many sign-ins that led to nothing, from this network.
        """
        party = self._checked_party()
        known: Sequence[bytes] = ()
        if ticket is not None:
            async with self._main.reading() as connection:
                pending = await signins.get(connection, hash_secret(ticket), now())
            if pending is None or pending.account_id is None or pending.proof is None:
                raise await self._refused(visitor, Action.SESSION_OPEN, "ticket")
            known = await self._ids(pending.account_id)
        options = ceremony.authentication_options
        if ticket is None:
            await self._throttle.enter(_door(visitor))
        await self._access.note(visitor, Action.SESSION_PROVE, refused=False, asked=Proof.PASSKEY)
        if ticket is not None:
            return Ceremony(ticket, options(party, ticket, known, verified=False))
        ticket = (await self._signin.begin()).ticket
        return Ceremony(ticket, options(party, ticket, verified=True))

    async def sign_in(
        self, visitor: Actor, ticket: str, credential: Credential, place: Place
    ) -> SignedIn:
        """Open a session, by a passkey alone or as the second factor.

        Raises:
            NotFoundError: Passkeys are not set up here.
            CodeRefusedError: Unknown or ended ticket.
            PasskeyRefusedError: Unknown passkey, or its answer does not hold: one answer.
            LoginFailedError: The account is disabled.
        """
        self._checked_party()
        pending = await self._signin.take(visitor, ticket)
        alone = pending.account_id is None
        # A ticket for something else: a registration, a confirmation, a sign-on under way.
        if alone != (pending.proof is None):
            raise await self._refused(visitor, Action.SESSION_OPEN, "ticket")
        account = await self._prove(
            visitor,
            credential,
            ticket,
            pending.account_id,
            Action.SESSION_OPEN,
            verified=alone,
        )
        if alone:
            await self._throttle.passed([_door(visitor)])
        before = () if pending.proof is None else (Proof(pending.proof),)
        proofs = frozenset({Proof.PASSKEY, *before})
        return await self._signin.complete(
            visitor, account, proofs, place, ticket, arrival_of(pending)
        )

    async def begin_confirmation(self, actor: Actor) -> Ceremony:
        """Options to prove oneself again.

        Raises:
            NotFoundError: Passkeys are not set up here, or the account has none.
        """
        party = self._checked_party()
        await self._access.authorise(actor, Action.SESSION_CONFIRM)
        known = await self._ids(actor.id)
        if not known:
            raise NotFoundError
        ticket = (await self._signin.begin(actor.id)).ticket
        options = ceremony.authentication_options(party, ticket, known, verified=True)
        return Ceremony(ticket, options)

    async def confirm(self, actor: Actor, ticket: str, credential: Credential) -> SignedIn:
        """Prove oneself again, by a passkey that verifies its person.

        Raises:
            NotFoundError: Passkeys are not set up here.
            CodeRefusedError: The ticket is not one of this account, or over.
            PasskeyRefusedError: The answer does not hold.
        """
        self._checked_party()
        await self._own_ticket(actor, ticket)
        await self._prove(
            actor, credential, ticket, actor.id, Action.SESSION_CONFIRM, verified=True
        )
        async with self._main.transaction() as tx:
            if not await signins.end(tx, hash_secret(ticket)):
                raise CodeRefusedError
        return await self._sessions.renew(actor, Proof.PASSKEY)

    async def _prove(
        self,
        who: Actor,
        credential: Credential,
        ticket: str,
        asked: str | None,
        action: Action,
        *,
        verified: bool,
    ) -> Account:
        """Whose passkey answered, and rightly so.

        Args:
            who: Who asks.
            credential: The answer.
            ticket: Of the ceremony.
            asked: Whose passkey was asked for; None: anybody's.
            action: What it is refused as.
            verified: The passkey must know its person.
        """
        factor, account = await self._known(credential)
        if factor is None or account is None or asked not in {None, account.id}:
            raise await self._refused(who, action, "unknown")
        known = NewPasskey(
            factor.credential_id or b"", factor.public_key or b"", factor.sign_count or 0
        )
        try:
            proof = ceremony.authenticate(
                self._checked_party(),
                credential,
                ticket,
                known,
                account_id=account.id,
                named=asked is None,
                verified=verified,
            )
        except PasskeyError as error:
            raise await self._refused(as_account(who, account), action, error.why) from None
        async with self._main.transaction() as tx:
            used = await factors.note_use(tx, factor.id, proof.sign_count, now())
        if not used:  # removed meanwhile
            raise await self._refused(who, action, "unknown")
        return account

    async def _known(self, credential: Credential) -> tuple[Factor | None, Account | None]:
        try:
            name = ceremony.credential_id(credential)
        except PasskeyError:
            return None, None
        async with self._main.reading() as connection:
            factor = await factors.by_credential(connection, name)
            account = await accounts.get_account(connection, factor.account_id) if factor else None
        return factor, account

    async def _own_ticket(self, actor: Actor, ticket: str) -> None:
        """Count a try of a ticket that was given to this account, in its session.

        Raises:
            CodeRefusedError: It is another one, or over.
        """
        pending = await self._signin.take(actor, ticket)
        if pending.account_id != actor.id or pending.proof is not None:
            raise CodeRefusedError

    async def _ids(self, account_id: str) -> Sequence[bytes]:
        """The ids of an account's passkeys."""
        async with self._main.reading() as connection:
            found = await factors.active(connection, account_id)
        return [it.credential_id for it in found if it.credential_id is not None]

    def _checked_party(self) -> RelyingParty:
        if self._party is None:
            raise NotFoundError
        return self._party

    async def _refused(self, who: Actor, action: Action, why: str) -> PasskeyRefusedError:
        """Log why an answer was refused; what to raise, which does not say it."""
        await self._access.note(who, action, refused=True, proof=Proof.PASSKEY, why=why)
        return PasskeyRefusedError()


def _door(visitor: Actor) -> Door:
    """Begun sign-ins of strangers are counted by network: each is a row, and an event."""
    return Door(BEGUN, network(visitor.address))
