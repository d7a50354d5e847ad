"""One's own second factors: enrolled, activated, removed, and the recovery codes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.accountkeys import AccountKeys
from gateway.access.actors import Actor
from gateway.access.codes import (
    RECOVERY_CODES,
    Codes,
    hash_recovery_code,
    key_uri,
    must_have_factor,
    new_recovery_code,
    new_secret,
)
from gateway.access.grants import Access, Target
from gateway.access.notices import tell
from gateway.access.policy import Action
from gateway.access.proofs import Proof, is_strong, proofs_of
from gateway.access.sessions import Sessions
from gateway.errors import (
    CodeRefusedError,
    InvalidInputError,
    LastFactorError,
    NotFoundError,
    UnauthenticatedError,
)
from gateway.ids import new_id, now
from storage import accounts, factors, signins
from storage.accounts import Account, Session
from storage.database import Database
from storage.factors import Factor

NAME_LIMIT = 60
FACTORS_LIMIT = 20  # of one account
ISSUER = "Kluis"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A factor for one-time codes to be: its secret is shown this once."""

    id: str
    secret: bytes = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The factors of an account, and how many recovery codes are unused."""

    factors: Sequence[Factor]
    recovery_codes: int
    required: bool


class Factors:
    """What somebody does with their own factors; each act is an event."""

    def __init__(
        self, main: Database, access: Access, sessions: Sessions, codes: Codes, keys: AccountKeys
    ) -> None:
        """Factors live in `main`; changes of them take a session that was confirmed lately."""
        self._main = main
        self._access = access
        self._sessions = sessions
        self._codes = codes
        self._keys = keys

    async def list(self, actor: Actor) -> Enrolled:
        """One's own factors that count, oldest first."""
        await self._access.authorise(actor, Action.FACTOR_LIST)
        async with self._main.reading() as connection:
            return Enrolled(
                factors=await factors.active(connection, actor.id),
                recovery_codes=await factors.recovery_codes_left(connection, actor.id),
                required=await must_have_factor(connection, await _own(connection, actor)),
            )

    async def enrol(self, actor: Actor, name: str) -> Enrolment:
        """Begin a factor for one-time codes. It counts once a code of it was given.

        Raises:
            InvalidInputError: The name; or there are as many as there may be.
            ConfirmationRequiredError: Prove yourself again first.
        """
        name = check_name(name)
        await self._sessions.require_confirmation(actor, Action.FACTOR_ADD)
        grant = await self._access.authorise(actor, Action.FACTOR_ADD)
        async with self._main.reading() as connection:
            account = await _own(connection, actor)
        factor_id, secret = new_id(), new_secret()
        sealed = await self._keys.seal(account, factor_id, secret)
        factor = Factor(factor_id, account.id, "totp", name, now(), sealed_secret=sealed)
        async with self._main.transaction() as tx:
            await factors.remove_waiting(tx, account.id)
            await check_room(tx, account.id)
            await factors.add(tx, factor)
            await self._access.outcome_in(tx, grant, Target("factor", factor.id))
        return Enrolment(factor_id, secret, key_uri(secret, account.email, ISSUER))

    async def activate(self, actor: Actor, factor_id: str, code: str) -> Sequence[str]:
        """Make a factor count, by a first code of it; lifts what the session was restricted by.

        Returns:
            New recovery codes with the first factor, to be shown this once; else none.

        Raises:
            NotFoundError: No such factor of one's own waits for its first code.
            CodeRefusedError: A wrong or used code.
            UnauthenticatedError: The session ended meanwhile, or is older than the first factor.
        """
        target = Target("factor", factor_id)
        grant = await self._access.authorise(actor, Action.FACTOR_ACTIVATE, target=target)
        async with self._main.reading() as connection:
            account = await _own(connection, actor)
            factor = await factors.get(connection, actor.id, factor_id)
        if factor is None or factor.activated_at is not None:
            raise NotFoundError
        step = await self._codes.step(account, factor, code)
        async with self._main.transaction() as tx:
            session, first = await admit(tx, actor)
            if step is None or not await factors.take_step(tx, factor_id, step, now()):
                raise CodeRefusedError
            fresh = await settle(tx, session, Proof.TOTP, first=first)
            await self._access.outcome_in(tx, grant)
        return fresh

    async def remove(self, actor: Actor, factor_id: str) -> None:
        """Remove one of one's factors, whatever its kind; with the last go the recovery codes.

        Raises:
            NotFoundError: No such factor of one's own.
            LastFactorError: It is the last one, and there must be one.
            ConfirmationRequiredError: Prove yourself again first.
        """
        await self._sessions.require_confirmation(actor, Action.FACTOR_REMOVE)
        target = Target("factor", factor_id)
        grant = await self._access.authorise(actor, Action.FACTOR_REMOVE, target=target)
        async with self._main.transaction() as tx:
            account = await accounts.lock_account(tx, actor.id)
            if not await factors.remove(tx, actor.id, factor_id):
                raise NotFoundError
            if not await factors.active(tx, actor.id):
                if account is None or await must_have_factor(tx, account):
                    raise LastFactorError
                await factors.remove_all(tx, actor.id)
            await tell(tx, "factors_changed", account_id=actor.id)
            await self._access.outcome_in(tx, grant)

    async def renew_recovery_codes(self, actor: Actor) -> Sequence[str]:
        """New recovery codes in place of all old ones, to be shown this once.

        Raises:
            NotFoundError: There is no factor that they could stand in for.
            ConfirmationRequiredError: Prove yourself again first.
        """
        await self._sessions.require_confirmation(actor, Action.RECOVERY_CODES_RENEW)
        grant = await self._access.authorise(actor, Action.RECOVERY_CODES_RENEW)
        async with self._main.transaction() as tx:
            if not await factors.active(tx, actor.id):
                raise NotFoundError
            fresh = await _new_recovery_codes(tx, actor.id)
            await tell(tx, "factors_changed", account_id=actor.id)
            await self._access.outcome_in(tx, grant)
        return fresh


async def admit(tx: AsyncConnection, actor: Actor) -> tuple[Session, bool]:
    """Hold the account of who adds a factor; their session, and whether it is the first factor.

    A session that is older than the first factor has proved none: if it could add one of its own,
    whoever opened it by a stolen password would have both.

    Raises:
        UnauthenticatedError: The session ended meanwhile, or is such a one: sign in by the factor.
    """
    await accounts.lock_account(tx, actor.id)
    session = await accounts.find_session(tx, actor.session) if actor.session else None
    if session is None:
        raise UnauthenticatedError
    first = not await factors.active(tx, actor.id)
    if not first and not is_strong(proofs_of(session)):
        raise UnauthenticatedError
    return session, first


async def settle(
    tx: AsyncConnection, session: Session, proof: Proof, *, first: bool
) -> Sequence[str]:
    """What a factor that was just added brings about.

    It lifts what the session was restricted by. The first one ends every other session and every
    sign-in under way, for those are by the password alone.

    Returns:
        New recovery codes, if there were none left.
    """
    account_id = session.account_id
    await accounts.lift_restriction(tx, session.secret_hash, proof)
    if first:
        await accounts.end_sessions(tx, account_id, but=session.secret_hash)
        await signins.end_all(tx, account_id)
    await tell(tx, "factors_changed", account_id=account_id)
    if await factors.recovery_codes_left(tx, account_id):
        return ()
    return await _new_recovery_codes(tx, account_id)


def check_name(name: str) -> str:
    """A factor's name without space around it. Raises InvalidInputError."""
    name = name.strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise InvalidInputError(field="name", reason=f"take 1 to {NAME_LIMIT} characters")
    return name


async def check_room(tx: AsyncConnection, account_id: str) -> None:
    """Return if the account may have one factor more. Raises InvalidInputError."""
    if len(await factors.of_account(tx, account_id)) >= FACTORS_LIMIT:
        reason = f"there are {FACTORS_LIMIT} already; remove one first"
        raise InvalidInputError(field="name", reason=reason)


async def _new_recovery_codes(tx: AsyncConnection, account_id: str) -> Sequence[str]:
    fresh = tuple(new_recovery_code() for _ in range(RECOVERY_CODES))
    await factors.replace_recovery_codes(tx, account_id, map(hash_recovery_code, fresh))
    return fresh


async def _own(connection: AsyncConnection, actor: Actor) -> Account:
    account = await accounts.get_account(connection, actor.id)
    if account is None:
        raise NotFoundError
    return account
