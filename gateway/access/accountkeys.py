"""One key per account: seals what belongs to the person alone, such as the secret of their codes.

It lies in the keystore under the key of their practice, and so ends with the practice. The keys of
the processor's own people lie under the key of a controller that is no practice, HOUSE.
"""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from gateway.access.controllerkeys import ControllerKeys
from gateway.ids import now
from keys import envelope
from keys.context import Context, Purpose
from keys.errors import UnsealError
from keys.secret import SecretKey
from storage import keystore
from storage.accounts import Account
from storage.database import Database

HOUSE = "house"
"""The controller whose key wraps those of the processor's own people; ids have another shape."""


class AccountKeys:
    """Seals and opens under accounts' keys."""

    def __init__(self, database: Database, keys: ControllerKeys) -> None:
        """Wrapped keys live in `database` (the keystore)."""
        self._keystore = database
        self._keys = keys

    async def seal(self, account: Account, object_id: str, value: bytes) -> bytes:
        """Seal a value, bound to the account's controller and to an id; makes the key if need be.

        Raises:
            UnavailableError: The controller has no key now.
            UnsealError: The account's key was altered or swapped.
        """
        place = place_of(account)
        if not await self._is_there(place):
            await self._create(place)
        return envelope.seal(await self._keys.open(place), value, _value(place, object_id))

    async def unseal(self, account: Account, object_id: str, sealed: bytes) -> bytes:
        """Open a value. Raises keys.errors.UnsealError."""
        place = place_of(account)
        return envelope.unseal(await self._keys.open(place), sealed, _value(place, object_id))

    async def drop(self, account_id: str) -> None:
        """Delete the key of an account that was closed, and note that for a restore; idempotent.

        What it sealed does not open again.
        """
        async with self._keystore.transaction() as tx:
            await keystore.enter_closed(tx, {account_id: now()})
            await keystore.remove(tx, Purpose.ACCOUNT_KEY, account_id)

    async def _is_there(self, place: Context) -> bool:
        async with self._keystore.reading() as connection:
            return await keystore.get(connection, place.purpose, place.object_id) is not None

    async def _create(self, place: Context) -> None:
        if place.controller_id == HOUSE:
            await self._keys.create_if_none(HOUSE)
        try:
            await self._keys.store(SecretKey.generate(), place)
        except IntegrityError:
            if not await self._is_there(place):  # somebody else made it in the same moment
                raise


def place_of(account: Account) -> Context:
    """The place that an account's key is bound to."""
    controller_id = account.controller_id or HOUSE
    return Context(Purpose.ACCOUNT_KEY, controller_id, object_id=account.id)


def opens(key: SecretKey, account: Account, object_id: str, sealed: bytes) -> bool:
    """Whether what is kept is what was sealed under this account's key, for that id."""
    try:
        envelope.unseal(key, sealed, _value(place_of(account), object_id))
    except UnsealError:
        return False
    return True


def _value(place: Context, object_id: str) -> Context:
    return Context(Purpose.FACTOR, place.controller_id, object_id=f"{place.object_id}/{object_id}")
