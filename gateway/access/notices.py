"""Telling somebody by mail what happened to their account or in their practice.

`tell` writes the notice in the transaction of what it tells of: both are there, or neither is.
`Notices` sends what is due, and deletes it together with the event that says it left. What a crash
between the two leaves is sent again, under the same Message-ID: at least once, never lost.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import system
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.ids import new_id, now
from gateway.mail.post import Mail, MailError, Post
from gateway.mail.texts import LANGUAGES, NOTICES, Text
from storage import notices
from storage.database import Database
from storage.notices import Addressee, Notice

LOOK_SECONDS = 2.0
KEPT = timedelta(days=7)
"""How long a notice is tried; then its address takes no mail."""

log = structlog.get_logger()


async def tell(
    tx: AsyncConnection,
    kind: str,
    *,
    account_id: str | None = None,
    controller_id: str | None = None,
    address: str | None = None,
    **values: str | datetime,
) -> None:
    """Tell an account or a practice something, once this transaction commits.

    Args:
        tx: In which it happens.
        kind: Which text of `NOTICES`.
        account_id: Whom.
        controller_id: Or which practice, at its own address.
        address: Of an account that has none any more.
        values: What the text names beside `at`: ids and times, nobody's name and no secret.
    """
    at = now()
    said = {name: _said(value) for name, value in {"at": at, **values}.items()}
    notice = Notice(
        id=new_id(),
        kind=kind,
        created_at=at,
        due_at=at,
        account_id=account_id,
        controller_id=controller_id,
        address=address,
        detail=json.dumps(said),
    )
    await notices.add(tx, notice)


def _said(value: str | datetime) -> str:
    return value if isinstance(value, str) else moment(value)


def moment(at: datetime) -> str:
    """A time as mails say it, in UTC."""
    return f"{at:%Y-%m-%d %H:%M}"


class Notices:
    """Sends what is due; each node may, and none sends what another has in hand."""

    def __init__(self, main: Database, access: Access, post: Post) -> None:
        """Notices live in `main`."""
        self._main = main
        self._access = access
        self._post = post

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            try:
                while await self.send_one():
                    pass
            except Exception as error:  # noqa: BLE001 - it is due again
                log.error("notices_failed", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def send_one(self) -> bool:
        """Send the notice that is due longest; False: none is due."""
        at = now()
        async with self._main.reading() as connection:
            notice = await notices.oldest_due(connection, at)
            to = await notices.addressee(connection, notice) if notice else None
        if notice is None:
            return False
        async with self._main.transaction() as tx:
            if not await notices.claim(tx, notice, at):
                return True
        if to is None or at - notice.created_at >= KEPT:
            await self._end(notice, left=False)
            return True
        try:
            await self._post.send(Mail(notice.id, to.address, self._text(notice, to)))
        except MailError:
            return True
        # A crash before this sends it once more.
        await self._end(notice, left=True)
        return True

    async def _end(self, notice: Notice, *, left: bool) -> None:
        grant = await self._access.authorise(
            system("notices"), Action.NOTICE_SEND, target=Target("notice", notice.id)
        )
        async with self._main.transaction() as tx:
            await notices.remove(tx, notice.id)
            await self._access.outcome_in(
                tx,
                grant,
                controller_id=notice.controller_id,
                kind=notice.kind,
                sent=left,
                attempts=notice.attempts + 1,
                to=notice.account_id or notice.controller_id or "closed account",
            )

    def _text(self, notice: Notice, to: Addressee) -> Text:
        """The notice in the reader's language; in both where that is not known."""
        letter, values = NOTICES[notice.kind], {"link": self._post.page("account")}
        texts = [letter(language) for language in LANGUAGES if to.language in {language, None}]
        subject = " / ".join(text.subject for text in texts)
        body = "\n\n".join(text.body for text in texts).format(**values, **notice.values)
        return Text(subject, body)
