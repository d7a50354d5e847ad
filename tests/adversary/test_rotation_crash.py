"""kill -9 at every durable step of replacing a key: run again, it ends right; no key is lost."""

from __future__ import annotations

import itertools
import signal

import pytest

from gateway.app import open_rooms
from gateway.privacy.casekeys import place_of
from gateway.settings import Settings, load
from keys.providers.local import LocalKeyring
from storage import keystore
from storage.rows import every
from storage.schema import wrapped_keys
from tests.adversary.crashing import Victim, victim
from tests.house import PASSPHRASE, open_house
from tests.openbao import BaoMount

STEPS = 20  # a rotation takes more than this; a test that stopped early would not notice
SIGNING_STEPS = 5


async def opens_whole(settings: Settings) -> int:
    """Open every key that is wrapped under a practice's; how many there are."""
    async with open_rooms(settings, PASSPHRASE) as rooms:
        async with rooms.keystore.reading() as connection:
            rows = await connection.execute(wrapped_keys.select())
            kept = [row for row in every(keystore.WrappedKey, rows) if row.version is not None]
        for row in kept:
            await rooms.keyring.unwrap(row.version or 0, row.wrapped, place_of(row))
    return len(kept)


async def has_one_version(settings: Settings, practice: str) -> None:
    async with open_rooms(settings, PASSPHRASE) as rooms:
        held = await rooms.keyring.versions(practice)
        async with rooms.keystore.reading() as connection:
            known = await keystore.versions(connection, practice)
    assert held == {known[-1].version}
    assert [each.state for each in known] == ["destroyed"] * (len(known) - 1) + ["current"]


async def kill_at_each_step(server: Victim, *command: str) -> int:
    """Run the command again and again, killed one step later each time, until it survives."""
    kept = await opens_whole(server.settings)
    kills = 0
    while True:
        server.countdown.write_text(str(kills))
        status = await server.run(*command)
        server.countdown.unlink()
        if status == 0:
            return kills
        assert status == signal.SIGKILL, f"after {kills} steps"
        assert await server.is_whole() == [], f"after {kills} steps"
        assert await opens_whole(server.settings) == kept, f"after {kills} steps"
        assert await server.run(*command) == 0, f"after {kills} steps"
        assert await opens_whole(server.settings) == kept, f"after {kills} steps"
        kills += 1


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_kill_at_any_durable_step_of_a_rotation_loses_no_key(settings: Settings) -> None:
    async with open_house(settings) as house:
        practice = house.practice.id
        await house.submitted_case()
        await house.dentist.new_case()
    async with victim(settings) as server:
        kills = await kill_at_each_step(server, "keys", "rotate", "--client", practice)

    print(f"killed at each of {kills} durable steps")  # noqa: T201
    assert kills > STEPS
    await has_one_version(settings, practice)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_move_to_another_provider_that_is_killed_again_and_again_goes_on_and_ends(
    settings: Settings, mount: BaoMount
) -> None:
    async with open_house(settings) as house:
        practices = [house.practice.id, (await house.add_practice())[0].id]
        await house.submitted_case()
    written = {**mount.chosen(), "key_provider_before": "local"}
    lines = [f'{name} = "{value}"' for name, value in written.items()]
    (settings.data / "kluis.toml").write_text("\n".join([*lines, ""]))
    moving = load(
        data=settings.data,
        database_url=settings.database_url,
        keystore_url=settings.keystore_url,
    )
    kept = await opens_whole(moving)
    async with victim(moving) as server:
        for steps in itertools.count():
            server.countdown.write_text(str(steps))
            status = await server.run("keys", "migrate")
            server.countdown.unlink()
            assert await server.is_whole() == [], f"after {steps} steps"
            assert await opens_whole(moving) == kept + 1, f"after {steps} steps"
            if status == 0:
                break
            assert status == signal.SIGKILL, f"after {steps} steps"

    print(f"killed {steps} times")  # noqa: T201
    assert steps > STEPS / 2
    alone = LocalKeyring.open(settings.keyring_path, PASSPHRASE)
    for practice in practices:
        assert await alone.versions(practice) == frozenset()
    arrived = moving.model_copy(update={"key_provider_before": ""})
    assert await opens_whole(arrived) == kept + 1


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_kill_at_any_durable_step_of_a_new_root_key_leaves_a_keyring_that_opens(
    settings: Settings,
) -> None:
    async with open_house(settings) as house:
        await house.submitted_case()
    async with victim(settings) as server:
        kills = await kill_at_each_step(server, "keys", "rotate-root")

    print(f"killed at each of {kills} durable steps")  # noqa: T201
    assert kills >= STEPS / 2
    assert b"succession" not in settings.keyring_path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_kill_at_any_durable_step_of_a_new_signing_key_leaves_one_that_is_published(
    settings: Settings,
) -> None:
    first = settings.certificate_key_path.read_text().split()
    async with victim(settings) as server:
        kills = await kill_at_each_step(server, "keys", "rotate-signing", "certificate")

    assert kills >= SIGNING_STEPS
    lines = settings.certificate_key_path.read_text().split()
    keyring = LocalKeyring.open(settings.keyring_path, PASSPHRASE)
    assert (await keyring.signing_key("certificate")).verifier == lines[0]
    assert lines[-1:] == first
    assert len(set(lines)) == len(lines)
