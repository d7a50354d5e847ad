"""The only place that wires: every room is made here, once.

What one room needs of the other is handed in here: the log's sequencer gets a signer, the keyring
a counter of unwraps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from gateway.access.accountkeys import AccountKeys
from gateway.access.accounts import Accounts
from gateway.access.codes import Codes
from gateway.access.confidentiality import Confidentiality
from gateway.access.controllerkeys import ControllerKeys
from gateway.access.factors import Factors
from gateway.access.grants import Access
from gateway.access.links import Links
from gateway.access.ownpassword import OwnPassword
from gateway.access.passkeys import Passkeys
from gateway.access.passwords import Passwords
from gateway.access.people import People
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
from gateway.backup.places import Places
from gateway.backup.schedule import Schedule
from gateway.backup.writing import Backups
from gateway.cosigning import Cosigning, Witness
from gateway.delivery.digest import Digest
from gateway.delivery.letters import Letters
from gateway.delivery.sending import Sender
from gateway.delivery.webhook import Webhooks
from gateway.exports.sink import SyslogSink
from gateway.exports.syslog import Receiver
from gateway.ids import new_id, now
from gateway.incidents.evidence import EvidenceRoom
from gateway.incidents.incidents import Incidents
from gateway.incidents.measures import Acts, Measures
from gateway.incidents.notices import BreachNotices
from gateway.incidents.register import Register
from gateway.incidents.sealing import IncidentKeys
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
from gateway.reconcile import Reconciliation
from gateway.release.content import Release
from gateway.retention import Retention
from gateway.rooms import Rooms
from gateway.settings import Settings
from gateway.signingkeys import LogKeys
from gateway.watch.canaries import Canaries
from gateway.watch.review import Reviews
from gateway.watch.thresholds import Thresholds
from gateway.watch.triage import Triage
from gateway.watch.watching import Watching
from keys.context import Purpose
from keys.keyring import Keyring
from keys.providers import KeyProvider
from storage.accesslog.log import AccessLog
from storage.accesslog.sequencer import Sequencer
from storage.blobs.local import LocalBlobStore
from storage.database import Database
from storage.reserve import DiskReserve


def wire(
    settings: Settings,
    databases: Mapping[str, Database],
    access_log: AccessLog,
    provider: KeyProvider,
    log_keys: LogKeys,
) -> Rooms:
    """Make every room of one process, and hand each what it needs of the others."""
    unwraps: Counter[Purpose] = Counter()
    keyring = Keyring(provider, lambda purpose: unwraps.update((purpose,)))
    main, keystore, node_id = databases["database"], databases["keystore"], new_id()
    blobs = LocalBlobStore(settings.data / "blobs")
    reserve = DiskReserve(settings.disk_reserve_path, settings.disk_reserve_bytes)
    access = Access(main, access_log, reserve, node_id)
    passwords = Passwords()
    controller_keys = ControllerKeys(keystore, keyring)
    account_keys = AccountKeys(keystore, controller_keys)
    codes = Codes(main, access, account_keys, settings)
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
    people = Accounts(main, access, passwords, keys.create_controller)
    rotations = Rotations(main, keystore, access, punctures)
    session_list = SessionList(main, access, sessions)
    assignments, restriction = Assignments(main, access), Restriction(main, access, reasons)
    incidents = Incidents(main, access, IncidentKeys(controller_keys))
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
        accounts=people,
        second=second,
        digest=Digest(main, settings.digest_hour, now),
        sender=Sender(main, access, post, Webhooks(settings)),
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
        rotations=rotations,
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
            session_list=session_list,
            tokens=Tokens(main, access, sessions),
            service_accounts=ServiceAccounts(main, access, sessions),
            cases=Cases(
                main, access, keys, patients, timedelta(days=settings.assignment_grace_days)
            ),
            assignments=assignments,
            emergencies=Emergencies(main, access, reasons, settings),
            restriction=restriction,
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
            incidents=incidents,
            measures=Measures(
                main,
                incidents,
                Acts(
                    sessions=sessions,
                    accounts=people,
                    session_list=session_list,
                    assignments=assignments,
                    restriction=restriction,
                    rotations=rotations,
                    requested=erasures.requested.set,
                ),
            ),
            evidence=EvidenceRoom(main, incidents),
            register=Register(main, incidents),
            reviews=Reviews(main, access),
            canaries=Canaries(main, access),
            letters=Letters(main, access),
            breach_notices=BreachNotices(main, access, sessions, IncidentKeys(controller_keys)),
        ),
    )


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
