"""kill -9 at the durable steps of a back-up and of a restore: nothing half ever looks whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.app import open_rooms
from gateway.backup.errors import UnfinishedRestoreError
from gateway.backup.house import house_of
from gateway.backup.place import Place
from gateway.backup.sources import Sources, examine
from gateway.settings import Settings, load
from keys.errors import KeyringMissingError
from keys.recovery import RecoveryKey
from tests.gateway.ground import SQLITE
from tests.house import API, PASSPHRASE, Person, open_house, serving
from tests.leaks import planted

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]


@dataclass
class Forker:
    """Does jobs that are killed."""

    process: subprocess.Popen[str]
    countdown: Path
    job: dict[str, str]
    recovery: RecoveryKey
    statuses: list[int] = field(default_factory=list)

    def do(self, what: str, steps: int | None) -> int:
        """Do a job that dies after so many durable steps; its wait status."""
        self.countdown.unlink(missing_ok=True)
        if steps is not None:
            self.countdown.write_text(str(steps))
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, **self.job}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    @property
    def sources(self) -> Sources:
        """What there is to restore from."""
        place, keys = Place(Path(self.job["place"])), Path(self.job["keys"])
        return Sources([place], [keys], self.recovery)


@pytest.fixture
def forker(settings: Settings, tmp_path: Path) -> Iterator[Forker]:
    """On SQLite in the data directory itself, with one place of each kind."""
    recovery, job = RecoveryKey.generate(), {"data": str(settings.data)}
    for name in ("place", "keys"):
        (tmp_path / name).mkdir(mode=0o700)
        job[name] = str(tmp_path / name)
    settings.recovery_key_path.write_text(recovery.public.line + "\n")
    words = planted("the recovery words", recovery.words)
    job |= {"target": str(tmp_path / "restored"), "words": words}
    environment = {name: value for name, value in os.environ.items() if name == "PATH"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.adversary.restorer", str(tmp_path / "steps")],
        env=environment | {"KLUIS_INSPECTION_WORKERS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as process:
        yield Forker(process, tmp_path / "steps", job, recovery)
        process.kill()


@SQLITE
async def test_a_back_up_killed_anywhere_leaves_only_whole_generations(
    forker: Forker, settings: Settings, migrated_sqlite: Path
) -> None:
    case_id = await _house(settings, migrated_sqlite)
    assert forker.do("backup", None) == 0
    steps, ends = 0, []
    while (status := forker.do("backup", steps)) != 0:
        assert status == signal.SIGKILL
        ends.append(await _newest(forker))
        steps += 1

    assert steps > 20
    assert len(set(ends)) > 1  # some were killed behind the manifest
    assert len(forker.sources.places[0].whole()) > 1
    assert forker.do("restore", None) == 0
    await _is_there(forker, case_id)


@SQLITE
async def test_a_restore_killed_anywhere_opens_nothing_and_goes_on(
    forker: Forker, settings: Settings, migrated_sqlite: Path
) -> None:
    case_id = await _house(settings, migrated_sqlite)
    assert forker.do("backup", None) == 0
    target, steps = load(data=Path(forker.job["target"])), 0
    while (status := forker.do("restore", steps)) != 0:
        assert status == signal.SIGKILL
        steps += 1
        if not target.restoring_path.exists() and target.log_key_path.exists():
            break  # it died behind its last step: the house is whole
        if target.data.exists():
            with pytest.raises((UnfinishedRestoreError, KeyringMissingError)):
                async with open_rooms(target, PASSPHRASE):
                    pass

    assert steps > 20
    await _is_there(forker, case_id)


async def _house(settings: Settings, migrated: Path) -> str:
    """A house with a case, on databases in its own directory."""
    for room, name in (("main", "kluis.db"), ("keystore", "keystore.db")):
        (settings.data / name).write_bytes((migrated / f"{room}.db").read_bytes())
        (settings.data / name).chmod(0o600)
    own = settings.model_copy(update={"database_url": "", "keystore_url": ""})
    async with open_house(own) as house:
        case_id, _ = await house.submitted_case()
    return case_id


async def _newest(forker: Forker) -> str:
    """The newest generation, which can be restored whatever was killed since."""
    settings = load(data=Path(forker.job["data"]))
    async with house_of(settings, forker.sources) as house:
        found = await examine(forker.sources, house, lambda _: None)
    return found.generation.id


async def _is_there(forker: Forker, case_id: str) -> None:
    async with serving(load(data=Path(forker.job["target"]))) as (rooms, url, session):
        people = await rooms.accounts.list_accounts()
        email = next(person.email for person in people if person.role == "dentist")
        dentist = Person(session, url, await rooms.accounts.create_token(email=email))
        case = await dentist.get(f"{API}/cases/{case_id}")
        assert case["patient"]["name"] == "Wilhelmina Proefpersoon"
        (file,) = case["files"]
        assert await dentist.download(case_id, file["id"])
