"""The ground that is attacked: files of one case, of another one, and of another practice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from gateway.settings import Settings
from keys.stream import SEGMENT_SIZE
from storage.database import Room
from tests.adversary.attacks import LARGE, NOTES, OTHER, Ground, filed
from tests.adversary.crashing import twin
from tests.adversary.matrix import Ground as Struck
from tests.adversary.matrix import open_ground
from tests.house import House


@pytest.fixture(scope="module")
def struck() -> Iterator[Struck]:
    """What the crash matrix of one act is run on."""
    with open_ground() as opened:
        yield opened


@pytest.fixture
async def ground(house: House) -> Ground:
    assert len(LARGE) > 2 * SEGMENT_SIZE
    practice, foreign_dentist = await house.add_practice()
    assert practice.id != house.practice.id
    first = await house.dentist.new_case(notes=NOTES)
    second = await house.dentist.new_case(notes="another one")
    third = await foreign_dentist.new_case(notes="of another practice")
    return Ground(
        house,
        large=await filed(house, house.dentist, first, LARGE),
        sibling=await filed(house, house.dentist, first, OTHER),
        cousin=await filed(house, house.dentist, second, OTHER),
        foreign=await filed(house, foreign_dentist, third, OTHER),
        foreign_dentist=foreign_dentist,
    )


@pytest.fixture
def grounds(
    settings: Settings, fresh_url: Callable[[Room], str], backend: str
) -> Sequence[Settings]:
    """Two data directories, so that two servers can be killed at a time; one on PostgreSQL."""
    if backend == "postgresql":
        return (settings,)
    return settings, twin(settings, fresh_url("main"), fresh_url("keystore"))
