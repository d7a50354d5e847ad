"""Back-ups by themselves, and what the doctor says of them."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.backup.health import look
from gateway.backup.place import MARK
from gateway.backup.schedule import LEASE, Schedule
from gateway.ids import now
from gateway.settings import Settings
from storage import leases
from tests.gateway.backup.ground import Ground, back_up
from tests.gateway.ground import SQLITE, logged
from tests.house import API, PATIENT, open_house

pytestmark = SQLITE


def said(settings: Settings, later: timedelta = timedelta(0)) -> dict[str, str]:
    """What the doctor found, with its state."""
    return {finding.found: finding.state for finding in look(settings, now() + later)}


async def test_a_back_up_is_written_when_the_last_one_is_old_enough(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        hourly = Schedule(house.rooms.backups, house.rooms.main, "one", hours=1)
        await hourly.look()
        await hourly.look()
        assert len(ground.place.whole()) == 1
        always = Schedule(house.rooms.backups, house.rooms.main, "one", hours=1e-9)
        await always.look()
        events = await logged(house, "backup.write")

    assert len(ground.place.whole()) == 2
    assert {event["user"]["id"] for event in events} == {"system:backup"}


async def test_one_node_at_a_time_writes(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        main = house.rooms.main
        assert await leases.acquire(main, LEASE, "other", timedelta(minutes=1), now())
        await Schedule(house.rooms.backups, main, "one", hours=1).look()

    assert ground.place.whole() == []


async def test_a_back_up_that_fails_is_logged_and_ends_nothing(ground: Ground) -> None:
    shutil.rmtree(ground.place.root)
    async with open_house(ground.settings) as house:
        with capture_logs() as lines:
            await Schedule(house.rooms.backups, house.rooms.main, "one", hours=1).look()

    (line,) = [line for line in lines if line["event"] == "backup_failed"]
    assert (line["error"], line["place"]) == ("backup_place_unusable", str(ground.place.root))


async def test_the_doctor_says_what_a_back_up_lacks(ground: Ground) -> None:
    hourly = ground.settings.model_copy(update={"backup_hours": 1.0})
    assert said(hourly)[f"{ground.keys} is on the disk of the data"] == "warning"
    async with open_house(hourly) as house:
        await back_up(house, ground.place)
    generation = ground.place.newest()
    tried = f"{ground.place.root}: a restore was tried"

    assert said(hourly)[f"{tried} never"] == "warning"
    ground.place.remember_test(generation.id, now())
    assert not [found for found in said(hourly) if "tried" in found]
    assert [found for found in said(hourly, timedelta(days=31)) if found.startswith(tried)]
    assert "failed" not in said(hourly, timedelta(hours=1.5)).values()
    assert "failed" in said(hourly, timedelta(hours=2.5)).values()


@pytest.mark.parametrize("name", ["place", "keys"])
def test_the_doctor_names_a_place_that_erasures_wait_for(ground: Ground, name: str) -> None:
    path = {"place": ground.place.root, "keys": ground.keys}[name]
    (path / MARK).unlink()

    assert said(ground.settings)[f"{path} is no place that can be written to"] == "failed"


def test_the_doctor_warns_of_a_house_without_back_ups(ground: Ground) -> None:
    bare = ground.settings.model_copy(
        update={"backup_directories": (), "key_backup_directories": ()}
    )
    bare.recovery_key_path.unlink()

    assert said(bare) == {"no recovery key": "warning", "no place is registered": "warning"}


def test_the_doctor_warns_of_keys_beside_what_they_open(ground: Ground) -> None:
    both = ground.settings.model_copy(update={"key_backup_directories": ()})
    assert said(both)["the keys are not backed up"] == "warning"
    same = ground.settings.model_copy(update={"key_backup_directories": (ground.place.root,)})
    assert said(same)[f"{ground.place.root} holds keys and data"] == "warning"


async def test_a_case_with_another_key_is_backed_up_again_at_once(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        yearly = Schedule(house.rooms.backups, house.rooms.main, "one", hours=9000)
        case_id = await house.dentist.new_case()
        await yearly.look()
        await yearly.look()
        assert len(ground.place.whole()) == 1
        other = {**PATIENT, "name": "Wilhelmina Verbeterd"}
        answer = await house.dentist.ask("PUT", f"{API}/cases/{case_id}/patient", json=other)
        assert answer.status < 300, answer.text
        await yearly.look()

    assert len(ground.place.whole()) == 2
