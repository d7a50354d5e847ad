"""The composition root: settings to objects to routes. The only place that wires.

What one room needs of the other is handed in here: the log's sequencer gets a signer, the keyring
a counter of unwraps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.access.accounts import Accounts, check_email
from gateway.access.grants import Access
from gateway.access.passwords import Passwords
from gateway.access.policy import Role
from gateway.access.sessions import Sessions
from gateway.api.context import Services
from gateway.cosigning import Cosigning, Witness
from gateway.exports.sink import SyslogSink
from gateway.exports.syslog import Receiver
from gateway.ids import new_id, now
from gateway.inspection.workers.pool import WorkerPool
from gateway.intake.inspector import Inspector
from gateway.intake.sweep import Sweeper
from gateway.intake.uploads import Uploads
from gateway.privacy.casekeys import CaseKeys
from gateway.privacy.cases import Cases
from gateway.privacy.erasure import Erasures
from gateway.privacy.heartbeat import Heartbeat
from gateway.privacy.patients import Patients
from gateway.privacy.puncture import Punctures
from gateway.providers import open_provider, set_up_provider
from gateway.reconcile import Reconciliation
from gateway.release.content import Release
from gateway.retention import Retention
from gateway.settings import Settings
from keys.context import Purpose
from keys.errors import KeyringExistsError
from keys.keyring import Keyring
from keys.signing import SigningKey, Verifier
from storage import accounts
from storage.accesslog.log import AccessLog
from storage.accesslog.sequencer import Sequencer
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from storage.reserve import DiskReserve


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything wired: what the operator's commands use, and what serving runs."""

    settings: Settings
    main: Database
    keystore: Database
    keyring: Keyring
    unwraps: Counter[Purpose]
    reconciliation: Reconciliation
    retention: Retention
    blobs: LocalBlobStore
    access_log: AccessLog
    sequencer: Sequencer
    cosigning: Cosigning
    syslog: SyslogSink | None
    accounts: Accounts
    heartbeat: Heartbeat
    sweeper: Sweeper
    erasures: Erasures
    inspector: Inspector
    pool: WorkerPool
    services: Services


async def initialise(settings: Settings, passphrase: str, officer_email: str) -> str:
    """Set up a data directory: databases, keyring, public keys, first privacy officer.

    What a crash leaves, the same call completes.

    Returns:
        The log's public key, a C2SP verifier key; it stands in `log.pub` as well.

    Raises:
        KeyringExistsError: The directory is set up already, or the provider holds other keys.
        PassphraseError: The passphrase cannot serve as one.
        ProviderUnavailableError: The provider cannot be reached, or does not let us in.
        InvalidInputError: The officer's e-mail address, or a setting of the provider.
    """
    check_email(officer_email)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.data.chmod(0o700)
    await migrate(settings)
    await _check_unfinished(settings)
    await set_up_provider(settings, passphrase)
    async with open_rooms(settings, passphrase) as rooms:
        await rooms.accounts.add_account(email=officer_email, role=Role.PRIVACY_OFFICER)
    return settings.log_key_path.read_text().strip()


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
    """
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
        unwraps: Counter[Purpose] = Counter()
        keyring = Keyring(provider, lambda purpose: unwraps.update((purpose,)))
        signing_key = await keyring.signing_key("log")
        yield _wire(settings, databases, access_log, keyring, unwraps, signing_key)


def _wire(
    settings: Settings,
    databases: Mapping[str, Database],
    access_log: AccessLog,
    keyring: Keyring,
    unwraps: Counter[Purpose],
    signing_key: SigningKey,
) -> Rooms:
    main, keystore, node_id = databases["database"], databases["keystore"], new_id()
    blobs = LocalBlobStore(settings.data / "blobs")
    reserve = DiskReserve(settings.disk_reserve_path, settings.disk_reserve_bytes)
    access = Access(main, access_log, reserve, node_id)
    passwords = Passwords()
    sessions = Sessions(main, access, passwords, settings)
    sequencer = _sequencer(settings, main, signing_key, node_id)
    access_log.is_broken = sequencer.is_broken
    reconciliation = Reconciliation(main, access, unwraps)
    keys = CaseKeys(keystore, keyring, access, reconciliation.claim)
    punctures = Punctures(main, keystore, keyring, access, node_id)
    pool = WorkerPool(
        settings.inspection_workers,
        settings.inspection_seconds,
        memory_bytes=settings.inspection_memory_bytes,
    )
    uploads = Uploads(main, blobs, access, sessions, keys, settings)
    inspector = Inspector(main, blobs, access, keys, pool, settings, node_id)
    erasures = Erasures(
        main=main,
        key_database=keystore,
        blobs=blobs,
        access=access,
        sessions=sessions,
        keys=keys,
        keyring=keyring,
        punctures=punctures,
        node_id=node_id,
    )
    return Rooms(
        settings=settings,
        main=main,
        keystore=keystore,
        keyring=keyring,
        unwraps=unwraps,
        reconciliation=reconciliation,
        retention=Retention(main, access, settings.log_years),
        blobs=blobs,
        access_log=access_log,
        sequencer=sequencer,
        cosigning=Cosigning(main, list(map(Witness.parse, settings.witnesses)), node_id),
        syslog=_syslog(settings, main, node_id),
        accounts=Accounts(main, access, passwords, keys.create_controller),
        heartbeat=Heartbeat(main, punctures, node_id),
        sweeper=Sweeper(
            main=main,
            key_database=keystore,
            blobs=blobs,
            access=access,
            uploads=uploads,
            settings=settings,
        ),
        erasures=erasures,
        inspector=inspector,
        pool=pool,
        services=Services(
            settings=settings,
            databases=databases,
            keyring=keyring,
            access=access,
            sessions=sessions,
            cases=Cases(main, access, keys, Patients(keys)),
            uploads=uploads,
            inspector=inspector,
            release=Release(main, blobs, access, keys),
            erasures=erasures,
        ),
    )


def log_verifier(path: Path) -> Verifier:
    """The log's public key, from its file. Its name is the log's origin."""
    return Verifier.parse(path.read_text().strip())


def _sequencer(
    settings: Settings, main: Database, signing_key: SigningKey, node_id: str
) -> Sequencer:
    verifier = log_verifier(settings.log_key_path)
    named = SigningKey(verifier.name, signing_key.seed)
    return Sequencer(
        main,
        sign=named.sign_note,
        open_note=verifier.open_note,
        origin=verifier.name,
        head_path=settings.log_head_path,
        node_id=node_id,
        clock=now,
    )


def _syslog(settings: Settings, main: Database, node_id: str) -> SyslogSink | None:
    if not settings.syslog_tls_address:
        return None
    receiver = Receiver.of(settings.syslog_tls_address, settings.syslog_ca_file)
    return SyslogSink(main, receiver, settings.syslog_position_path, node_id, now)


def _databases(settings: Settings) -> Mapping[str, Database]:
    return {
        "database": Database(settings.main_database, "main"),
        "keystore": Database(settings.keystore_database, "keystore"),
    }
