"""Who is behind a request: by session or by bearer token; and proving oneself again."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.codes import Codes
from gateway.access.grants import Access
from gateway.access.limits import LOCKED
from gateway.access.passwords import Passwords
from gateway.access.policy import STAFF, Action, Role
from gateway.access.proofs import Proof
from gateway.access.scope import Scope
from gateway.access.throttle import CONFIRMATION, Door, Throttle, network
from gateway.errors import (
    ConfirmationRequiredError,
    GatewayError,
    LoginFailedError,
    SessionLockedError,
    UnauthenticatedError,
)
from gateway.ids import hash_secret, new_secret, now
from gateway.settings import Settings
from storage import accounts, tokens
from storage.accounts import Account, Session
from storage.database import Database
from storage.tokens import Token

SEEN_EVERY = timedelta(minutes=1)  # a session's last use is written at most so often


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: the cookie's secret exists here and with the browser, nowhere else."""

    actor: Actor
    secret: str = field(repr=False)
    csrf_token: str = field(repr=False)
    expires_at: datetime
    device_secret: str | None = field(default=None, repr=False)


def csrf_token(secret: str) -> str:
    """The token that a page sends beside the cookie; derived, so there is nothing to store."""
    return hmac.new(secret.encode(), b"kluis csrf token", hashlib.sha256).hexdigest()


class Sessions:
    """Who is behind a request."""

    def __init__(
        self,
        main: Database,
        access: Access,
        passwords: Passwords,
        codes: Codes,
        throttle: Throttle,
        settings: Settings,
    ) -> None:
        """Sessions live in `main`; their limits are settings."""
        self._main = main
        self._access = access
        self._passwords = passwords
        self._codes = codes
        self._throttle = throttle
        self._idle = timedelta(minutes=settings.session_idle_minutes)
        self._lock = timedelta(minutes=settings.session_lock_minutes)
        self._lock_on_move = settings.lock_on_move
        self._confirmed = timedelta(minutes=settings.confirmation_minutes)

    async def by_cookie(self, who: Actor, secret: str) -> tuple[Actor, Session]:
        """Who the session belongs to; that of staff is locked after a silence, or when it moves.

        Raises:
            UnauthenticatedError: Unknown, ended, idle for too long, or the account is disabled.
        """
        digest, at = hash_secret(secret), now()
        async with self._main.reading() as connection:
            session = await accounts.find_session(connection, digest)
            account = (
                await accounts.get_account(connection, session.account_id) if session else None
            )
        if session is None or account is None:
            raise await self.refused(who)
        if account.disabled_at is not None or self.is_over(session, at):
            why = "disabled" if account.disabled_at is not None else "over"
            raise await self.refused(as_account(who, account), ended=why)
        found = replace(as_account(who, account), session=digest, restricted=session.restricted)
        if found.role in STAFF and at - session.seen_at >= self._lock:
            # Nothing is noted as seen: no request but a confirmation unlocks.
            return replace(found, restricted=LOCKED), session
        if found.role in STAFF and self._lock_on_move and has_moved(session, who):
            # Wherever it is used from here on: of two who have its cookie, one is a thief.
            async with self._main.transaction() as tx:
                await accounts.touch_session(tx, digest, at - self._lock)
            await self.refused(found, SessionLockedError(), ended="moved", of=session.id)
            return replace(found, restricted=LOCKED), session
        if at - session.seen_at >= SEEN_EVERY:
            async with self._main.transaction() as tx:
                await accounts.touch_session(tx, digest, at)
        return found, session

    async def by_token(self, who: Actor, secret: str) -> Actor:
        """Who the bearer token belongs to.

        Raises:
            UnauthenticatedError: Unknown, revoked, past its end, from a network that it may not
                come from, or the account is disabled.
        """
        async with self._main.reading() as connection:
            token = await tokens.find(connection, hash_secret(secret))
            account = await accounts.get_account(connection, token.account_id) if token else None
        if token is None or account is None:
            raise await self.refused(who)
        scope, at = Scope.parse(token.scope), now()
        why = _ended(token, account, at) or ("network" if not scope.admits(who.address) else None)
        if why is not None:
            raise await self.refused(as_account(who, account), ended=why, token=token.id)
        if token.used_at is None or at - token.used_at >= SEEN_EVERY:
            async with self._main.transaction() as tx:
                await tokens.touch(tx, token.id, at)
        return replace(as_account(who, account), scope=scope)

    async def by_account(self, who: Actor, account_id: str) -> Actor:
        """Who began an upload, whose address stands in for their token.

        Raises:
            UnauthenticatedError: The account is disabled.
        """
        async with self._main.reading() as connection:
            account = await accounts.get_account(connection, account_id)
        if account is None:
            raise await self.refused(who)
        if account.disabled_at is not None:
            raise await self.refused(as_account(who, account))
        return as_account(who, account)

    async def confirm(self, actor: Actor, *, password: str | None, code: str | None) -> SignedIn:
        """Prove oneself again, by password or by code, before what cannot be undone.

        It unlocks a locked session. The session goes on under another secret (ASVS 7.2.4): who
        has the old one has nothing.

        Raises:
            LoginFailedError: Wrong password or code, or none.
            TooManyAttemptsError: Too many were wrong in this session.
        """
        async with self._main.reading() as connection:
            account = await accounts.get_account(connection, actor.id)
        door = Door(CONFIRMATION, actor.id if actor.session is None else actor.session.hex())
        await self._throttle.enter(door)
        proof = await self._proof(account, password, code) if account else None
        if proof is None or actor.session is None:
            await self._access.note(actor, Action.SESSION_CONFIRM, refused=True)
            raise LoginFailedError
        await self._throttle.passed([door])
        return await self.renew(actor, proof)

    async def renew(self, actor: Actor, proof: Proof) -> SignedIn:
        """Give the session of somebody who has just proved themself again another secret.

        Raises:
            UnauthenticatedError: The session ended meanwhile.
        """
        grant = await self._access.authorise(actor, Action.SESSION_CONFIRM)
        if actor.session is None:
            raise UnauthenticatedError
        secret = new_secret()
        async with self._main.transaction() as tx:
            fresh = hash_secret(secret)
            if not await accounts.confirm_session(tx, actor.session, fresh, now()):
                raise UnauthenticatedError
            await accounts.place_session(tx, fresh, actor.address, actor.device)
            session = await accounts.find_session(tx, fresh)
            await self._access.outcome_in(tx, grant, proofs=[proof])
        if session is None:
            raise UnauthenticatedError
        renewed = replace(actor, session=session.secret_hash, restricted=session.restricted)
        return SignedIn(renewed, secret, csrf_token(secret), session.expires_at)

    async def _proof(
        self, account: Account, password: str | None, code: str | None
    ) -> Proof | None:
        if password is not None:
            right = await self._passwords.verify(account.password_hash, password)
            return Proof.PASSWORD if right else None
        return await self._codes.use(account, code) if code is not None else None

    async def require_confirmation(self, actor: Actor, action: Action) -> None:
        """Refuse an act in a session whose password was given long ago or elsewhere (invariant 9).

        A token has no password to repeat; what it asks for names its object twice instead.

        Raises:
            ConfirmationRequiredError: Confirm, then try again.
        """
        if actor.session is None:
            return
        async with self._main.reading() as connection:
            session = await accounts.find_session(connection, actor.session)
        old = session is None or now() - session.confirmed_at >= self._confirmed
        if session is None or old or has_moved(session, actor):
            await self._access.note(actor, action, refused=True)
            raise ConfirmationRequiredError(field="POST /api/v1/session/confirmation")

    @staticmethod
    async def hold(tx: AsyncConnection, actor: Actor) -> None:
        """Hold the account of who acts in a session: what they make now ends with their access.

        Raises:
            UnauthenticatedError: They were shut out or got another role since they were
                authorised, or the session ended.
        """
        held = await accounts.lock_account(tx, actor.id)
        session = await accounts.find_session(tx, actor.session) if actor.session else None
        if held is None or session is None or held.disabled_at or held.role != actor.role:
            raise UnauthenticatedError

    async def sign_out(self, actor: Actor) -> None:
        """End the session at once, everywhere."""
        grant = await self._access.authorise(actor, Action.SESSION_CLOSE)
        async with self._main.transaction() as tx:
            if actor.session is not None:
                await accounts.end_session(tx, actor.session)
            await self._access.outcome_in(tx, grant)

    async def refused(
        self, who: Actor, error: GatewayError | None = None, **detail: str
    ) -> GatewayError:
        """Log that a session or token was refused, with why; what to raise, which does not say."""
        refusal = error or UnauthenticatedError()
        await self._access.note(
            who, Action.SESSION_USE, refused=True, refusal=refusal.code, **detail
        )
        return refusal

    def is_over(self, session: Session, at: datetime) -> bool:
        """Whether a session came to its end, or was silent for too long."""
        return at >= session.expires_at or at - session.seen_at >= self._idle


def has_moved(session: Session, who: Actor) -> bool:
    """Whether somebody comes from elsewhere than where they last proved who they are.

    Elsewhere is another network or browser; what nobody knows has not changed.
    """
    if session.address is None or who.address is None:
        return False
    return network(session.address) != network(who.address) or who.device != session.device


def _ended(token: Token, account: Account, at: datetime) -> str | None:
    """Why a token is of no use any more; None: it is."""
    if account.disabled_at is not None:
        return "disabled"
    if token.revoked_at is not None:
        return "revoked"
    return "over" if token.expires_at is not None and at >= token.expires_at else None


def as_account(visitor: Actor, account: Account) -> Actor:
    """Whoever asks, as the person that they proved to be."""
    return replace(
        visitor,
        id=account.id,
        role=Role(account.role),
        controller_id=account.controller_id,
        email=account.email,
    )
