"""Keys under a controller's key: made, stored wrapped, opened.

A wrapped key is written under the current version of its controller's key alone; the keystore
checks this under a row lock, so that no key slips in behind a puncture (privacy/puncture.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import UnavailableError
from gateway.ids import now
from keys.context import Context, Purpose
from keys.errors import UnknownKeyVersionError, UnsealError
from keys.keyring import Keyring
from keys.secret import SecretKey
from storage import keystore
from storage.database import Database
from storage.errors import StaleKeyVersionError
from storage.keystore import ControllerVersion, WrappedKey

TRIES = 8  # a puncture moves the version on once; several in a row are possible, many are not


class ControllerKeys:
    """Wraps keys under controllers' keys, and opens them again."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        """Wrapped keys live in `database` (the keystore), controller keys in `keyring`."""
        self._keystore = database
        self._keyring = keyring

    async def create(self, controller_id: str) -> None:
        """Make version 1 of a controller's key, durably; one that is there is left alone."""
        async with self._keystore.transaction() as tx:
            first = ControllerVersion(controller_id, 1, "creating", now())
            await keystore.record_version(tx, first)
        await self._keyring.create(controller_id, 1)
        async with self._keystore.transaction() as tx:
            await keystore.make_current(tx, controller_id, 1)

    async def create_if_none(self, controller_id: str) -> None:
        """Make version 1 of a key unless the controller has one, whatever its version."""
        async with self._keystore.reading() as connection:
            current = await keystore.current_version(connection, controller_id)
        if current is None:
            await self.create(controller_id)

    async def store(
        self,
        secret: SecretKey,
        place: Context,
        beside: Sequence[WrappedKey] = (),
        *,
        behind: str | None = None,
    ) -> None:
        """Store a key, and other rows with it; not behind a case key that was taken away.

        Raises:
            UnavailableError: The controller has no current key, or the key behind is gone.
        """
        for _ in range(TRIES):
            async with self._keystore.reading() as connection:
                version = await keystore.current_version(connection, place.controller_id)
            if version is None:
                break
            try:
                wrapped = await self._keyring.wrap(version, secret, place)
                async with self._keystore.transaction() as tx:
                    # The version's row is held before the key's, as a puncture holds them.
                    for row in (row_of(place, version, wrapped), *beside):
                        await keystore.add(tx, row)
                    if behind and not await keystore.hold(tx, Purpose.CASE_KEY, behind):
                        raise UnavailableError  # and nothing was added
            except (StaleKeyVersionError, UnknownKeyVersionError):
                continue  # the controller's key moved on in between: wrap under the new version
            return
        raise UnavailableError

    async def open(self, place: Context) -> SecretKey:
        """The key of a place.

        Raises:
            UnsealError: The stored key was altered, swapped or taken away.
        """
        for _ in range(TRIES):
            row = await self.row(place)
            if row.version is None:
                raise UnsealError
            try:
                return await self._keyring.unwrap(row.version, row.wrapped, place)
            except UnknownKeyVersionError:
                continue  # re-wrapped in between, unless its version was altered
        raise UnsealError

    async def row(self, place: Context, under: str = "") -> WrappedKey:
        """The stored key of a place. Raises UnsealError if there is none."""
        async with self._keystore.reading() as connection:
            row = await keystore.get(connection, place.purpose, place.object_id, under)
        if row is None:
            raise UnsealError  # of a living case it was taken away
        return row


def row_of(place: Context, version: int | None, wrapped: bytes, under: str = "") -> WrappedKey:
    """A wrapped key as it is stored."""
    return WrappedKey(
        purpose=place.purpose,
        object_id=place.object_id,
        controller_id=place.controller_id,
        case_id=place.case_id or None,
        version=version,
        wrapped=wrapped,
        created_at=now(),
        under=under,
    )
