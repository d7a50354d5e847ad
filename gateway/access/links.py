"""Links by mail that let somebody in once: to a first password, or to a new one.

The secret of a link is in the mail and, hashed, in its row; nowhere else. It stands in the
fragment of the address, which no browser sends and no server or proxy writes down. A mail that
holds one is never stored: an invitation leaves while its sender waits, a reset from a short queue
in memory, so that the answer to who asks for one depends on nothing that we know.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from enum import StrEnum

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.accounts import check_name
from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target
from gateway.access.notices import moment, tell
from gateway.access.passwords import Passwords
from gateway.access.policy import Action
from gateway.access.sessions import as_account
from gateway.access.throttle import LINK, RESET_ASKED, RESET_MAILED, Door, Throttle, network, take
from gateway.errors import LinkEndedError
from gateway.ids import hash_secret, new_id, new_secret, now
from gateway.mail.post import Mail, MailError, Post
from gateway.mail.texts import INVITATION, RESET, Language, Letter, Text
from gateway.settings import Settings
from storage import accounts, links, signins
from storage.accounts import Account
from storage.database import Database
from storage.links import Link

WAITING = 100  # requests for a reset, in this process; one more is dropped

log = structlog.get_logger()


class Purpose(StrEnum):
    """What a link is for."""

    INVITATION = "invitation"
    RESET = "reset"


_LETTERS: dict[Purpose, tuple[str, Letter]] = {
    Purpose.INVITATION: ("welcome", INVITATION),
    Purpose.RESET: ("reset", RESET),
}


class Links:
    """Makes, mails and takes links."""

    def __init__(
        self,
        main: Database,
        access: Access,
        passwords: Passwords,
        post: Post,
        throttle: Throttle,
        settings: Settings,
    ) -> None:
        """Links live in `main`."""
        self._main = main
        self._access = access
        self._passwords = passwords
        self._post = post
        self._throttle = throttle
        self._lifetimes = {
            Purpose.INVITATION: timedelta(hours=settings.invitation_hours),
            Purpose.RESET: timedelta(minutes=settings.reset_minutes),
        }
        self._asked: asyncio.Queue[tuple[Grant, str]] = asyncio.Queue(WAITING)

    async def make(self, tx: AsyncConnection, account: Account, purpose: Purpose) -> Mail:
        """A new link in place of an earlier one, and the mail that holds it."""
        secret, at = new_secret(), now()
        ends = at + self._lifetimes[purpose]
        await links.add(tx, Link(hash_secret(secret), purpose, account.id, at, ends))
        page, letter = _LETTERS[purpose]
        language: Language = "nl" if account.language == "nl" else "en"
        text = letter(language)
        link, until = self._post.page(page, secret), moment(ends)
        body = text.body.format(link=link, until=until)
        return Mail(new_id(), account.email, Text(text.subject, body))

    async def deliver(self, mail: Mail, grant: Grant) -> bool:
        """Send a mail at once, and log what became of it; False: it may not have left."""
        try:
            await self._post.send(mail)
        except MailError:
            await self._access.outcome(grant, mailed=False)
            return False
        await self._access.outcome(grant, mailed=True)
        return True

    async def accept(
        self, visitor: Actor, secret: str, password: str, name: str | None = None
    ) -> None:
        """Choose the first password, by an invitation's link.

        Raises:
            LinkEndedError: Unknown, used, over, or the account is disabled.
            InvalidInputError: The name.
            WeakPasswordError: The password cannot serve as one.
        """
        chosen = None if name is None else check_name(name)
        await self._choose(visitor, Purpose.INVITATION, secret, password, chosen)

    async def reset(self, visitor: Actor, secret: str, password: str) -> None:
        """Choose a new password, by a reset's link; it ends every session, and is told.

        Raises:
            LinkEndedError: Unknown, used, over, or the account is disabled.
            WeakPasswordError: The password cannot serve as one.
        """
        await self._choose(visitor, Purpose.RESET, secret, password)

    async def ask_reset(self, visitor: Actor, email: str) -> None:
        """Have a link mailed, if there is such an account; nothing tells whether there is.

        What is done before the answer is the same for every address: an event, and a place in
        the queue. Whoever finds no mail asks again, also after a crash.

        Raises:
            TooManyAttemptsError: Too many were asked for from this network.
        """
        await self._throttle.enter(Door(RESET_ASKED, network(visitor.address)))
        grant = await self._access.authorise(visitor, Action.PASSWORD_RESET_ASK)
        try:
            self._asked.put_nowait((grant, email))
        except asyncio.QueueFull:
            log.warning("reset_dropped")

    async def run(self) -> None:
        """Mail the links that were asked for, until cancelled."""
        while True:
            grant, email = await self._asked.get()
            try:
                await self._mail_reset(grant, email.strip().lower())
            except Exception as error:  # noqa: BLE001 - they ask again; the next one goes on
                log.error("reset_failed", error=type(error).__name__)

    async def _mail_reset(self, grant: Grant, email: str) -> None:
        async with self._main.reading() as connection:
            account = await accounts.find_account(connection, email)
        if account is None or account.password_hash is None or account.disabled_at is not None:
            return  # who never had a password has an invitation, a provider, or only tokens
        async with self._main.transaction() as tx:
            if not await self._may_mail(tx, account.id):
                return
            mail = await self.make(tx, account, Purpose.RESET)
            target = Target("account", account.id)
            await self._access.outcome_in(tx, grant, target, controller_id=account.controller_id)
        await self.deliver(mail, grant)

    async def _may_mail(self, tx: AsyncConnection, account_id: str) -> bool:
        """Whether an account gets a link for a reset; if so, it is counted.

        Anybody may ask for anybody. They must not end a link that its owner is about to use, nor
        fill a mailbox.
        """
        at = now()
        last = await links.newest(tx, account_id, Purpose.RESET)
        if last is not None and at - last < self._lifetimes[Purpose.RESET] / 2:
            return False
        return await take(tx, Door(RESET_MAILED, account_id), at)

    async def _choose(
        self,
        visitor: Actor,
        purpose: Purpose,
        secret: str,
        password: str,
        name: str | None = None,
    ) -> None:
        action = (
            Action.INVITATION_ACCEPT if purpose is Purpose.INVITATION else Action.PASSWORD_RESET
        )
        digest = hash_secret(secret)
        door = Door(LINK, network(visitor.address))
        await self._throttle.enter(door)
        async with self._main.reading() as connection:
            account = await links.find(connection, digest, purpose, now())
        if account is None:
            await self._access.note(visitor, action, refused=True)
            raise LinkEndedError
        await self._throttle.passed([door])
        target = Target("account", account.id)
        grant = await self._access.authorise(as_account(visitor, account), action, target=target)
        words = (account.email, account.name or "", name or "")
        password_hash = await self._passwords.hash(password, words)
        async with self._main.transaction() as tx:
            # The account first, as whoever shuts it out does; it may have happened meanwhile.
            held = await accounts.lock_account(tx, account.id)
            # Of two at a time one takes the row; the other one finds it gone.
            if await _is_out(tx, held) or not await links.use(tx, digest, now()):
                raise LinkEndedError
            if name is not None:
                await accounts.change_account(tx, account.id, name=name)
            await accounts.set_password(tx, account.id, password_hash)
            await accounts.end_sessions(tx, account.id)
            await signins.end_all(tx, account.id)
            if purpose is Purpose.RESET:
                await tell(tx, "password_changed", account_id=account.id)
            await self._access.outcome_in(tx, grant, target)


async def _is_out(tx: AsyncConnection, account: Account | None) -> bool:
    """Whether nobody comes in by this account: shut out, or its practice closed."""
    if account is None or account.disabled_at is not None:
        return True
    client = account.controller_id
    return client is not None and await accounts.is_closed(tx, client)
