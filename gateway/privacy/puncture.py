"""Moving a controller's key on, so that a wrapped key left in any copy no longer opens.

Deleting a wrapped key leaves traces in write-ahead logs, replicas and back-ups. So the key above
it goes instead. Each step is the state of a row and idempotent; a crash anywhere goes on with the
step that was not written yet (docs/design.md, Erasure, steps 2 to 6):

begun       the new version is recorded; then it is created in the provider
created     keys are written under the new version alone; then everything alive is re-wrapped
rewrapped   nothing that is kept is left on the old version; then the back-up of the
            keystore is renewed at every registered place, and waits for each
backed_up   then every living process lets go of the old version, and says so
dropped     then the provider destroys the old version, and every registered back-up of the
            provider's keys is replaced; it waits for each
destroyed   nothing opens what was wrapped under it alone

Erasures cause a puncture, or a rotation does; what is erased has left the keystore before, so both
take the same way. A controller has one at a time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import system
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.ids import new_id, now
from gateway.privacy.casekeys import place_of
from keys.errors import ProviderUnavailableError, UnsealError
from keys.keyring import Keyring
from storage import accounts, erasures, keystore, nodes
from storage.database import Database
from storage.erasures import Puncture
from storage.keystore import ControllerVersion, WrappedKey

BATCH = 200  # OpenBao refuses 500 in one call
STAY_SECONDS = 3.0
STRETCH = 25  # batches between two signs of life: the lease lasts longer than they take
FEW = 10  # keys that may all have been altered; more of them that fail are the provider's doing

Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


@dataclass(frozen=True, slots=True)
class Renewed:
    """Which registered places have confirmed, and which have not."""

    confirmed: Sequence[str]
    failed: Sequence[str]


class RegisteredPlaces(Protocol):
    """Where back-ups of the keystore and of the provider's keys lie (gateway/backup/places.py)."""

    async def renew(self) -> Renewed:
        """Make the keystore's back-up, and the keys that open it, durable at every place."""

    async def renew_keys(self) -> Renewed:
        """Replace the back-up of the provider's keys at every place for keys."""


@asynccontextmanager
async def _at_it(transaction: Transaction) -> AsyncIterator[None]:
    """Keep this node's turn while a step takes longer than its lease: a big keystore, a slow disk.

    Should it be lost all the same, the step was idempotent, and what it made is not entered.
    """
    done = asyncio.Event()

    async def stay() -> None:
        while not done.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(STAY_SECONDS):
                    await done.wait()
                return
            async with transaction():
                pass

    staying = asyncio.create_task(stay())
    try:
        yield
    finally:
        done.set()
        await asyncio.gather(staying, return_exceptions=True)


class Punctures:
    """Carries out punctures, one step at a time."""

    def __init__(
        self,
        main: Database,
        key_database: Database,
        keyring: Keyring,
        access: Access,
        node_id: str,
        places: RegisteredPlaces,
    ) -> None:
        """Work as node `node_id`; `places` are renewed in steps 4 and 6."""
        self._places = places
        self._main = main
        self._access = access
        self._keystore = key_database
        self._keyring = keyring
        self._node_id = node_id

    async def begin(
        self, transaction: Transaction, controller_id: str, erasure_ids: Sequence[str]
    ) -> Puncture | None:
        """Record one puncture for all of these erasures; None while another is under way."""
        async with transaction() as tx:
            await accounts.lock_controller(tx, controller_id)
            if await erasures.puncture_under_way(tx, controller_id) is not None:
                return None
            puncture = await self._record(tx, controller_id, "erasure", "system:erasure")
            for erasure_id in erasure_ids:
                await erasures.change(tx, erasure_id, puncture_id=puncture.id)
        return puncture

    async def rotate(self, tx: AsyncConnection, controller_id: str, requested_by: str) -> Puncture:
        """Record a rotation, or give the puncture that is under way, whatever it is for."""
        await accounts.lock_controller(tx, controller_id)
        under_way = await erasures.puncture_under_way(tx, controller_id)
        return under_way or await self._record(tx, controller_id, "rotation", requested_by)

    async def _record(
        self, tx: AsyncConnection, controller_id: str, cause: str, requested_by: str
    ) -> Puncture:
        # The controller's row is locked and nothing is under way, so its versions stay as read.
        async with self._keystore.reading() as connection:
            known = await keystore.versions(connection, controller_id)
        puncture = Puncture(
            id=new_id(),
            controller_id=controller_id,
            step="begun",
            old_version=next(version.version for version in known if version.state == "current"),
            new_version=max(version.version for version in known) + 1,
            cause=cause,
            requested_by=requested_by,
            created_at=now(),
        )
        await erasures.add_puncture(tx, puncture)
        return puncture

    async def carry_out(self, transaction: Transaction, puncture: Puncture) -> bool:
        """Go on until the old version is destroyed; False if that has to wait. See `advance`."""
        while puncture.step != "destroyed":
            if not await self.advance(transaction, puncture):
                return False
            async with self._main.reading() as connection:
                puncture = await erasures.get_puncture(connection, puncture.id)
        return True

    async def advance(self, transaction: Transaction, puncture: Puncture) -> bool:
        """Do the next step. False when it has to wait for other processes.

        Args:
            transaction: Begins a transaction in which it is still this node's turn.
            puncture: At the step it has reached.
        """
        steps = {
            "begun": self._create,
            "created": self._rewrap,
            "rewrapped": self._back_up,
            "backed_up": self._await_drops,
            "dropped": self._destroy,
        }
        async with _at_it(transaction):
            following = await steps[puncture.step](puncture)
        if following is None:
            return False
        if following == "destroyed":
            await self._finish(transaction, puncture)
            return True
        async with transaction() as tx:
            await erasures.change_puncture(tx, puncture.id, step=following)
        return True

    async def _finish(self, transaction: Transaction, puncture: Puncture) -> None:
        """Destroyed. A rotation ends in an event of the practice; erasures have their own."""
        target = Target("puncture", puncture.id)
        grant = (
            await self._access.authorise(system("rotation"), Action.KEY_ROTATE, target=target)
            if puncture.cause == "rotation"
            else None
        )
        async with transaction() as tx:
            await erasures.change_puncture(tx, puncture.id, step="destroyed", finished_at=now())
            if grant is not None:
                await self._access.outcome_in(
                    tx,
                    grant,
                    target,
                    controller_id=puncture.controller_id,
                    destroyed=puncture.old_version,
                    current=puncture.new_version,
                )

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

    async def _create(self, puncture: Puncture) -> str:
        controller_id, version = puncture.controller_id, puncture.new_version
        async with self._keystore.transaction() as tx:
            fresh = ControllerVersion(controller_id, version, "creating", now())
            await keystore.record_version(tx, fresh)
        await self._keyring.create(controller_id, version)
        async with self._keystore.transaction() as tx:
            await keystore.make_current(tx, controller_id, version)
        return "created"

    async def _rewrap(self, puncture: Puncture) -> str:
        # Nothing can be added under the old version any more (keystore.add checks under a lock),
        # so when this finds none left, none is left.
        old, new = puncture.old_version, puncture.new_version
        altered: set[tuple[str, str]] = set()
        for _ in range(STRETCH):
            async with self._keystore.reading() as connection:
                found = await keystore.under_version(
                    connection,
                    puncture.controller_id,
                    old,
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
        return "created"

    async def _move(self, rows: Sequence[WrappedKey], old: int, new: int) -> None:
        items = [(row.wrapped, place_of(row)) for row in rows]
        moved = await self._keyring.rewrap(old, new, items)
        async with self._keystore.transaction() as tx:
            await keystore.replace(tx, list(zip(rows, moved, strict=True)), new)

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

    async def _back_up(self, _puncture: Puncture) -> str | None:
        return None if (await self._places.renew()).failed else "backed_up"

    async def _await_drops(self, puncture: Puncture) -> str | None:
        await self.let_go()
        async with self._main.reading() as connection:
            holding = await nodes.still_holding(
                connection, puncture.controller_id, puncture.old_version, now()
            )
        return None if holding else "dropped"

    async def _destroy(self, puncture: Puncture) -> str | None:
        await self._keyring.destroy(puncture.controller_id, puncture.old_version)
        renewed = await self._places.renew_keys()
        if renewed.failed:
            # Gone from the provider, and perhaps not from that back-up of it: not destroyed yet.
            return None
        async with self._main.transaction() as tx:
            key_backups = json.dumps(list(renewed.confirmed))
            await erasures.change_puncture(tx, puncture.id, key_backups=key_backups)
        async with self._keystore.transaction() as tx:
            await keystore.mark_destroyed(tx, puncture.controller_id, puncture.old_version, now())
        return "destroyed"

    async def destroy_last(self, controller_id: str) -> bool:
        """Destroy what is left of a controller's key, under which nothing lives any more.

        Returns:
            Whether every registered back-up of the provider's keys confirmed it.
        """
        for version in await self._keyring.versions(controller_id):
            await self._keyring.destroy(controller_id, version)
        if (await self._places.renew_keys()).failed:
            return False
        async with self._keystore.transaction() as tx:
            for known in await keystore.versions(tx, controller_id):
                if known.state != "destroyed":
                    await keystore.mark_destroyed(tx, controller_id, known.version, now())
        return True
