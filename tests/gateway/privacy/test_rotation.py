"""A new key for a practice: everything living moves along, and nothing is left under the old."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.access.accountkeys import HOUSE
from gateway.access.actors import operator
from gateway.errors import InvalidInputError
from gateway.ids import new_id, now
from gateway.privacy import puncture
from gateway.privacy.casekeys import place_of
from keys.errors import UnknownKeyVersionError
from storage import accounts, erasures, keystore, nodes
from storage.erasures import Puncture
from tests.gateway.ground import SQLITE, logged, signed_in, until
from tests.house import API, PATIENT, SCAN, House


async def rotate(house: House, *controllers: str) -> list[Puncture]:
    """Ask for it and wait until it is done."""
    punctures = list(await house.rooms.rotations.request(operator(), controllers or None))

    async def is_done() -> bool:
        return (await house.rooms.rotations.progress(punctures)).practices == 0

    await until(is_done)
    return punctures


async def slow_node(house: House) -> str:
    """A node that lives and lets go of nothing, so that no puncture ends."""
    node_id = new_id()
    async with house.rooms.main.transaction() as tx:
        await nodes.beat(tx, node_id, now(), now() + timedelta(hours=1))
    return node_id


async def let_go(house: House, node_id: str, controller_id: str, version: int) -> None:
    async with house.rooms.main.transaction() as tx:
        await nodes.dropped(tx, node_id, controller_id, version)


async def states(house: House, controller_id: str) -> list[tuple[int, str]]:
    async with house.rooms.keystore.reading() as connection:
        found = await keystore.versions(connection, controller_id)
    return [(each.version, each.state) for each in found]


async def test_a_rotation_moves_every_key_and_destroys_the_old_version(house: House) -> None:
    living, scan = await house.submitted_case()
    draft = await house.dentist.new_case()
    address, _ = await house.dentist.begin_upload(draft, len(SCAN))
    await house.dentist.append(address, 0, SCAN[:1000])
    _, foreign = await house.add_practice()
    elsewhere = await foreign.new_case()
    async with house.rooms.keystore.reading() as connection:
        [row, *_] = await keystore.under_version(connection, house.practice.id, 1, limit=1)

    await rotate(house, house.practice.id)

    assert await states(house, house.practice.id) == [(1, "destroyed"), (2, "current")]
    assert await house.rooms.keyring.versions(house.practice.id) == {2}
    place = place_of(row)
    with pytest.raises(UnknownKeyVersionError):
        await house.rooms.keyring.unwrap(1, row.wrapped, place)
    assert len(await house.dentist.download(living, scan["id"])) == len(SCAN)
    found = await house.dentist.post(f"{API}/cases/search", {"patient_number": PATIENT["number"]})
    assert [case["id"] for case in found["cases"]] == [draft, living]
    assert (await house.dentist.append(address, 1000, SCAN[1000:])).status == 204
    assert (await foreign.get(f"{API}/cases/{elsewhere}"))["patient"] == PATIENT
    assert await house.rooms.keyring.versions(elsewhere) == frozenset()


async def test_every_practice_gets_a_new_key_and_an_event_in_its_own_log(house: House) -> None:
    south, _ = await house.add_practice()

    await rotate(house)

    for practice in (house.practice, south):
        assert await house.rooms.keyring.versions(practice.id) == {2}
    ends = [each for each in await logged(house, "key.rotate") if "controller_id" in each["object"]]
    assert {each["object"]["controller_id"] for each in ends} == {house.practice.id, south.id}
    assert {each["user"]["id"] for each in ends} == {"system:rotation"}
    assert {each["event"]["stage"] for each in ends} == {"outcome"}
    assert [each["event"]["detail"] for each in ends] == [{"current": 2, "destroyed": 1}] * 2


async def test_versions_are_listed_with_the_keys_that_are_still_under_them(house: House) -> None:
    await house.dentist.new_case()
    node_id = await slow_node(house)
    await house.rooms.rotations.request(operator(), [house.practice.id])

    async def has_moved() -> bool:
        async with house.rooms.main.reading() as connection:
            return bool(await erasures.punctures_at(connection, "backed_up"))

    await until(has_moved)
    held = await house.rooms.rotations.versions(operator())
    assert [(each.version.version, each.version.state, each.keys) for each in held] == [
        (1, "retiring", 0),
        (2, "current", 2),
    ]

    await let_go(house, node_id, house.practice.id, 1)

    async def is_destroyed() -> bool:
        return (await states(house, house.practice.id))[0] == (1, "destroyed")

    await until(is_destroyed)


async def test_a_rotation_that_is_under_way_is_not_asked_for_twice(house: House) -> None:
    node_id = await slow_node(house)
    first = await house.rooms.rotations.request(operator(), [house.practice.id])
    again = await house.rooms.rotations.request(operator(), [house.practice.id])
    assert [each.id for each in again] == [each.id for each in first]

    await let_go(house, node_id, house.practice.id, 1)
    await rotate(house, house.practice.id)

    assert await house.rooms.keyring.versions(house.practice.id) == {2}


@SQLITE
async def test_a_rotation_of_all_that_broke_off_leaves_alone_what_is_done(house: House) -> None:
    south, _ = await house.add_practice()
    node_id = await slow_node(house)
    asked = await house.rooms.rotations.request(operator(), None)
    await let_go(house, node_id, house.practice.id, 1)

    async def first_is_done() -> bool:
        return (await house.rooms.rotations.progress(asked)).practices == 1

    await until(first_is_done)
    rest = await house.rooms.rotations.request(operator(), None)
    await let_go(house, node_id, south.id, 1)

    assert [each.controller_id for each in rest] == [south.id]
    await rotate(house, south.id)
    assert await house.rooms.keyring.versions(house.practice.id) == {2}


async def test_an_erasure_waits_for_the_end_of_a_rotation_and_has_a_puncture_of_its_own(
    house: House,
) -> None:
    erased, living = await house.dentist.new_case(), await house.dentist.new_case()
    node_id = await slow_node(house)
    await house.rooms.rotations.request(operator(), [house.practice.id])
    body = {"reason": "asked for", "confirm": erased}
    await house.dentist.post(f"{API}/cases/{erased}/erasure", body, 202)
    for _ in range(3):
        await house.rooms.erasures.advance()
    async with house.rooms.main.reading() as connection:
        [waiting] = await erasures.unfinished(connection)
    assert waiting.puncture_id is None

    for version in (1, 2):
        await let_go(house, node_id, house.practice.id, version)
    certificate = await house.dentist.erase(erased)

    assert certificate["body"]["key"]["destroyed_version"] == 2
    assert await house.rooms.keyring.versions(house.practice.id) == {3}
    assert (await house.dentist.get(f"{API}/cases/{living}"))["patient"] == PATIENT


@SQLITE
async def test_more_keys_than_one_stretch_all_move(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(puncture, "BATCH", 2)
    monkeypatch.setattr(puncture, "STRETCH", 2)
    made = [await house.dentist.new_case() for _ in range(11)]

    await rotate(house)

    for case_id in made:
        assert (await house.dentist.get(f"{API}/cases/{case_id}"))["patient"] == PATIENT
    assert await house.rooms.keyring.versions(house.practice.id) == {2}


@SQLITE
async def test_a_practice_that_is_not_there_has_no_key_to_rotate(house: House) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await house.rooms.rotations.request(operator(), [new_id()])
    assert caught.value.field == "client"


@SQLITE
async def test_a_practice_that_was_closed_gets_no_new_key(house: House) -> None:
    south, _ = await house.add_practice()
    async with house.rooms.main.transaction() as tx:
        await accounts.close_controller(tx, south.id, now())

    with pytest.raises(InvalidInputError) as caught:
        await house.rooms.rotations.request(operator(), [south.id])
    assert caught.value.field == "client"
    punctures = await rotate(house)
    assert [each.controller_id for each in punctures] == [house.practice.id]


async def test_a_rotation_of_all_moves_the_keys_of_people_and_their_codes_go_on(
    house: House,
) -> None:
    ours, theirs = await signed_in(house, "planner"), await signed_in(house)
    await theirs.enrol("dentist-with-password@people.invalid")

    await rotate(house)

    assert await states(house, HOUSE) == [(1, "destroyed"), (2, "current")]
    assert await states(house, house.practice.id) == [(1, "destroyed"), (2, "current")]
    tallies = {tally.name: tally for tally in await house.rooms.inventory.take(lambda _: None)}
    assert tallies["accounts with codes"].seen == 2
    assert [tally.faults for tally in tallies.values() if tally.faults] == []
    for browser in (ours, theirs):
        fresh = await browser.ask("POST", f"{API}/account/factors", json={"name": "second"})
        assert fresh.status == 201
