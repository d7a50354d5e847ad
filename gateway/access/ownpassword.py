"""Changing one's own password."""

from __future__ import annotations

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.notices import tell
from gateway.access.passwords import Passwords
from gateway.access.policy import Action
from gateway.access.throttle import CONFIRMATION, Door, Throttle
from gateway.errors import LoginFailedError
from storage import accounts, signins
from storage.database import Database


class OwnPassword:
    """Replaces a password by another one; whoever else is signed in by the old one is not."""

    def __init__(
        self, main: Database, access: Access, passwords: Passwords, throttle: Throttle
    ) -> None:
        """Accounts live in `main`."""
        self._main = main
        self._access = access
        self._passwords = passwords
        self._throttle = throttle

    async def change(self, actor: Actor, password: str, new_password: str) -> None:
        """Replace it. Every other session ends, and every sign-in under way.

        Raises:
            LoginFailedError: The present password is wrong, or there is none.
            WeakPasswordError: The new one is too easily guessed.
            TooManyAttemptsError: Too many were wrong.
        """
        target = Target("account", actor.id)
        grant = await self._access.authorise(actor, Action.PASSWORD_CHANGE, target=target)
        door = Door(CONFIRMATION, actor.id if actor.session is None else actor.session.hex())
        await self._throttle.enter(door)
        async with self._main.reading() as connection:
            account = await accounts.get_account(connection, actor.id)
        known = account.password_hash if account else None
        if not await self._passwords.verify(known, password) or account is None:
            await self._access.note(actor, Action.PASSWORD_CHANGE, refused=True)
            raise LoginFailedError(field="password")
        await self._throttle.passed([door])
        words = (account.email, account.name or "")
        fresh = await self._passwords.hash(new_password, words)
        async with self._main.transaction() as tx:
            held = await accounts.lock_account(tx, actor.id)
            if held is None or held.password_hash != known:
                # Checking takes long: who was shut out by a reset meanwhile has no say any more.
                raise LoginFailedError(field="password")
            await accounts.set_password(tx, actor.id, fresh)
            ended = await accounts.end_sessions(tx, actor.id, but=actor.session)
            await signins.end_all(tx, actor.id)
            await tell(tx, "password_changed", account_id=actor.id)
            await self._access.outcome_in(tx, grant, ended_sessions=ended)
