"""The acts of the crash matrix, and the look at what a crash in one of them left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.access.actors import Actor, operator
from gateway.access.policy import Role
from gateway.backup.sources import Sources
from gateway.rooms import Rooms
from gateway.trial import try_restore
from keys.recovery import RecoveryKey
from storage import files
from tests.adversary.matrix_house import (
    AWAY,
    CORRECTED,
    PATIENT,
    SCAN,
    WORDS,
    Tell,
    Victim,
    chunks,
    let_time_pass,
    rooms_of,
)


async def upload(victim: Victim) -> None:
    """A case, and a scan in three requests."""
    case_id = await victim.again(victim.new_case)
    victim.tell(promise={"case": case_id})
    await victim.upload(case_id, 3)
    await victim.again(victim.rooms.sequencer.step)


async def promotion(victim: Victim) -> None:
    """From quarantine to the vault."""
    await victim.inspect()
    await victim.again(victim.rooms.sequencer.step)


async def erasure(victim: Victim) -> None:
    """A case with a file in the vault and one in quarantine, to its certificate."""
    erased = victim.prepared["full"]
    instructions = victim.rooms.services.instructions
    await victim.again(lambda: instructions.erase_cases(victim.dentist, [erased], "asked for it"))
    victim.tell(promise={"erased": erased})
    await victim.again(victim.erase)


async def correction(victim: Victim) -> None:
    """Another patient for a case, another key for it, and the one before it made worthless."""
    corrected, corrections = victim.prepared["full"], victim.rooms.services.corrections
    await victim.again(lambda: corrections.rectify(victim.dentist, corrected, CORRECTED))
    victim.tell(promise={"case": corrected, "corrected": True})
    await victim.again(victim.erase)


async def rotation(victim: Victim) -> None:
    """Another key for the practice, and everything moved to it."""
    await victim.again(lambda: victim.rooms.rotations.request(operator(), None))
    victim.tell(promise={"rotated": True})
    await victim.again(victim.erase)


async def backup(victim: Victim) -> None:
    """Two generations, of which one is kept."""
    rooms = victim.rooms
    for _ in range(2):
        written = await victim.again(
            lambda: rooms.backups.write(operator(), rooms.backups.places.data[0], lambda _: None)
        )
        victim.tell(promise={"generation": written.generation.id})


ACTS = {
    "upload": upload,
    "promotion": promotion,
    "erasure": erasure,
    "correction": correction,
    "rotation": rotation,
    "backup": backup,
}


async def act(name: str, run: Path, prepared: Mapping[str, Any], tell: Tell) -> None:
    """One act, on a directory that was prepared; what the disk refuses for good ends it."""
    try:
        async with rooms_of(run) as rooms:
            victim = Victim(rooms, Actor(*_dentist(prepared)), prepared, tell)
            await rooms.heartbeat.beat()
            await ACTS[name](victim)
    except AWAY as error:
        tell(gave_up=type(error).__name__)


def _dentist(prepared: Mapping[str, Any]) -> tuple[str, Role, str]:
    account_id, practice_id = prepared["dentist"]
    return account_id, Role.DENTIST, practice_id


async def check(
    run: Path,
    prepared: Mapping[str, Any],
    promises: list[Mapping[str, Any]],
    tell: Tell,
    *,
    tried: bool,
) -> None:
    """Open what a crash left, look, let it finish, look again; restore on trial if `tried`."""
    wrong = [f"plaintext: {hit}" for hit in WORDS.found_under([run]).items()]
    async with rooms_of(run) as rooms:
        victim = Victim(rooms, Actor(*_dentist(prepared)), prepared, lambda **_: None)
        await let_time_pass(rooms)
        await rooms.heartbeat.beat()
        wrong += await _unexplained(rooms, "as it was left")
        if tried:
            wrong += await _lost_by_restoring(victim, promises)
        await rooms.sequencer.step()
        await victim.erase()
        await victim.inspect()
        wrong += await _broken(victim, promises)
        await rooms.sweeper.sweep()
        if any((run / "place").rglob("*.unfinished")):  # the next back-up removes them
            await rooms.backups.write(operator(), rooms.backups.places.data[0], lambda _: None)
        await rooms.sequencer.step()
        wrong += await _unexplained(rooms, "at the end", left=True)
    wrong += [f"plaintext: {hit}" for hit in WORDS.found_under([run]).items()]
    wrong += [f"left: {path.name}" for path in run.rglob("*.unfinished")]
    tell(found={"wrong": wrong})


async def _unexplained(rooms: Rooms, when: str, *, left: bool = False) -> list[str]:
    tallies = await rooms.inventory.take(lambda _: None)
    await rooms.heartbeat.beat()
    wrong = [f"{when}: {fault}" for tally in tallies for fault in tally.faults]
    # Events wait for their place while somebody looks.
    over = [tally for tally in tallies if left and tally.left and tally.name != "access log"]
    return wrong + [f"{when}: {tally.left} of {tally.name} left over" for tally in over]


async def _broken(victim: Victim, promises: list[Mapping[str, Any]]) -> list[str]:
    """Promises that are not kept; an upload that is not whole is sent to its end."""
    wrong, last = [], {promise.get("file", promise.get("case")): promise for promise in promises}
    erased = {promise["erased"] for promise in promises if "erased" in promise}
    for promise in last.values():
        if "file" in promise:
            wrong += await _is_kept(victim, promise, erased)
        elif "case" in promise:
            sight = await victim.rooms.services.cases.view(victim.dentist, promise["case"])
            if sight.patient != (CORRECTED if "corrected" in promise else PATIENT):
                wrong.append(f"case {promise['case']} has another patient")
    await victim.digest(*victim.prepared["living"])
    for case_id in erased:
        view = await victim.rooms.services.instructions.view(victim.dentist, case_id)
        if view.step != "done" or view.certificate is None:
            wrong.append(f"erasure of {case_id} ended at {view.step}")
    return wrong


async def _lost_by_restoring(victim: Victim, promises: list[Mapping[str, Any]]) -> list[str]:
    """Restore the newest back-up on trial: it is whole, and the one that was acknowledged."""
    place = victim.rooms.backups.places.data[0]
    words = RecoveryKey.from_words(victim.prepared["words"])
    keys = victim.rooms.settings.key_backup_directories
    trial = await try_restore(victim.rooms, Sources([place], keys, words), lambda _: None)
    newest = trial.restored.generation
    wrong = [f"restored: {fault}" for tally in trial.looked_at for fault in tally.faults]
    later = [it for it in (promise.get("generation", "") for promise in promises) if it > newest]
    return wrong + [f"generation {generation} is lost" for generation in later]


async def _is_kept(victim: Victim, promise: Mapping[str, Any], erased: set[str]) -> list[str]:
    case_id, file_id = promise["case"], promise["file"]
    if case_id in erased:
        return []
    uploads = victim.rooms.services.uploads
    if "capability" in promise:
        file, grant = await uploads.find(victim.dentist, promise["capability"])
        if file.received < promise["received"]:
            return [f"{file.received} of {promise['received']} acknowledged bytes are left"]
        await uploads.append(grant, file, file.received, chunks(SCAN[file.received :]))
        await victim.inspect()
    async with victim.rooms.main.reading() as connection:
        kept = await files.get(connection, file_id)
    if kept is None or kept.state != "accepted":
        return [f"file {file_id} is {kept and kept.state}"]
    await victim.digest(case_id, file_id)
    return []
