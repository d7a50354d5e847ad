"""Sending what somebody is to be told: by mail to people, by webhook to programs.

A notice is deleted together with the event that says it left. What a crash between sending and
that leaves is sent again, under the same id: at least once, never lost. One that does not leave is
tried later and later; after a week it is dead, and waits in a list for a person.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import system
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action
from gateway.delivery.webhook import Message, WebhookError, Webhooks
from gateway.ids import new_id, now
from gateway.mail.post import Mail, MailError, Post
from gateway.mail.texts import LANGUAGES, NOTICES, PAGES, Text
from storage import notices
from storage.database import Database
from storage.notices import EVERY_HOOK, Addressee, Notice

LOOK_SECONDS = 2.0
KEPT = timedelta(days=7)
"""How long a notice is tried; then nobody takes it."""
KEPT_DEAD = timedelta(days=90)
"""How long it is seen that it was not taken."""

log = structlog.get_logger()


class Sender:
    """Sends what is due; each node may, and none sends what another has in hand."""

    def __init__(self, main: Database, access: Access, post: Post, webhooks: Webhooks) -> None:
        """Notices live in `main`."""
        self._main = main
        self._access = access
        self._post = post
        self._webhooks = webhooks

    async def run(self) -> None:
        """Send what is due, until cancelled. No receiver that hangs holds up another one."""
        async with asyncio.TaskGroup() as tasks:
            for hook in (None, *self._webhooks.names):
                tasks.create_task(self._keep_sending(hook))

    async def _keep_sending(self, hook: str | None) -> None:
        while True:
            try:
                if hook is None:
                    await self.sort()
                while await self.send_one(hook):
                    pass
            except Exception as error:  # noqa: BLE001 - it is due again
                log.error("notices_failed", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def sort(self) -> None:
        """Make one notice per hook of what all are to be told, and forget what is dead for long.

        What is for a hook that the settings do not name any more is dead at once.
        """
        at = now()
        async with self._main.reading() as connection:
            waiting = set(await notices.hooks_waiting(connection)) - set(self._webhooks.names)
            forgotten = await notices.dead_since(connection, at - KEPT_DEAD)
        for hook in waiting:
            async with self._main.transaction() as tx:
                notice = await notices.oldest_due(tx, at, hook)
                while notice is not None:
                    await self._sort(tx, notice, at)
                    notice = await notices.oldest_due(tx, at, hook)
        for notice in forgotten:
            await self._end(notice, left=False)

    async def _sort(self, tx: AsyncConnection, notice: Notice, at: datetime) -> None:
        if notice.hook != EVERY_HOOK:
            await notices.fail(tx, notice.id, "unknown", dead_at=at)
        elif await notices.remove(tx, notice.id):
            for name in self._webhooks.names:
                await notices.add(tx, replace(notice, id=new_id(), hook=name))

    async def send_one(self, hook: str | None = None) -> bool:
        """Send the notice to a hook (None: by mail) that is due longest; False: none is due."""
        at = now()
        async with self._main.reading() as connection:
            notice = await notices.oldest_due(connection, at, hook)
            to = await notices.addressee(connection, notice) if notice else None
        if notice is None:
            return False
        async with self._main.transaction() as tx:
            if not await notices.claim(tx, notice, at):
                return True
        if hook is None and to is None:
            await self._end(notice, left=False)  # whom it was for is gone
            return True
        failure = await self._send(notice, to)
        if failure is None:
            # A crash before this sends it once more.
            await self._end(notice, left=True)
        elif at - notice.created_at >= KEPT:
            await self._bury(notice, failure, at)
        else:
            async with self._main.transaction() as tx:
                await notices.fail(tx, notice.id, failure)
        return True

    async def _send(self, notice: Notice, to: Addressee | None) -> str | None:
        """Why it did not leave, in a word; None: it did."""
        try:
            if notice.hook is not None:
                message = Message(notice.id, notice.kind, notice.created_at, notice.values)
                await self._webhooks.send(notice.hook, message)
            elif to is not None:
                await self._post.send(Mail(notice.id, to.address, self._text(notice, to)))
        except WebhookError as error:
            return error.failure
        except MailError:
            return "mail"
        return None

    async def _bury(self, notice: Notice, failure: str, at: datetime) -> None:
        log.error("notice_dead", id=notice.id, kind=notice.kind, failure=failure)
        grant = await self._authorise(notice)
        async with self._main.transaction() as tx:
            await notices.fail(tx, notice.id, failure, dead_at=at)
            await self._outcome(tx, grant, notice, left=False)

    async def _end(self, notice: Notice, *, left: bool) -> None:
        grant = await self._authorise(notice)
        async with self._main.transaction() as tx:
            await notices.remove(tx, notice.id)
            await self._outcome(tx, grant, notice, left=left)

    async def _authorise(self, notice: Notice) -> Grant:
        target = Target("notice", notice.id)
        return await self._access.authorise(system("notices"), Action.NOTICE_SEND, target=target)

    async def _outcome(
        self, tx: AsyncConnection, grant: Grant, notice: Notice, *, left: bool
    ) -> None:
        await self._access.outcome_in(
            tx,
            grant,
            controller_id=notice.controller_id,
            kind=notice.kind,
            sent=left,
            attempts=notice.attempts + 1,
            to=notice.hook or notice.account_id or notice.controller_id or "closed account",
        )

    def _text(self, notice: Notice, to: Addressee) -> Text:
        """The notice in the reader's language; in both where that is not known."""
        page = self._post.page(PAGES.get(notice.kind, "account"))
        letter, values = NOTICES[notice.kind], {"link": page}
        texts = [letter(language) for language in LANGUAGES if to.language in {language, None}]
        subject = " / ".join(text.subject for text in texts)
        body = "\n\n".join(text.body for text in texts).format(**values, **notice.values)
        return Text(subject, body)
