"""What one process consists of once it is wired."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gateway.access.accounts import Accounts
from gateway.access.second import SecondPerson
from gateway.api.context import Services
from gateway.backup.schedule import Schedule
from gateway.backup.writing import Backups
from gateway.cosigning import Cosigning
from gateway.delivery.digest import Digest
from gateway.delivery.sending import Sender
from gateway.exports.sink import SyslogSink
from gateway.inspection.workers.pool import WorkerPool
from gateway.intake.inspector import Inspector
from gateway.intake.sweep import Sweeper
from gateway.inventory.inventory import Inventory
from gateway.privacy.closing import Closing
from gateway.privacy.erasure import Erasures
from gateway.privacy.heartbeat import Heartbeat
from gateway.privacy.rotation import Rotations
from gateway.reconcile import Reconciliation
from gateway.retention import Retention
from gateway.settings import Settings
from gateway.signingkeys import LogKeys
from gateway.watch.watching import Watching
from keys.context import Purpose
from keys.keyring import Keyring
from keys.providers import KeyProvider
from storage.accesslog.log import AccessLog
from storage.accesslog.sequencer import Sequencer
from storage.blobs.local import LocalBlobStore
from storage.database import Database


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
    sender: Sender
    digest: Digest
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
