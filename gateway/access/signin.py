"""Signing in: what somebody proves, one proof after the other, until a session opens.

There is one function that opens a session, whatever the way in: `SignIn.complete`. A password or
a sign-on provider's word leads to `proceed`, which asks for the second factor of whoever has one.
Who must have one and has none gets a session that is restricted to enrolling it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.arrivals import permitted_changes, settle
from gateway.access.codes import Codes, must_have_factor
from gateway.access.grants import Access
from gateway.access.identity import Arrival
from gateway.access.notices import tell
from gateway.access.passwords import Passwords
from gateway.access.policy import Action
from gateway.access.proofs import Place, Proof, is_strong
from gateway.access.sessions import SignedIn, as_account, csrf_token
from gateway.access.throttle import (
    BROWSER_MAILED,
    CODE,
    CODE_ON_DEVICE,
    Door,
    Owner,
    Throttle,
    doors,
    take,
)
from gateway.errors import CodeRefusedError, LoginFailedError, UnavailableError
from gateway.ids import hash_secret, new_id, new_secret, now
from gateway.settings import Settings
from storage import accounts, factors, signins, throttles
from storage.accounts import Account, Session
from storage.database import Database
from storage.signins import PendingSignIn

TICKET_LIFETIME = timedelta(minutes=5)
TRIES = 5  # of one ticket

SECOND_FACTOR = "second_factor"
"""What a restricted session lacks."""
NO_PROVIDER = Arrival()
"""Nothing changes by signing in but where a provider said so."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that waits for more. The ticket exists here and with who signs in."""

    ticket: str = field(repr=False)
    methods: tuple[Proof, ...]
    expires_at: datetime


class SignIn:
    """From proofs to sessions."""

    def __init__(
        self,
        main: Database,
        access: Access,
        passwords: Passwords,
        codes: Codes,
        throttle: Throttle,
        settings: Settings,
    ) -> None:
        """Sessions and sign-ins under way live in `main`; their limits are settings."""
        self._main = main
        self._access = access
        self._passwords = passwords
        self._codes = codes
        self._throttle = throttle
        self._lifetime = timedelta(hours=settings.session_hours)

    async def by_password(
        self, visitor: Actor, email: str, password: str, place: Place
    ) -> SignedIn | Pending:
        """Open a session, or ask for a second factor.

        Raises:
            LoginFailedError: Unknown address, no password, wrong password or disabled account:
                one answer, after the same work.
            TooManyAttemptsError: Whether there is such an account or not.
        """
        typed = email.strip().lower()
        async with self._main.reading() as connection:
            account = await accounts.find_account(connection, typed)
            known = place.cookie and await throttles.knows_device(connection, place.cookie, typed)
        tried = doors(typed, place.address, place.cookie if known else None)
        await self._throttle.enter(*tried, owner=_owner(typed, account))
        right = await self._passwords.verify(account.password_hash if account else None, password)
        if account is None or not right or account.disabled_at is not None:
            # What was typed is not logged: it may be a password in the wrong field.
            await self._refuse(visitor, account)
            await self._throttle.failed(visitor, tried)
            raise LoginFailedError
        await self._throttle.passed(tried)
        account = await self._renew_hash(account, password)
        return await self.proceed(visitor, account, frozenset({Proof.PASSWORD}), place)

    async def by_code(self, visitor: Actor, ticket: str, code: str, place: Place) -> SignedIn:
        """Open the session of a sign-in under way, by a one-time or recovery code.

        Raises:
            CodeRefusedError: Unknown or ended ticket, or a wrong or used code: one answer.
            TooManyAttemptsError: Too many codes of this account were wrong.
        """
        pending = await self.take(visitor, ticket)
        account = await self._account(pending.account_id)
        door = await self._code_door(pending.account_id or "", place)
        await self._throttle.enter(door, owner=_owner(account.email, account) if account else None)
        used = account and await self._codes.use(account, code)
        if account is None or pending.proof is None or not used:
            await self._refuse(visitor, account)
            raise CodeRefusedError
        await self._throttle.passed([door])
        proofs = frozenset({Proof(pending.proof), used})
        return await self.complete(visitor, account, proofs, place, ticket, arrival_of(pending))

    async def proceed(
        self,
        visitor: Actor,
        account: Account,
        proofs: frozenset[Proof],
        place: Place,
        arrival: Arrival = NO_PROVIDER,
    ) -> SignedIn | Pending:
        """Open a session, or ask for the second factor of an account that has one.

        Raises:
            LoginFailedError: The account is disabled, or has another password by now.
        """
        async with self._main.reading() as connection:
            enrolled = await factors.active(connection, account.id)
        if is_strong(proofs) or not enrolled:
            return await self.complete(visitor, account, proofs, place, arrival=arrival)
        async with self._refusing(visitor, account), self._main.transaction() as tx:
            await _hold(tx, account, proofs)
            pending = await _begin(tx, account.id, next(iter(proofs)), arrival)
        who = as_account(visitor, account)
        await self._access.note(who, Action.SESSION_PROVE, refused=False, proofs=sorted(proofs))
        return pending

    async def complete(
        self,
        visitor: Actor,
        account: Account,
        proofs: frozenset[Proof],
        place: Place,
        ticket: str | None = None,
        arrival: Arrival = NO_PROVIDER,
    ) -> SignedIn:
        """Open a session: the only place where one begins.

        Args:
            visitor: Who asks, before anything is known of them.
            account: Whose proofs these are, as it was when they were checked.
            proofs: What was proved; fewer than two where no second factor is enrolled.
            place: Where from.
            ticket: Of a sign-in under way, which ends together with the beginning of the session.
            arrival: What a sign-on provider's word changes now that the sign-in is complete. Its
                subject is linked only if the session lacks nothing.

        Raises:
            LoginFailedError: The account is gone, is disabled, has another password by now, or
                has a factor that was not asked for.
            CodeRefusedError: Somebody else has used the ticket meanwhile.
            UnavailableError: The subject or the account was linked to another one meanwhile.
        """
        secret = new_secret()
        become = replace(account, role=arrival.role or account.role)
        actor = replace(as_account(visitor, become), session=hash_secret(secret))
        grant = await self._access.authorise(actor, Action.SESSION_OPEN)
        changes = await permitted_changes(self._access, visitor, account, arrival)
        begun = _begun(account.id, secret, proofs, place)
        session = replace(
            begun,
            expires_at=begun.created_at + self._lifetime,
            provider_session=arrival.session,
        )
        async with self._refusing(visitor, account), self._main.transaction() as tx:
            held = await _hold(tx, account, proofs)
            lacks = await _lacking(tx, held, proofs)
            if ticket is not None and not await signins.end(tx, hash_secret(ticket)):
                raise CodeRefusedError
            await settle(tx, self._access, held, arrival, changes, links=lacks is None)
            await accounts.add_session(tx, replace(session, restricted=lacks))
            cookie, new_device = await _device(tx, place, account.id)
            await self._access.outcome_in(
                tx, grant, proofs=sorted(proofs), session=session.id, new_device=new_device
            )
        opened = replace(actor, restricted=lacks)
        return SignedIn(opened, secret, csrf_token(secret), session.expires_at, cookie)

    async def begin(self, account_id: str | None = None, proof: Proof | None = None) -> Pending:
        """Keep a ticket for what waits for more than was proved here."""
        async with self._main.transaction() as tx:
            return await _begin(tx, account_id, proof)

    async def take(self, visitor: Actor, ticket: str) -> PendingSignIn:
        """Count one try of a sign-in under way.

        Raises:
            CodeRefusedError: Unknown, over, or it had all its tries.
        """
        async with self._main.transaction() as tx:
            pending = await signins.take(tx, hash_secret(ticket), now(), TRIES)
        if pending is None:
            await self._refuse(visitor, None)
            raise CodeRefusedError
        return pending

    async def _renew_hash(self, account: Account, password: str) -> Account:
        """Hash the password anew where its hash is of old parameters; not over a newer one.

        Returns:
            The account with the hash that it has now, unless somebody changed it meanwhile.
        """
        known = account.password_hash or ""
        if (fresh := await self._passwords.renewed(known, password)) is None:
            return account
        async with self._main.transaction() as tx:
            await accounts.replace_password_hash(tx, account.id, known, fresh)
        return replace(account, password_hash=fresh)

    @asynccontextmanager
    async def _refusing(self, visitor: Actor, account: Account) -> AsyncIterator[None]:
        """Around a transaction that may raise LoginFailedError: log that, once it is over.

        Raises:
            UnavailableError: Somebody else wrote the same row at this moment.
        """
        try:
            yield
        except LoginFailedError:
            await self._refuse(visitor, account)
            raise
        except IntegrityError:
            raise UnavailableError from None

    async def _refuse(self, visitor: Actor, account: Account | None) -> None:
        who = visitor if account is None else as_account(visitor, account)
        await self._access.note(who, Action.SESSION_OPEN, refused=True)

    async def _code_door(self, account_id: str, place: Place) -> Door:
        """Where a code is counted: by account, or by account and browser if it is known to it.

        Who has somebody's password comes as far as this. What they fail at keeps no code of the
        owner's out that comes from a browser that the owner signed in from before.
        """
        if place.cookie is not None:
            async with self._main.reading() as connection:
                if await throttles.is_device(connection, place.cookie, account_id):
                    return Door(CODE_ON_DEVICE, f"{account_id}\n{place.cookie.hex()}")
        return Door(CODE, account_id)

    async def _account(self, account_id: str | None) -> Account | None:
        if account_id is None:
            return None
        async with self._main.reading() as connection:
            return await accounts.get_account(connection, account_id)


def _begun(account_id: str, secret: str, proofs: frozenset[Proof], place: Place) -> Session:
    """A session that begins now; how long it lasts is not said yet."""
    at = now()
    return Session(
        secret_hash=hash_secret(secret),
        id=new_id(),
        account_id=account_id,
        device=place.device,
        address=place.address,
        proofs=" ".join(sorted(proofs)),
        restricted=None,
        created_at=at,
        seen_at=at,
        confirmed_at=at,
        expires_at=at,
    )


def arrival_of(pending: PendingSignIn) -> Arrival:
    """What a sign-in under way changes once it is complete."""
    return Arrival(pending.provider_session, pending.issuer, pending.subject, pending.role)


async def _hold(tx: AsyncConnection, account: Account, proofs: frozenset[Proof]) -> Account:
    """Hold an account until the transaction ends: what was proved of it holds still.

    Checking a password takes long. Who changes it, disables the account or enrols a factor ends
    what is open, in a transaction that holds the account too: it comes before, and is seen here,
    or after, and ends what is begun here.

    Raises:
        LoginFailedError: The account is gone or disabled, or has another password.
    """
    held = await accounts.lock_account(tx, account.id)
    if held is None or held.disabled_at is not None:
        raise LoginFailedError
    if Proof.PASSWORD in proofs and held.password_hash != account.password_hash:
        raise LoginFailedError
    return held


async def _lacking(tx: AsyncConnection, held: Account, proofs: frozenset[Proof]) -> str | None:
    """What a session by these proofs lacks, or None.

    Raises:
        LoginFailedError: There is a factor, and it was not asked for.
    """
    if is_strong(proofs):
        return None
    if await factors.active(tx, held.id):
        raise LoginFailedError
    return SECOND_FACTOR if await must_have_factor(tx, held) else None


async def _begin(
    tx: AsyncConnection,
    account_id: str | None,
    proof: Proof | None,
    arrival: Arrival = NO_PROVIDER,
) -> Pending:
    ticket, at = new_secret(), now()
    pending = PendingSignIn(
        secret_hash=hash_secret(ticket),
        account_id=account_id,
        proof=proof,
        created_at=at,
        expires_at=at + TICKET_LIFETIME,
        provider_session=arrival.session,
        issuer=arrival.issuer,
        subject=arrival.subject,
        role=arrival.role,
    )
    await signins.add(tx, pending)
    methods = await _methods(tx, account_id) if account_id else (Proof.PASSKEY,)
    return Pending(ticket, methods, pending.expires_at)


async def _methods(tx: AsyncConnection, account_id: str) -> tuple[Proof, ...]:
    """The second factors that an account can answer with; none where it has no factor."""
    kinds = {Proof(it.kind) for it in await factors.active(tx, account_id)}
    left = await factors.recovery_codes_left(tx, account_id)
    return tuple(sorted(kinds | ({Proof.RECOVERY_CODE} if kinds and left else set())))


def _owner(email: str, account: Account | None) -> Owner:
    """Who is told of guesses: whose account it is, unless it opens to nobody by a password."""
    opens = account and account.disabled_at is None and account.password_hash is not None
    return Owner(email, account.id if account and opens else None)


async def _device(tx: AsyncConnection, place: Place, account_id: str) -> tuple[str | None, bool]:
    """Note the device; the secret of its cookie if it is to get one, and if it is new here.

    What a browser brings that nobody signed in from is not adopted: who set it could know it.
    Of one that is new, and not the first, the owner is told, five times a day at most.
    """
    at, known = now(), await throttles.has_devices(tx, account_id)
    secret, digest = None, place.cookie
    if digest is None or not await throttles.is_device(tx, digest):
        secret = new_secret()
        digest = hash_secret(secret)
    new = await throttles.note_device(tx, digest, account_id, at)
    if new and known and await take(tx, Door(BROWSER_MAILED, account_id), at):
        await tell(tx, "new_browser", account_id=account_id)
    return secret, new
