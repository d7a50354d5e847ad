"""The letters that did not leave: seen by whoever can do something about it, and sent again."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.errors import NotFoundError, WrongStateError
from gateway.ids import now
from storage import notices
from storage.database import Database
from storage.notices import Notice


class Letters:
    """What waits to leave, and what is dead."""

    def __init__(self, main: Database, access: Access) -> None:
        """Notices live in `main`."""
        self._main = main
        self._access = access

    async def list(
        self, actor: Actor, *, dead: bool | None, before: str | None, limit: int
    ) -> Sequence[Notice]:
        """Those that did not leave yet, the newest first; arguments as in storage.notices."""
        grant = await self._access.authorise(actor, Action.DELIVERY_LIST)
        async with self._main.reading() as connection:
            found = await notices.list_notices(connection, dead=dead, before=before, limit=limit)
        await self._access.outcome(grant, deliveries=[notice.id for notice in found])
        return found

    async def retry(self, actor: Actor, notice_id: str) -> Notice:
        """Have a dead one tried again, as if it were new.

        Raises:
            NotFoundError: There is none of this id; it may have left.
            WrongStateError: It is not dead: it is tried anyway.
        """
        grant = await self._access.authorise(
            actor, Action.DELIVERY_RETRY, target=Target("notice", notice_id)
        )
        async with self._main.transaction() as tx:
            revived = await notices.revive(tx, notice_id, now())
            notice = await notices.get(tx, notice_id)
            if notice is None:
                raise NotFoundError
            if not revived:
                raise WrongStateError(needed="dead", state="waiting")
            await self._access.outcome_in(tx, grant, kind=notice.kind)
            return notice
