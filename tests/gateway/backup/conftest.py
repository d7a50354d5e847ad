"""The ground that every test of back-ups stands on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.backup.place import Place, mark_place
from gateway.settings import Settings
from keys.recovery import RecoveryKey
from storage.database import Room
from tests.gateway.backup.ground import Ground
from tests.leaks import planted


@pytest.fixture
def ground(settings: Settings, tmp_path: Path, fresh_url: Callable[[Room], str]) -> Ground:
    """One place for data, one for keys, the words, and databases to restore into."""
    recovery = RecoveryKey.generate()
    planted("the recovery words", recovery.words)
    place, keys = tmp_path / "place", tmp_path / "keys"
    place.mkdir(mode=0o700)
    keys.mkdir(mode=0o700)
    mark_place(place)
    mark_place(keys)
    settings.recovery_key_path.write_text(recovery.public.line + "\n")
    chosen = settings.model_copy(
        update={"backup_directories": (place,), "key_backup_directories": (keys,)}
    )
    target = settings.model_copy(
        update={
            "data": tmp_path / "restored",
            "database_url": fresh_url("main"),
            "keystore_url": fresh_url("keystore"),
        }
    )
    return Ground(chosen, target, recovery, Place(place), keys)
