"""Moving a controller's key on, so that a wrapped key left in any copy no longer opens.

Deleting a wrapped key leaves traces in write-ahead logs, replicas and back-ups. So the key above
it goes instead. Each step is the state of a row and idempotent; a crash anywhere goes on with the
step that was not written yet (docs/design.md, Erasure, steps 2 to 6):

begun       the new version is recorded; then it is created in the provider
created     keys are written under the new version alone; then everything alive is re-wrapped
rewrapped   nothing but the erased cases is left on the old version; then back-ups of the keystore
            are renewed at every registered place (none is registered in the embedded default)
backed_up   then every living process lets go of the old version, and says so
dropped     then the provider destroys the old version
destroyed   nothing opens what was wrapped under it alone
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import system
from gateway.access.grants import Access
from gateway.access.policy import Action
from gateway.ids import new_id, now
from gateway.privacy.casekeys import place_of
from keys.errors import ProviderUnavailableError, UnsealError
from keys.keyring import Keyring
from storage import erasures, keystore, nodes
from storage.database import Database
from storage.erasures import Puncture
from storage.keystore import ControllerVersion, WrappedKey

BATCH = 200  # OpenBao refuses 500 in one call
FEW = 10  # keys that may all have been altered; more of them that fail are the provider's doing

Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


class Punctures:
    """Carries out punctures, one step at a time."""

    def __init__(
        self,
        main: Database,
        key_database: Database,
        keyring: Keyring,
        access: Access,
        node_id: str,
    ) -> None:
        """Work as node `node_id`."""
        self._main = main
        self._access = access
        self._keystore = key_database
        self._keyring = keyring
        self._node_id = node_id

    async def begin(
        self, transaction: Transaction, controller_id: str, erasure_ids: Sequence[str]
    ) -> Puncture:
        """Record one puncture that serves all of these erasures."""
        async with self._keystore.reading() as connection:
            known = await keystore.versions(connection, controller_id)
        current = next(version.version for version in known if version.state == "current")
        puncture = Puncture(
            id=new_id(),
            controller_id=controller_id,
            step="begun",
            old_version=current,
            new_version=max(version.version for version in known) + 1,
            created_at=now(),
        )
        async with transaction() as tx:
            await erasures.add_puncture(tx, puncture)
            for erasure_id in erasure_ids:
                await erasures.change(tx, erasure_id, puncture_id=puncture.id)
        return puncture

    async def advance(
        self, transaction: Transaction, puncture: Puncture, erased_cases: Sequence[str]
    ) -> bool:
        """Do the next step. False when it has to wait for other processes.

        Args:
            transaction: Begins a transaction in which it is still this node's turn.
            puncture: At the step it has reached.
            erased_cases: Those whose keys are left behind.
        """
        steps = {
            "begun": self._create,
            "created": self._rewrap,
            "rewrapped": self._back_up,
            "backed_up": self._await_drops,
            "dropped": self._destroy,
        }
        following = await steps[puncture.step](puncture, erased_cases)
        if following is None:
            return False
        finished = now() if following == "destroyed" else None
        async with transaction() as tx:
            await erasures.change_puncture(tx, puncture.id, step=following, finished_at=finished)
        return True

    async def let_go(self) -> None:
        """Drop, in this process, every version that is on its way out, and say so."""
        async with self._main.reading() as connection:
            leaving = [
                puncture
                for puncture in await erasures.punctures_at(connection, "backed_up")
                if not await nodes.has_dropped(
                    connection, self._node_id, puncture.controller_id, puncture.old_version
                )
            ]
        for puncture in leaving:
            await self._keyring.forget(puncture.controller_id, puncture.old_version)
            async with self._main.transaction() as tx:
                await nodes.dropped(tx, self._node_id, puncture.controller_id, puncture.old_version)

    async def _create(self, puncture: Puncture, _erased: Sequence[str]) -> str:
        controller_id, version = puncture.controller_id, puncture.new_version
        async with self._keystore.transaction() as tx:
            fresh = ControllerVersion(controller_id, version, "creating", now())
            await keystore.record_version(tx, fresh)
        await self._keyring.create(controller_id, version)
        async with self._keystore.transaction() as tx:
            await keystore.make_current(tx, controller_id, version)
        return "created"

    async def _rewrap(self, puncture: Puncture, erased: Sequence[str]) -> str:
        # Nothing can be added under the old version any more (keystore.add checks under a lock),
        # so when this finds none left, none is left.
        old, new = puncture.old_version, puncture.new_version
        altered: set[tuple[str, str]] = set()
        while True:
            async with self._keystore.reading() as connection:
                found = await keystore.under_version(
                    connection,
                    puncture.controller_id,
                    old,
                    but_cases=erased,
                    limit=BATCH + len(altered),
                )
            left = [row for row in found if (row.purpose, row.object_id) not in altered]
            if not left:
                return "rewrapped"
            try:
                await self._move(left, old, new)
            except UnsealError:
                bad = {one for row in left for one in await self._move_alone(row, old, new)}
                if len(bad) == len(left) > FEW:
                    # That so many were altered is less likely than that the provider errs, and
                    # what is left behind is destroyed. Somebody has to look.
                    raise ProviderUnavailableError(
                        "every living key of a practice was refused",
                        "see that its key in the provider opens what it wrapped; then restart",
                    ) from None
                altered |= bad

    async def _move(self, rows: Sequence[WrappedKey], old: int, new: int) -> None:
        items = [(row.wrapped, place_of(row)) for row in rows]
        moved = await self._keyring.rewrap(old, new, items)
        async with self._keystore.transaction() as tx:
            for row, wrapped in zip(rows, moved, strict=True):
                await keystore.replace(tx, row, wrapped, new)

    async def _move_alone(self, row: WrappedKey, old: int, new: int) -> list[tuple[str, str]]:
        """Move one key of a batch in which something was altered; what was is named, and logged.

        It opens nothing any more, and is left behind: it must not hold up an erasure.
        """
        try:
            await self._move([row], old, new)
        except UnsealError:
            await self._access.note(
                system("puncture"),
                Action.INTEGRITY_ALARM,
                refused=True,
                key=row.object_id,
                purpose=row.purpose,
            )
            return [(row.purpose, row.object_id)]
        return []

    async def _back_up(self, _puncture: Puncture, _erased: Sequence[str]) -> str:
        # No place is registered for back-ups of the keystore: there is nothing to renew.
        return "backed_up"

    async def _await_drops(self, puncture: Puncture, _erased: Sequence[str]) -> str | None:
        await self.let_go()
        async with self._main.reading() as connection:
            holding = await nodes.still_holding(
                connection, puncture.controller_id, puncture.old_version, now()
            )
        return None if holding else "dropped"

    async def _destroy(self, puncture: Puncture, _erased: Sequence[str]) -> str:
        await self._keyring.destroy(puncture.controller_id, puncture.old_version)
        async with self._keystore.transaction() as tx:
            await keystore.mark_destroyed(tx, puncture.controller_id, puncture.old_version, now())
        return "destroyed"
