"""The composition root: settings to objects to routes. The only place that wires.

What one room needs of the other is handed in here: the log's sequencer gets a signer, the keyring
a counter of unwraps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gateway.access.accountkeys import AccountKeys
from gateway.access.accounts import Accounts, check_email
from gateway.access.codes import Codes
from gateway.access.confidentiality import Confidentiality
from gateway.access.controllerkeys import ControllerKeys
from gateway.access.factors import Factors
from gateway.access.grants import Access
from gateway.access.links import Links
from gateway.access.notices import Notices
from gateway.access.ownpassword import OwnPassword
from gateway.access.passkeys import Passkeys
from gateway.access.passwords import Passwords
from gateway.access.people import People
from gateway.access.policy import Role
from gateway.access.profile import Profile
from gateway.access.recoveries import Recoveries
from gateway.access.second import SecondPerson
from gateway.access.service_accounts import ServiceAccounts
from gateway.access.sessionlist import SessionList
from gateway.access.sessions import Sessions
from gateway.access.signin import SignIn
from gateway.access.signon import SignOn, sign_on_provider
from gateway.access.throttle import Throttle
from gateway.access.tokens import Tokens
from gateway.api.context import Services
from gateway.backup.errors import UnfinishedRestoreError
from gateway.backup.places import Places, keep_recovery_key
from gateway.backup.schedule import Schedule
from gateway.backup.writing import Backups
from gateway.cosigning import Cosigning, Witness
from gateway.exports.sink import SyslogSink
from gateway.exports.syslog import Receiver
from gateway.ids import new_id, now
from gateway.inspection.workers.pool import WorkerPool
from gateway.intake.inspector import Inspector
from gateway.intake.sweep import Sweeper
from gateway.intake.uploads import Uploads
from gateway.inventory.inventory import Inventory
from gateway.mail.post import Post
from gateway.privacy.assignments import Assignments
from gateway.privacy.casekeys import CaseKeys
from gateway.privacy.cases import Cases
from gateway.privacy.closing import Closing
from gateway.privacy.corrections import Corrections
from gateway.privacy.emergencies import Emergencies
from gateway.privacy.ending import Ending
from gateway.privacy.erasure import Erasures
from gateway.privacy.heartbeat import Heartbeat
from gateway.privacy.instructions import Instructions
from gateway.privacy.patients import Patients
from gateway.privacy.puncture import Punctures
from gateway.privacy.reasons import Reasons
from gateway.privacy.rekey import Rekey
from gateway.privacy.restriction import Restriction
from gateway.privacy.rotation import Rotations
from gateway.providers import open_provider, set_up_provider
from gateway.reconcile import Reconciliation
from gateway.release.content import Release
from gateway.retention import Retention
from gateway.settings import Settings
from gateway.signingkeys import LogKeys, public_keys
from gateway.watch.thresholds import Thresholds
from gateway.watch.triage import Triage
from gateway.watch.watching import Watching
from keys.context import Purpose
from keys.errors import KeyringExistsError
from keys.keyring import Keyring
from keys.providers import KeyProvider
from keys.recovery import RecoveryKey
from keys.signing import Verifier
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
    provider: KeyProvider
    keyring: Keyring
    unwraps: Counter[Purpose]
    reconciliation: Reconciliation
    retention: Retention
    blobs: LocalBlobStore
    access_log: AccessLog
    log_keys: LogKeys
    sequencer: Sequencer
    cosigning: Cosigning
    syslog: SyslogSink | None
    watching: Watching
    accounts: Accounts
    second: SecondPerson
    notices: Notices
    closing: Closing
    heartbeat: Heartbeat
    sweeper: Sweeper
    inventory: Inventory
    erasures: Erasures
    rotations: Rotations
    backups: Backups
    schedule: Schedule
    inspector: Inspector
    pool: WorkerPool
    services: Services


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
        rooms = _wire(settings, databases, access_log, provider, log_keys)
        stack.push_async_callback(rooms.services.sign_on.close)
        yield rooms


def _wire(
    settings: Settings,
    databases: Mapping[str, Database],
    access_log: AccessLog,
    provider: KeyProvider,
    log_keys: LogKeys,
) -> Rooms:
    unwraps: Counter[Purpose] = Counter()
    keyring = Keyring(provider, lambda purpose: unwraps.update((purpose,)))
    main, keystore, node_id = databases["database"], databases["keystore"], new_id()
    blobs = LocalBlobStore(settings.data / "blobs")
    reserve = DiskReserve(settings.disk_reserve_path, settings.disk_reserve_bytes)
    access = Access(main, access_log, reserve, node_id)
    passwords = Passwords()
    account_keys = AccountKeys(keystore, ControllerKeys(keystore, keyring))
    codes = Codes(main, access, account_keys)
    throttle = Throttle(main, access)
    sessions = Sessions(main, access, passwords, codes, throttle, settings)
    sequencer = _sequencer(settings, main, log_keys, node_id)
    access_log.is_broken = sequencer.is_broken
    reconciliation = Reconciliation(main, access, unwraps)
    keys = CaseKeys(keystore, keyring, access, reconciliation.claim)
    places = Places(settings, main, keystore, keyring)
    punctures = Punctures(main, keystore, keyring, access, node_id, places)
    backups = Backups(settings, main, blobs, access, keyring, places)
    pool = WorkerPool(
        settings.inspection_workers,
        settings.inspection_seconds,
        memory_bytes=settings.inspection_memory_bytes,
    )
    patients, reasons = Patients(keys), Reasons(access, keys)
    uploads = Uploads(main, blobs, access, sessions, keys, settings)
    inspector = Inspector(main, blobs, access, keys, pool, settings, node_id)
    heartbeat = Heartbeat(main, punctures, keyring, node_id)
    erasures = Erasures(
        main=main,
        key_database=keystore,
        punctures=punctures,
        ending=Ending(
            main=main,
            key_database=keystore,
            blobs=blobs,
            access=access,
            keyring=keyring,
            punctures=punctures,
        ),
        node_id=node_id,
    )
    signin = SignIn(main, access, passwords, codes, throttle, settings)
    post = Post(settings)
    links = Links(main, access, passwords, post, throttle, settings)
    second = SecondPerson(main, access, passwords, throttle, needed=settings.two_people)
    return Rooms(
        settings=settings,
        main=main,
        keystore=keystore,
        provider=provider,
        keyring=keyring,
        unwraps=unwraps,
        reconciliation=reconciliation,
        retention=Retention(main, access, settings.log_years),
        blobs=blobs,
        access_log=access_log,
        log_keys=log_keys,
        sequencer=sequencer,
        cosigning=Cosigning(main, list(map(Witness.parse, settings.witnesses)), node_id),
        syslog=_syslog(settings, main, node_id),
        watching=Watching(main, Thresholds(history_days=settings.watch_history_days), node_id, now),
        accounts=Accounts(main, access, passwords, keys.create_controller),
        second=second,
        notices=Notices(main, access, post),
        closing=Closing(main, access, second, erasures.requested.set),
        heartbeat=heartbeat,
        sweeper=Sweeper(
            main=main,
            key_database=keystore,
            blobs=blobs,
            access=access,
            uploads=uploads,
            settings=settings,
        ),
        inventory=Inventory(
            main=main,
            keystore=keystore,
            keyring=keyring,
            blobs=blobs,
            access=access,
            heartbeat=heartbeat,
            claim=reconciliation.claim,
            open_note=log_keys.open_note,
            head_path=settings.log_head_path,
        ),
        erasures=erasures,
        rotations=Rotations(main, keystore, access, punctures),
        backups=backups,
        schedule=Schedule(backups, main, node_id, settings.backup_hours),
        inspector=inspector,
        pool=pool,
        services=Services(
            settings=settings,
            databases=databases,
            keyring=keyring,
            access=access,
            sessions=sessions,
            signin=signin,
            factors=Factors(main, access, sessions, codes, account_keys),
            passkeys=Passkeys(main, access, sessions, signin, throttle, settings),
            sign_on=SignOn(main, access, signin, throttle, settings, sign_on_provider(settings)),
            password=OwnPassword(main, access, passwords, throttle),
            people=People(main, access, sessions, links),
            profile=Profile(main, access, sessions, account_keys),
            recoveries=Recoveries(main, access, sessions, settings),
            links=links,
            confidentiality=Confidentiality(main, access),
            session_list=SessionList(main, access, sessions),
            tokens=Tokens(main, access, sessions),
            service_accounts=ServiceAccounts(main, access, sessions),
            cases=Cases(
                main, access, keys, patients, timedelta(days=settings.assignment_grace_days)
            ),
            assignments=Assignments(main, access),
            emergencies=Emergencies(main, access, reasons, settings),
            restriction=Restriction(main, access, reasons),
            uploads=uploads,
            inspector=inspector,
            release=Release(main, blobs, access, keys),
            instructions=Instructions(
                main=main,
                access=access,
                sessions=sessions,
                reasons=reasons,
                requested=erasures.requested.set,
            ),
            corrections=Corrections(
                main=main,
                access=access,
                sessions=sessions,
                reasons=reasons,
                rekey=Rekey(main, keys),
                patients=patients,
                requested=erasures.requested.set,
            ),
            triage=Triage(main, access, reasons),
        ),
    )


def log_verifier(path: Path) -> Verifier:
    """The log's newest public key, from its file. Its name is the log's origin."""
    return public_keys(path).keys[0]


def _sequencer(settings: Settings, main: Database, log_keys: LogKeys, node_id: str) -> Sequencer:
    return Sequencer(
        main,
        sign=log_keys.sign,
        open_note=log_keys.open_note,
        origin=log_keys.origin,
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
