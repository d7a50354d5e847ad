"""A new root key for the local keyring, while processes serve on."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

from gateway.access.actors import operator
from gateway.ids import new_id, now
from gateway.privacy.rootkey import renew_root
from keys.providers.local import LocalKeyring
from storage import nodes
from tests.gateway.ground import logged, until
from tests.house import API, PASSPHRASE, PATIENT, House

ANOTHER = "another passphrase for tests"


async def test_a_root_key_is_replaced_while_a_process_serves_on(house: House) -> None:
    case_id = await house.dentist.new_case()
    keyring = LocalKeyring.open(house.settings.keyring_path, PASSPHRASE)

    await renew_root(
        house.rooms.main,
        house.rooms.services.access,
        keyring,
        operator(),
        ANOTHER,
        lambda _: None,
    )

    assert "succession" not in json.loads(house.settings.keyring_path.read_bytes())
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["patient"] == PATIENT
    await house.dentist.erase(case_id)
    again = LocalKeyring.open(house.settings.keyring_path, ANOTHER)
    assert await again.versions(house.practice.id) == {2}
    stages = [each["event"]["stage"] for each in await logged(house, "key.rotate")]
    assert stages == ["authorised", "outcome"]


async def test_the_old_root_key_opens_until_the_last_living_process_has_the_new_one(
    house: House,
) -> None:
    node_id = new_id()
    async with house.rooms.main.transaction() as tx:
        await nodes.beat(tx, node_id, now(), now() + timedelta(hours=1))
    thief = LocalKeyring.open(house.settings.keyring_path, PASSPHRASE)
    keyring = LocalKeyring.open(house.settings.keyring_path, PASSPHRASE)
    told: list[int] = []
    renewal = asyncio.create_task(
        renew_root(
            house.rooms.main,
            house.rooms.services.access,
            keyring,
            operator(),
            PASSPHRASE,
            told.append,
        )
    )

    async def waits_for_that_one() -> bool:
        return told[-1:] == [1]

    await until(waits_for_that_one)
    assert await thief.versions(house.practice.id) == {1}

    async with house.rooms.main.transaction() as tx:
        await nodes.use(tx, node_id, await keyring.edition())
    await renewal
    assert "succession" not in json.loads(house.settings.keyring_path.read_bytes())
