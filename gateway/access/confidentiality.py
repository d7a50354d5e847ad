"""Reading and confirming the duty of confidentiality. It is enforced in access/grants.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.access import duty
from gateway.access.actors import Actor
from gateway.access.grants import Access
from gateway.access.policy import Action
from gateway.errors import InvalidInputError, NotFoundError
from gateway.ids import now
from storage import accounts
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Confirmation:
    """When somebody last confirmed the duty as it reads now, and until when that counts."""

    confirmed_at: datetime | None
    until: datetime | None


class Confidentiality:
    """What one does with one's own duty."""

    def __init__(self, main: Database, access: Access) -> None:
        """Accounts live in `main`."""
        self._main = main
        self._access = access

    async def view(self, actor: Actor) -> Confirmation:
        """When one confirmed."""
        await self._access.authorise(actor, Action.CONFIDENTIALITY_VIEW)
        return await self._of(actor)

    async def confirm(self, actor: Actor, version: int) -> Confirmation:
        """Confirm; from here on, for a year, cases can be worked on.

        Raises:
            InvalidInputError: It is not the version that holds: read it again.
        """
        grant = await self._access.authorise(actor, Action.CONFIDENTIALITY_CONFIRM)
        if version != duty.VERSION:
            raise InvalidInputError(field="version", reason="read the text again; it has changed")
        async with self._main.transaction() as tx:
            await accounts.confirm_confidentiality(tx, actor.id, version, now())
            await self._access.outcome_in(tx, grant, version=version)
        return await self._of(actor)

    async def _of(self, actor: Actor) -> Confirmation:
        async with self._main.reading() as connection:
            account = await accounts.get_account(connection, actor.id)
        if account is None:
            raise NotFoundError
        until = duty.confirmed_until(account)
        return Confirmation(None if until is None else account.confidential_at, until)
