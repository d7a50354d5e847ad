"""The composition root: a data directory set up, migrated, opened.

`gateway/wiring.py` makes the rooms of an opened one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.access.accounts import check_email
from gateway.access.policy import Role
from gateway.backup.errors import UnfinishedRestoreError
from gateway.backup.places import keep_recovery_key
from gateway.providers import open_provider, set_up_provider
from gateway.rooms import Rooms
from gateway.settings import Settings
from gateway.signingkeys import LogKeys, public_keys
from gateway.wiring import wire
from keys.errors import KeyringExistsError
from keys.recovery import RecoveryKey
from keys.signing import Verifier
from storage import accounts
from storage.accesslog.log import AccessLog
from storage.database import Database


@dataclass(frozen=True, slots=True)
class SetUp:
    """What a set-up gives out once.

    Attributes:
        log_key: The log's public key, a C2SP verifier key; it stands in `log.pub` as well.
        recovery: Opens back-ups. Here and now is the only time that it is anywhere.
    """

    log_key: str
    recovery: RecoveryKey = field(repr=False)


async def initialise(settings: Settings, passphrase: str, officer_email: str) -> SetUp:
    """Set up a data directory: databases, keyring, public keys, first privacy officer.

    What a crash leaves, the same call completes, with another recovery key.

    Raises:
        KeyringExistsError: The directory is set up already, or the provider holds other keys.
        PassphraseError: The passphrase cannot serve as one.
        ProviderUnavailableError: The provider cannot be reached, or does not let us in.
        InvalidInputError: The officer's e-mail address, or a setting of the provider.
        UnfinishedRestoreError: A restore into the directory broke off.
    """
    check_email(officer_email)
    if settings.restoring_path.exists():
        raise UnfinishedRestoreError(place=settings.data)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.data.chmod(0o700)
    await migrate(settings)
    await _check_unfinished(settings)
    await set_up_provider(settings, passphrase)
    recovery = RecoveryKey.generate()
    keep_recovery_key(settings, recovery)
    async with open_rooms(settings, passphrase) as rooms:
        await rooms.accounts.add_account(email=officer_email, role=Role.PRIVACY_OFFICER)
    return SetUp(settings.log_key_path.read_text().strip(), recovery)


async def _check_unfinished(settings: Settings) -> None:
    """Return if there is no set-up, or one that broke off before its first account.

    Raises:
        KeyringExistsError: The set-up is complete.
    """
    database = Database(settings.main_database, "main")
    try:
        async with database.reading() as connection:
            if await accounts.list_accounts(connection):
                raise KeyringExistsError(settings.data)
    finally:
        await database.close()


async def migrate(settings: Settings) -> None:
    """Bring both databases to this program's schema; safe to repeat."""
    for database in _databases(settings).values():
        try:
            await database.migrate()
        finally:
            await database.close()


@asynccontextmanager
async def open_rooms(settings: Settings, passphrase: str) -> AsyncIterator[Rooms]:
    """Open the key provider and wire everything; on leaving, write what waits and close.

    Raises:
        KeyringMissingError: `kluis init` was not run here.
        PassphraseError: Wrong passphrase.
        ProviderUnavailableError: The provider cannot be reached, or does not let us in.
        SchemaError: The database is older or newer than this program.
        UnfinishedRestoreError: A restore into the directory broke off.
    """
    if settings.restoring_path.exists():
        raise UnfinishedRestoreError(place=settings.data)
    async with AsyncExitStack() as stack:
        provider = await open_provider(settings, passphrase)
        stack.push_async_callback(provider.close)
        databases = _databases(settings)
        for database in databases.values():
            stack.push_async_callback(database.close)
            await database.check_schema()
        access_log = AccessLog(databases["database"])
        access_log.start()
        stack.push_async_callback(access_log.close)
        log_keys = LogKeys(settings.log_key_path, provider)
        await log_keys.refresh()
        rooms = wire(settings, databases, access_log, provider, log_keys)
        stack.push_async_callback(rooms.services.sign_on.close)
        yield rooms


def log_verifier(path: Path) -> Verifier:
    """The log's newest public key, from its file. Its name is the log's origin."""
    return public_keys(path).keys[0]


def _databases(settings: Settings) -> Mapping[str, Database]:
    return {
        "database": Database(settings.main_database, "main"),
        "keystore": Database(settings.keystore_database, "keystore"),
    }
