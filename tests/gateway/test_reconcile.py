"""Every file key that was opened must be accounted for by an event in the log."""

from __future__ import annotations

import pytest

from gateway.access.actors import Actor
from gateway.access.grants import Grant
from gateway.access.policy import Action, Role
from gateway.errors import UnavailableError
from gateway.ids import new_id
from gateway.privacy.casekeys import OpenCase
from gateway.release.content import Content
from keys.context import Context, Purpose
from keys.secret import SecretKey
from tests.gateway.ground import SQLITE, break_the_log, logged
from tests.house import House

pytestmark = SQLITE


async def alarms(house: House) -> list[object]:
    events = await logged(house, "integrity.alarm")
    return [event["event"]["detail"]["keys"] for event in events]


async def test_whatever_people_do_adds_up(house: House) -> None:
    case_id, file = await house.planned_case()
    await house.dentist.download(case_id, file["id"])
    await house.planner.download(case_id, file["id"])
    await house.dentist.ask("GET", f"/api/v1/cases/{case_id}/archive")

    assert house.rooms.unwraps[Purpose.FILE_KEY] >= 3
    assert await house.rooms.reconciliation.check() == 0
    assert await alarms(house) == []


async def test_a_grant_that_nobody_logged_is_an_alarm_that_names_it(house: House) -> None:
    case_id, file = await house.submitted_case()
    release = house.rooms.services.release
    actor = Actor(house.dentist.id, Role.DENTIST, house.practice.id)
    grant, contents = await release.open_case(actor, case_id)
    forged = Grant(new_id(), Action.FILE_DOWNLOAD, actor, "own_practice", grant.case)

    opened = await release._keys.open_case(forged)
    content = await release._open(forged, opened, contents[0].file)
    assert isinstance(content, Content)

    assert await house.rooms.reconciliation.check() == 1
    alarm = (await logged(house, "integrity.alarm"))[-1]
    assert alarm["event"]["detail"]["events"] == [forged.event_id]
    assert file["id"] == content.file.id


async def test_a_key_opened_past_every_grant_is_an_alarm(house: House) -> None:
    keyring = house.rooms.keyring
    case_key, place = SecretKey.generate(), Context(Purpose.FILE_KEY, "a", "b", "c")
    wrapped = keyring.wrap_file_key(case_key, SecretKey.generate(), place)

    keyring.unwrap_file_key(case_key, wrapped, place)

    assert await house.rooms.reconciliation.check() == 1
    assert await alarms(house) == [1]
    assert await house.rooms.reconciliation.check() == 0


async def test_an_alarm_that_could_not_be_written_is_raised_again(house: House) -> None:
    keyring = house.rooms.keyring
    case_key, place = SecretKey.generate(), Context(Purpose.FILE_KEY, "a", "b", "c")
    wrapped = keyring.wrap_file_key(case_key, SecretKey.generate(), place)
    keyring.unwrap_file_key(case_key, wrapped, place)
    await break_the_log(house)

    for _ in range(2):
        with pytest.raises(UnavailableError):
            await house.rooms.reconciliation.check()


async def test_an_open_case_knows_the_event_that_opened_it(house: House) -> None:
    case_id = await house.dentist.new_case()
    actor = Actor(house.dentist.id, Role.DENTIST, house.practice.id)
    grant = await house.rooms.services.access.authorise(actor, Action.CASE_VIEW, case_id)

    opened = await house.rooms.services.release._keys.open_case(grant)

    assert isinstance(opened, OpenCase)
    assert opened.event_id == grant.event_id
