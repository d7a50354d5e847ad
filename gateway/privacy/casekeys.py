"""The keys of controllers, cases, uploads and files: made, stored wrapped, and opened by Grant."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gateway.access.controllerkeys import ControllerKeys, row_of
from gateway.access.grants import Access, Grant, Target
from gateway.ids import new_id
from keys import envelope
from keys.context import Context, Purpose
from keys.errors import UnsealError
from keys.keyring import Keyring
from keys.secret import SecretKey
from storage import keystore
from storage.cases import Case
from storage.database import Database
from storage.keystore import WrappedKey


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case whose key is at hand: opens and seals its records, and the keys of its files.

    `event_id` is the logged event that allowed it, `key_id` the key's own name.
    """

    controller_id: str
    id: str
    key_id: str
    event_id: str
    key: SecretKey = field(repr=False)

    def seal(self, name: str, value: bytes) -> bytes:
        """Seal a record, such as "identity"; bound to the case and the name."""
        return envelope.seal(self._record_key(), value, self._place(name))

    def unseal(self, name: str, sealed: bytes) -> bytes:
        """Open a record. Raises keys.errors.UnsealError."""
        return envelope.unseal(self._record_key(), sealed, self._place(name))

    def _record_key(self) -> SecretKey:
        return envelope.record_key(self.key, self.controller_id, self.id)

    def _place(self, name: str) -> Context:
        return Context(Purpose.RECORD, self.controller_id, self.id, name)


class CaseKeys:
    """Makes and opens keys. Opening takes a Grant."""

    def __init__(
        self, database: Database, keyring: Keyring, access: Access, claim: Callable[[str], None]
    ) -> None:
        """Wrapped keys live in `database` (the keystore), controller keys in `keyring`.

        `claim` is told, for every file key that is opened, which event allowed it.
        """
        self._keystore = database
        self._claim = claim
        self._access = access
        self._keyring = keyring
        self._keys = ControllerKeys(database, keyring)

    async def check(self) -> None:
        """Return if keys can be opened now. Raises as keys.providers.KeyProvider.check."""
        await self._keyring.check()

    async def create_controller(self, controller_id: str) -> None:
        """Make version 1 of a controller's key, and its index key."""
        await self._keys.create(controller_id)
        place = Context(Purpose.INDEX_KEY, controller_id, object_id=controller_id)
        await self._keys.store(SecretKey.generate(), place)

    async def create_case(self, grant: Grant, controller_id: str, case_id: str) -> OpenCase:
        """Make the key of a new case, durably. Without a row it is an orphan, and swept."""
        # The first key of a case bears the case's own id.
        opened = OpenCase(controller_id, case_id, case_id, grant.event_id, SecretKey.generate())
        await self._keys.store(opened.key, _case_key(opened))
        return opened

    async def renew(self, opened: OpenCase, blob_ids: Collection[str]) -> OpenCase:
        """Make another key of a case, durably, and wrap the keys of these objects under it as well.

        The case goes on under its own key until its row names the other one. Without that the
        other one is an orphan, and swept. A file key that does not open is left out: whoever
        wants that file is told, and it is logged then.

        Raises:
            UnavailableError: The key at hand was taken away meanwhile; nothing was made.
        """
        fresh = replace(opened, key_id=new_id(), key=SecretKey.generate())
        async with self._keystore.reading() as connection:
            rows = await keystore.under_key(connection, opened.key_id)
        moved = []
        for row in rows:
            if row.object_id in blob_ids:
                place = _file_key(opened, row.object_id)
                with suppress(UnsealError):
                    wrapped = self._keyring.rewrap_file_key(
                        opened.key, fresh.key, row.wrapped, place
                    )
                    moved.append(row_of(place, None, wrapped, fresh.key_id))
        await self._keys.store(fresh.key, _case_key(fresh), moved, behind=opened.key_id)
        return fresh

    async def is_there(self, opened: OpenCase) -> bool:
        """Whether the case key is (still) stored."""
        async with self._keystore.reading() as connection:
            row = await keystore.get(connection, Purpose.CASE_KEY, opened.key_id)
        return row is not None

    async def open_case(self, grant: Grant) -> OpenCase:
        """Open the case that the Grant is for.

        Raises:
            IntegrityFailedError: The stored key was altered, swapped or taken away; logged.
        """
        case = grant.case
        place = Context(Purpose.CASE_KEY, case.controller_id, case.id, case.key_id)
        async with self._access.watching(grant, Target("case", case.id)):
            key = await self._keys.open(place)
        return OpenCase(case.controller_id, case.id, case.key_id, grant.event_id, key)

    async def index_key(self, grant: Grant, controller_id: str) -> SecretKey:
        """The key of this controller's blind indexes. Raises as `open_case`."""
        place = Context(Purpose.INDEX_KEY, controller_id, object_id=controller_id)
        async with self._access.watching(grant, Target("controller", controller_id)):
            return await self._keys.open(place)

    async def create_upload_key(self, grant: Grant, file_id: str) -> None:
        """Make the key that seals an upload's parts; it dies with the upload."""
        await self._keys.store(SecretKey.generate(), self._upload(grant.case, file_id))

    async def upload_key(self, grant: Grant, file_id: str) -> SecretKey:
        """The key of an upload in quarantine. Raises as `open_case`."""
        async with self._access.watching(grant, Target("file", file_id)):
            return await self._keys.open(self._upload(grant.case, file_id))

    async def drop_upload_key(self, file_id: str) -> None:
        """Delete an upload's key: what is left of its parts does not open; idempotent."""
        async with self._keystore.transaction() as tx:
            await keystore.remove(tx, Purpose.UPLOAD_KEY, file_id)

    async def add_file_key(self, open_case: OpenCase, blob_id: str, key: SecretKey) -> None:
        """Keep the key of one stored object that is durable already."""
        place = _file_key(open_case, blob_id)
        wrapped = self._keyring.wrap_file_key(open_case.key, key, place)
        async with self._keystore.transaction() as tx:
            await keystore.add(tx, row_of(place, None, wrapped, open_case.key_id))

    async def file_key(self, open_case: OpenCase, blob_id: str) -> SecretKey:
        """The key of one stored object.

        Raises:
            UnsealError: The stored key was altered, swapped or taken away.
        """
        place = _file_key(open_case, blob_id)
        row = await self._keys.row(place, open_case.key_id)
        key = self._keyring.unwrap_file_key(open_case.key, row.wrapped, place)
        self._claim(open_case.event_id)
        return key

    async def drop_file_key(self, blob_id: str) -> None:
        """Delete the key of one stored object; idempotent."""
        async with self._keystore.transaction() as tx:
            await keystore.remove(tx, Purpose.FILE_KEY, blob_id)

    @staticmethod
    def _upload(case: Case, file_id: str) -> Context:
        return Context(Purpose.UPLOAD_KEY, case.controller_id, case.id, file_id)


def _case_key(opened: OpenCase) -> Context:
    return Context(Purpose.CASE_KEY, opened.controller_id, opened.id, opened.key_id)


def _file_key(opened: OpenCase, blob_id: str) -> Context:
    return Context(Purpose.FILE_KEY, opened.controller_id, opened.id, blob_id)


def place_of(row: WrappedKey) -> Context:
    """The place that a stored key is bound to."""
    return Context(Purpose(row.purpose), row.controller_id, row.case_id or "", row.object_id)


def file_context(controller_id: str, case_id: str, file_id: str, blob_id: str) -> Context:
    """The place an object in the vault is bound to: the file it is, at this attempt."""
    return Context(Purpose.FILE, controller_id, case_id, f"{file_id}/{blob_id}")
