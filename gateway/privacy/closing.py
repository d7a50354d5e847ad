"""The end of a client: every case erased, every version of its key destroyed, its people shut out.

One request of the operator, to which a privacy officer agrees. Each case gets its own erasure and
certificate; the client's goes along in the same puncture with the index key, and ends last: when
all others are done, what is left of the key is destroyed as well (privacy/erasure.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action, Role
from gateway.access.second import Credentials, SecondPerson
from gateway.errors import InvalidInputError
from gateway.ids import new_id, now
from gateway.privacy.reasons import check_reason
from storage import accounts, cases, erasures
from storage.accounts import Account
from storage.database import Database
from storage.erasures import Erasure


class Closing:
    """Takes the request in."""

    def __init__(
        self,
        main: Database,
        access: Access,
        second: SecondPerson,
        requested: Callable[[], None],
    ) -> None:
        """`requested` is called when there is something to carry out."""
        self._main = main
        self._access = access
        self._second = second
        self._requested = requested

    async def close(
        self, actor: Actor, controller_id: str, reason: str, given: Credentials | None
    ) -> str:
        """Begin the end of a client; asking again gives the same one.

        Returns:
            The id of the request, which all its erasures share.

        Raises:
            InvalidInputError: No reason, no such client, or no second person.
            LoginFailedError: The second person's password is not right.
        """
        check_reason(reason)
        async with self._main.reading() as connection:
            if await accounts.get_controller(connection, controller_id) is None:
                raise InvalidInputError(field="client", reason="there is no client of this id")
            if (known := await erasures.of_client(connection, controller_id)) is not None:
                return known.request_id
        target = Target("controller", controller_id)
        grant = await self._access.authorise(actor, Action.CONTROLLER_ERASE, target=target)
        second = await self._second.agree(
            actor, Action.CONTROLLER_ERASE, given, Role.PRIVACY_OFFICER
        )
        asked = _asked(actor, controller_id, reason, second)
        async with self._main.transaction() as tx:
            # Who begins a case holds this row as well: none slips in behind.
            await accounts.lock_controller(tx, controller_id)
            if (known := await erasures.of_client(tx, controller_id)) is not None:
                return known.request_id
            await erasures.add(tx, asked)
            count = await self._erase_cases(tx, asked)
            await accounts.close_controller(tx, controller_id, now())
            await self._access.outcome_in(
                tx, grant, target, controller_id=controller_id, cases=count, erasure=asked.id
            )
        self._requested()
        return asked.id

    @staticmethod
    async def _erase_cases(tx: AsyncConnection, asked: Erasure) -> int:
        """Every case that nobody erases yet, and those that wait; how many."""
        count = 0
        for case in await cases.of_controller(tx, asked.controller_id):
            await cases.lock(tx, case.id)
            known = await erasures.of_case(tx, case.id)
            if known is None:
                await erasures.add(tx, asked.of_case(new_id(), case.id, case.key_id))
            elif not await erasures.start(
                tx, known.id, second_by=asked.second_by, request_id=asked.request_id
            ):
                continue
            await cases.freeze(tx, case.id, now())
            count += 1
        return count

    async def certificates(self, request_id: str) -> Sequence[Erasure] | None:
        """What the request ended in, each with its certificate; None while it is under way."""
        async with self._main.reading() as connection:
            found = await erasures.of_request(connection, request_id)
        return found if all(erasure.step == "done" for erasure in found) else None


def _asked(actor: Actor, controller_id: str, reason: str, second: Account | None) -> Erasure:
    """The end of a client: the key that must open nothing afterwards is its index key."""
    asked_id = new_id()
    return Erasure(
        id=asked_id,
        request_id=asked_id,
        kind="client",
        controller_id=controller_id,
        case_id=None,
        step="frozen",
        requested_by=actor.id,
        requested_at=now(),
        reason=reason,
        key_id=controller_id,
        second_by=None if second is None else second.id,
    )
