"""From one key provider to another: what is in either opens, and nothing is made elsewhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keys.context import Context, Purpose
from keys.errors import KeyringExistsError, UnknownKeyVersionError, UnsealError
from keys.providers.keyfile import Contents, ScryptCost
from keys.providers.local import LocalKeyring
from keys.providers.successor import Successor
from keys.secret import SecretKey

CASE = Context(Purpose.CASE_KEY, "practice", "case")
SECRET = SecretKey(bytes(range(32)))


class Ground:
    """Two stores and as many processes as are asked for."""

    def __init__(self, directory: Path) -> None:
        self.first, self.second = directory / "first", directory / "second"
        LocalKeyring.init(self.first, "first", ScryptCost(n=2))
        LocalKeyring.restore(self.second, "second", Contents(1, {}, {}), ScryptCost(n=2))

    def before(self) -> LocalKeyring:
        return LocalKeyring.open(self.first, "first")

    def after(self) -> LocalKeyring:
        return LocalKeyring.open(self.second, "second")

    def both(self) -> Successor:
        return Successor(self.before(), self.after())


@pytest.fixture
async def ground(tmp_path: Path) -> Ground:
    ground = Ground(tmp_path)
    await ground.before().create("practice", 1)
    return ground


@pytest.fixture
async def moving(ground: Ground) -> AsyncIterator[Successor]:
    """The process that moves; another one has not been restarted."""
    moving = ground.both()
    yield moving
    await moving.close()


async def test_until_it_begins_nothing_is_made_that_other_processes_could_not_open(
    ground: Ground, moving: Successor
) -> None:
    await moving.create("practice", 2)
    await moving.create("new practice", 1)

    assert await ground.before().versions("practice") == {1, 2}
    assert await ground.before().versions("new practice") == {1}
    assert await ground.after().versions("practice") == frozenset()


async def test_from_then_on_new_versions_are_in_the_second_and_numbers_go_on(
    ground: Ground, moving: Successor
) -> None:
    await moving.adopt()
    await moving.adopt()
    await moving.create("practice", 1)
    await moving.create("practice", 2)
    await moving.create("new practice", 1)

    assert await ground.before().versions("practice") == {1}
    assert await ground.after().versions("practice") == {2}
    assert await ground.after().versions("new practice") == {1}
    assert await moving.versions("practice") == {1, 2}
    assert await moving.newest("practice") == 2


async def test_a_batch_goes_from_the_one_to_the_other(ground: Ground, moving: Successor) -> None:
    items = [
        (await moving.wrap(1, SECRET, place), place)
        for place in (
            Context(Purpose.CASE_KEY, "practice", f"case {number}") for number in range(40)
        )
    ]
    await moving.adopt()
    await moving.create("practice", 2)

    moved = await moving.rewrap(1, 2, items)
    await moving.destroy("practice", 1)

    alone = ground.after()
    for wrapped, (_, place) in zip(moved, items, strict=True):
        assert await alone.unwrap(2, wrapped, place) == SECRET
    assert await ground.before().versions("practice") == frozenset()
    with pytest.raises(UnknownKeyVersionError):
        await moving.unwrap(1, *items[0])
    with pytest.raises(UnknownKeyVersionError):
        await moving.create("practice", 1)


async def test_one_altered_item_fails_its_batch_across(moving: Successor) -> None:
    wrapped = await moving.wrap(1, SECRET, CASE)
    await moving.adopt()
    await moving.create("practice", 2)
    altered = wrapped[:-1] + bytes((wrapped[-1] ^ 1,))
    with pytest.raises(UnsealError):
        await moving.rewrap(1, 2, [(wrapped, CASE), (altered, CASE)])


async def test_each_version_says_who_keeps_it(moving: Successor, ground: Ground) -> None:
    await moving.adopt()
    await moving.create("practice", 2)

    assert await moving.keeper("practice", 1) is moving.before
    assert await (await moving.keeper("practice", 2)).versions("practice") == {2}
    assert await ground.both().keeper("practice", 1) is not moving.before


async def test_a_version_that_another_process_makes_in_the_first_is_found_there(
    ground: Ground, moving: Successor
) -> None:
    with pytest.raises(UnknownKeyVersionError):
        await moving.wrap(2, SECRET, CASE)
    await ground.before().create("practice", 2)

    wrapped = await moving.wrap(2, SECRET, CASE)

    assert await ground.before().unwrap(2, wrapped, CASE) == SECRET


async def test_both_sign_as_one(ground: Ground, moving: Successor) -> None:
    await moving.adopt()
    for name in ("log", "certificate"):
        assert await ground.after().signing_key(name) == await ground.before().signing_key(name)
        assert await moving.signing_key(name) == await ground.before().signing_key(name)


async def test_a_place_that_belongs_to_another_installation_is_refused_and_nothing_made_there(
    tmp_path: Path,
) -> None:
    ground = Ground(tmp_path)
    await ground.after().set_up({"log": SECRET, "certificate": SecretKey.generate()})
    moving = ground.both()

    with pytest.raises(KeyringExistsError):
        await moving.adopt()
    await moving.create("practice", 1)

    assert await ground.after().versions("practice") == frozenset()
