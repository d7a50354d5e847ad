"""`kluis backup test`: restores the newest back-up beside the house, and looks at all of it.

The scratch place lies in the data directory, private, and goes again. Its keyring is locked by a
passphrase that is written nowhere: what a disk keeps of it opens nothing. Blobs are read where they
lie, so that a trial takes little room.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.access.actors import operator
from gateway.access.grants import Target
from gateway.access.policy import Action
from gateway.app import open_rooms
from gateway.backup.house import house_of
from gateway.backup.place import Place
from gateway.backup.restoring import Restore, Restored
from gateway.backup.sources import Sources, examine
from gateway.ids import now
from gateway.inventory.tally import Tally
from gateway.rooms import Rooms
from gateway.settings import Settings

SCRATCH = "trial-"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it. `faults` counts everything that is not as it should be."""

    restored: Restored
    looked_at: Sequence[Tally]
    faults: int


async def try_restore(rooms: Rooms, sources: Sources, advanced: Callable[[int], None]) -> Trial:
    """Restore into a scratch place and take its inventory; it is logged and remembered.

    Raises:
        BackupError: As a restore.
    """
    access = rooms.services.access
    target = Target("place", str(sources.places[0].root)) if sources.places else None
    grant = await access.authorise(operator(), Action.BACKUP_TEST, target=target)
    for leftover in rooms.settings.data.glob(f"{SCRATCH}*"):
        await asyncio.to_thread(shutil.rmtree, leftover)
    scratch = rooms.settings.data / f"{SCRATCH}{secrets.token_hex(8)}"
    scratch.mkdir(mode=0o700)
    try:
        trial, place = await _tried(_apart(rooms.settings, scratch), sources, advanced)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch)
    generation = trial.restored.generation
    if not trial.faults:
        place.remember_test(generation, now())
    await access.outcome(grant, generation=generation, faults=trial.faults)
    return trial


def _apart(settings: Settings, scratch: Path) -> Settings:
    """Settings of a house that touches nothing outside its directory but the key provider."""
    alone = {
        "data": scratch,
        "database_url": "",
        "keystore_url": "",
        "backup_directories": (),
        "key_backup_directories": (),
        "witnesses": (),
        "syslog_tls_address": "",
    }
    return settings.model_copy(update=alone)


async def _tried(
    settings: Settings, sources: Sources, advanced: Callable[[int], None]
) -> tuple[Trial, Place]:
    passphrase = secrets.token_urlsafe(32)
    async with house_of(settings, sources) as house:
        found = await examine(sources, house, advanced)
        work = Restore(settings, found, passphrase)
        restored = await work.run(None, advanced, two_people=False, with_blobs=False)
    async with open_rooms(settings, passphrase) as rooms:
        inventory = replace(rooms.inventory, blobs=found.place.store())
        looked_at = await inventory.take(advanced)
    faults = sum(len(tally.faults) + tally.unnamed for tally in looked_at)
    return Trial(restored, looked_at, faults), found.place
