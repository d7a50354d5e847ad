"""A house with registered places and a recovery key, and the way back from them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.access.actors import operator
from gateway.access.second import Credentials
from gateway.backup.house import house_of
from gateway.backup.place import Place
from gateway.backup.restoring import Restore, Restored
from gateway.backup.sources import Sources, examine
from gateway.backup.writing import Backup
from gateway.settings import Settings
from keys.providers.keyfile import ScryptCost
from keys.recovery import RecoveryKey
from tests.house import PASSPHRASE, PASSWORD, House

OFFICER = "officer-with-password@people.invalid"
CHEAP = ScryptCost(n=2**10, r=8, p=1)


@dataclass(frozen=True)
class Ground:
    """Settings with places, what is on paper, and settings of an empty place to restore into."""

    settings: Settings
    target: Settings
    recovery: RecoveryKey
    place: Place
    keys: Path

    @property
    def sources(self) -> Sources:
        """Everything there is."""
        return Sources([self.place], [self.keys], self.recovery)

    def copy_of_place(self, name: str) -> Place:
        """The place as it is now, elsewhere: what a tape holds."""
        return Place(shutil.copytree(self.place.root, self.place.root.with_name(name)))

    async def restore(self, sources: Sources | None = None, **how: Any) -> Restored:
        """Restore into the empty place; the officer agrees."""
        sources = sources or self.sources
        second = how.pop("second", Credentials(OFFICER, PASSWORD))
        async with house_of(self.target, sources) as house:
            found = await examine(sources, house, lambda _: None, **how)
            work = Restore(self.target, found, PASSPHRASE, CHEAP)
            return await work.run(second, lambda _: None, two_people=True)


async def back_up(house: House, place: Place) -> Backup:
    """Write a generation."""
    return await house.rooms.backups.write(operator(), place, lambda _: None)


async def hire_officer(house: House) -> None:
    """A privacy officer with a password, who can agree to a restore."""
    await house.rooms.accounts.add_account(email=OFFICER, role="privacy_officer", password=PASSWORD)


async def refused_at(
    ground: Ground, error: type[Exception] | tuple[type[Exception], ...], **how: Any
) -> Exception:
    """What a restore is refused with; nothing was written."""
    with pytest.raises(error) as caught:
        await ground.restore(**how)
    assert not ground.target.data.exists()
    return caught.value
