"""Signing in: by password to a session, or by bearer token; and proving oneself again."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.access.actors import Actor
from gateway.access.grants import Access
from gateway.access.passwords import Passwords
from gateway.access.policy import Action, Role
from gateway.errors import (
    ConfirmationRequiredError,
    GatewayError,
    LoginFailedError,
    UnauthenticatedError,
)
from gateway.ids import hash_secret, new_secret, now
from gateway.settings import Settings
from storage import accounts
from storage.accounts import Account, Session
from storage.database import Database

SEEN_EVERY = timedelta(minutes=1)  # a session's last use is written at most so often


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: the cookie's secret exists here and with the browser, nowhere else."""

    actor: Actor
    secret: str = field(repr=False)
    csrf_token: str = field(repr=False)
    expires_at: datetime


def csrf_token(secret: str) -> str:
    """The token that a page sends beside the cookie; derived, so there is nothing to store."""
    return hmac.new(secret.encode(), b"kluis csrf token", hashlib.sha256).hexdigest()


class Sessions:
    """Who is behind a request."""

    def __init__(
        self, main: Database, access: Access, passwords: Passwords, settings: Settings
    ) -> None:
        """Sessions live in `main`; their limits are settings."""
        self._main = main
        self._access = access
        self._passwords = passwords
        self._idle = timedelta(minutes=settings.session_idle_minutes)
        self._lifetime = timedelta(hours=settings.session_hours)
        self._confirmed = timedelta(minutes=settings.confirmation_minutes)

    async def sign_in(self, visitor: Actor, email: str, password: str) -> SignedIn:
        """Open a session.

        Raises:
            LoginFailedError: Unknown address, no password, wrong password or disabled account:
                one answer, after the same work.
        """
        async with self._main.reading() as connection:
            account = await accounts.find_account(connection, email.strip().lower())
        right = await self._passwords.verify(account.password_hash if account else None, password)
        if account is None or not right or account.disabled_at is not None:
            # What was typed is not logged: it may be a password in the wrong field.
            who = visitor if account is None else self._as(visitor, account)
            await self._access.note(who, Action.SESSION_OPEN, refused=True)
            raise LoginFailedError
        secret, at = new_secret(), now()
        actor = replace(self._as(visitor, account), session=hash_secret(secret))
        grant = await self._access.authorise(actor, Action.SESSION_OPEN)
        session = Session(
            secret_hash=hash_secret(secret),
            account_id=account.id,
            created_at=at,
            seen_at=at,
            confirmed_at=at,
            expires_at=at + self._lifetime,
        )
        async with self._main.transaction() as tx:
            await accounts.add_session(tx, session)
            await self._access.outcome_in(tx, grant)
        return SignedIn(actor, secret, csrf_token(secret), session.expires_at)

    async def by_cookie(self, who: Actor, secret: str) -> tuple[Actor, Session]:
        """Who the session belongs to.

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
        if account.disabled_at is not None or self._is_over(session, at):
            raise await self.refused(self._as(who, account))
        if at - session.seen_at >= SEEN_EVERY:
            async with self._main.transaction() as tx:
                await accounts.touch_session(tx, digest, at)
        return replace(self._as(who, account), session=digest), session

    async def by_token(self, who: Actor, secret: str) -> Actor:
        """Who the bearer token belongs to.

        Raises:
            UnauthenticatedError: Unknown, revoked, past its end, or the account is disabled.
        """
        async with self._main.reading() as connection:
            token = await accounts.find_token(connection, hash_secret(secret))
            account = await accounts.get_account(connection, token.account_id) if token else None
        if token is None or account is None:
            raise await self.refused(who)
        over = token.expires_at is not None and now() >= token.expires_at
        if account.disabled_at is not None or token.revoked_at is not None or over:
            raise await self.refused(self._as(who, account))
        return self._as(who, account)

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
            raise await self.refused(self._as(who, account))
        return self._as(who, account)

    async def confirm(self, actor: Actor, password: str) -> None:
        """Prove oneself again, before what cannot be undone.

        Raises:
            LoginFailedError: Wrong password.
        """
        async with self._main.reading() as connection:
            account = await accounts.get_account(connection, actor.id)
        right = await self._passwords.verify(account.password_hash if account else None, password)
        if not right or actor.session is None:
            await self._access.note(actor, Action.SESSION_CONFIRM, refused=True)
            raise LoginFailedError
        grant = await self._access.authorise(actor, Action.SESSION_CONFIRM)
        async with self._main.transaction() as tx:
            await accounts.confirm_session(tx, actor.session, now())
            await self._access.outcome_in(tx, grant)

    async def require_confirmation(self, actor: Actor, action: Action) -> None:
        """Refuse an act in a session whose password was given too long ago (invariant 9).

        A token has no password to repeat; what it asks for names its object twice instead.

        Raises:
            ConfirmationRequiredError: Confirm, then try again.
        """
        if actor.session is None:
            return
        async with self._main.reading() as connection:
            session = await accounts.find_session(connection, actor.session)
        if session is None or now() - session.confirmed_at >= self._confirmed:
            await self._access.note(actor, action, refused=True)
            raise ConfirmationRequiredError(field="POST /api/v1/session/confirmation")

    async def sign_out(self, actor: Actor) -> None:
        """End the session at once, everywhere."""
        grant = await self._access.authorise(actor, Action.SESSION_CLOSE)
        async with self._main.transaction() as tx:
            if actor.session is not None:
                await accounts.end_session(tx, actor.session)
            await self._access.outcome_in(tx, grant)

    async def refused(self, who: Actor, error: GatewayError | None = None) -> GatewayError:
        """Log that a session or token was refused; what to raise."""
        refusal = error or UnauthenticatedError()
        await self._access.note(who, Action.SESSION_USE, refused=True, refusal=refusal.code)
        return refusal

    def _is_over(self, session: Session, at: datetime) -> bool:
        return at >= session.expires_at or at - session.seen_at >= self._idle

    @staticmethod
    def _as(visitor: Actor, account: Account) -> Actor:
        return replace(
            visitor,
            id=account.id,
            role=Role(account.role),
            controller_id=account.controller_id,
            email=account.email,
        )
