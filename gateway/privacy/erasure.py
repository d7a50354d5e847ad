"""Carrying out erasures, whatever they are of: puncture, prove, delete, certify.

Each step is the state of the request's row and idempotent; a crash anywhere goes on with the
step that was not written yet. Waiting erasures of one controller share one puncture. The steps
of docs/design.md, and the row's state once they are done:

1     freeze the case, or leave what is to be gone behind under its key          frozen
      its wrapped key is kept as evidence for 7, and leaves the keystore
2-6   move the controller's key on (privacy/puncture.py)                         punctured
7     the evidence no longer opens under anything (7 to the end: ending.py)      proved
8     delete blobs, keys, rows                                                   deleted
9     commit `erased` with the hash of the certificate's body                    recorded
      wait for the checkpoint, attach the proof, sign                            done
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ids import now
from gateway.privacy.ending import Ending
from gateway.privacy.evidence import Evidence
from gateway.privacy.puncture import Punctures
from storage import cases, erasures, leases
from storage.database import Database
from storage.erasures import Erasure
from storage.errors import LeaseLostError
from storage.leases import Lease

LEASE = "erasure"
LEASE_TIME = timedelta(seconds=10)
POLL_SECONDS = 1.0
WAIT_SECONDS = 0.1

log = structlog.get_logger()


class Erasures:
    """Carries out what instructions.py, corrections.py and closing.py took in."""

    def __init__(
        self,
        *,
        main: Database,
        key_database: Database,
        punctures: Punctures,
        ending: Ending,
        node_id: str,
    ) -> None:
        """Work as node `node_id`; one node at a time carries out."""
        self.requested = asyncio.Event()
        self._main = main
        self._evidence = Evidence(main, key_database)
        self._punctures = punctures
        self._ending = ending
        self._node_id = node_id
        self._lease: Lease | None = None

    async def run(self) -> None:
        """Carry out what is asked, until cancelled."""
        while True:
            pause = POLL_SECONDS
            try:
                if await self.advance():
                    pause = WAIT_SECONDS
            except Exception as error:  # noqa: BLE001 - the state of the rows is kept: try again
                log.error("erasure_failed", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.requested.wait()
            self.requested.clear()

    async def advance(self) -> bool:
        """Take every unfinished erasure one step further, if it is this node's turn.

        Returns:
            Whether any was left.
        """
        async with self._main.reading() as connection:
            waited = await erasures.due(connection, now())
            unfinished = await erasures.unfinished(connection)
            punctures = await erasures.unfinished_punctures(connection)
        rotations = [puncture for puncture in punctures if puncture.cause == "rotation"]
        if not unfinished and not rotations and not waited:
            return False
        holder = f"{self._node_id}/erasure"
        self._lease = await leases.acquire(self._main, LEASE, holder, LEASE_TIME, now())
        if self._lease is None:
            return False
        for erasure in waited:
            with self._alone(erasure.controller_id):
                await self._start(erasure)
        for puncture in rotations:
            with self._alone(puncture.controller_id):
                await self._punctures.carry_out(self._transaction, puncture)
        by_controller: dict[str, list[Erasure]] = defaultdict(list)
        for erasure in unfinished:
            if erasure.step == "frozen":
                by_controller[erasure.controller_id].append(erasure)
            else:
                with self._alone(erasure.controller_id):
                    await self._ending.go_on(self._transaction, erasure)
        for controller_id, waiting in by_controller.items():
            with self._alone(controller_id):
                await self._puncture(controller_id, waiting)
        return True

    async def _start(self, erasure: Erasure) -> None:
        """The time is over in which a second person could have said something."""
        async with self._transaction() as tx:
            await cases.lock(tx, erasure.case_id or "")
            if await erasures.start(tx, erasure.id):
                await cases.freeze(tx, erasure.case_id or "", now())

    async def leave(self) -> None:
        """Let another node have its turn at once. Nothing is carried out any more.

        The database may be what we are stopping for; the lease then runs out by itself.
        """
        if self._lease is not None:
            with suppress(SQLAlchemyError, OSError):
                await leases.release(self._main, self._lease)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction of a node whose turn it still is.

        Raises:
            LeaseLostError: Another node took over; nothing is written.
        """
        if self._lease is None:
            raise LeaseLostError(LEASE)
        async with self._main.transaction() as tx:
            await leases.hold(tx, self._lease, now())
            await leases.extend(tx, self._lease, now() + LEASE_TIME)
            yield tx

    @staticmethod
    @contextmanager
    def _alone(controller_id: str) -> Iterator[None]:
        """What fails for one practice holds up no other; its rows' state is kept: try again."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above
            log.error("erasure_failed", controller=controller_id, error=type(error).__name__)

    async def _puncture(self, controller_id: str, waiting: list[Erasure]) -> None:
        """One puncture at a time; erasures asked for meanwhile share the next one."""
        under_way = next((e.puncture_id for e in waiting if e.puncture_id), None)
        if under_way is None:
            for erasure in waiting:
                await self._evidence.take(self._transaction, erasure)
            started = await self._punctures.begin(
                self._transaction, controller_id, [e.id for e in waiting]
            )
            if started is None:
                return  # a rotation is under way
            under_way = started.id
        async with self._main.reading() as connection:
            puncture = await erasures.get_puncture(connection, under_way)
            served = await erasures.of_puncture(connection, under_way)
        if not await self._punctures.carry_out(self._transaction, puncture):
            return
        async with self._transaction() as tx:
            for erasure in served:
                await erasures.change(tx, erasure.id, step="punctured")
