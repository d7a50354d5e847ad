"""One's own account and practice: seen, corrected, taken along, closed (P4, P20, P25, P26)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.access import profile
from gateway.settings import Settings
from storage.schema import (
    accounts,
    devices,
    events,
    factors,
    notices,
    recovery_codes,
    sessions,
    wrapped_keys,
)
from tests.gateway.ground import (
    SQLITE,
    Browser,
    change,
    employee,
    logged,
    refused,
    signed_in,
    until,
)
from tests.house import API, PASSWORD, House
from tests.mail import house_with_mail

pytestmark = pytest.mark.usefixtures("cheap_passwords")

NAME, PHONE = "Wilhelmina de Vries-Hoekstra", "+31 20 555 01 17"


async def _key(house: House, account_id: str) -> bool:
    """Whether there is a key of this account."""
    async with house.rooms.keystore.reading() as connection:
        theirs = select(wrapped_keys).where(wrapped_keys.c.object_id == account_id)
        return bool((await connection.execute(theirs)).all())


@SQLITE
async def test_everybody_sees_and_corrects_the_own_account_and_the_log_keeps_no_value(
    house: House,
) -> None:
    before = await house.dentist.get(f"{API}/account")
    assert (before["email"], before["name"], before["language"]) == (
        *(house.dentist.email, None),
        "en",
    )

    body = {"name": NAME, "phone": PHONE, "language": "nl"}
    changed = (await house.dentist.ask("PATCH", f"{API}/account", json=body)).json()
    cleared = (await house.dentist.ask("PATCH", f"{API}/account", json={"phone": None})).json()

    assert {name: changed[name] for name in body} == body
    assert (cleared["phone"], cleared["name"]) == (None, NAME)
    async with house.rooms.main.reading() as connection:
        records = (await connection.execute(select(events.c.record))).scalars().all()
    assert not [record for record in records if record and (NAME in record or PHONE in record)]
    outcomes = [one for one in await logged(house, "profile.change") if "cause" in one["event"]]
    assert outcomes[0]["event"]["detail"] == {"changed": ["language", "name", "phone"]}


@SQLITE
async def test_nobody_raises_themself_by_correcting_the_own_account(house: House) -> None:
    for body in ({"role": "administrator"}, {"email": "x@y.invalid"}, {"controller_id": None}):
        answer = await house.dentist.ask("PATCH", f"{API}/account", json=body)
        refused(answer, 422, "invalid_input")


@SQLITE
async def test_an_export_has_all_that_is_held_and_no_secret(house: House) -> None:
    browser = await signed_in(house, "planner")
    answer = await browser.ask("GET", f"{API}/account/export")
    held = answer.json()

    assert answer.status == 200, answer.text
    assert held["account"]["email"] == "planner-with-password@people.invalid"
    assert (held["has_password"], held["practice"]) == (True, None)
    assert [factor["kind"] for factor in held["factors"]] == ["totp"]
    assert held["recovery_codes_left"] == 10
    assert len(held["sessions"]) == 1
    assert held["confidential_at"]
    assert "argon2" not in answer.text
    assert not [name for name in answer.text.split('"') if "secret" in name or "hash" in name]


async def test_an_export_has_what_one_did_and_nothing_that_others_did(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await house.dentist.new_case()
    browser = await signed_in(house, "planner")
    await house.dentist.get(f"{API}/cases/{case}")
    refused(await browser.ask("GET", f"{API}/cases/{case}"), 404, "not_found")

    async def own() -> list[dict[str, object]]:
        found, after = [], -1
        while after is not None:
            answer = await browser.ask("GET", f"{API}/account/events", params={"after": after})
            assert answer.status == 200, answer.text
            found += answer.json()["events"]
            after = answer.json()["next"]
        return found

    async def is_whole() -> bool:
        return any(event["stage"] == "refused" for event in await own())

    await until(is_whole)
    whole = await own()
    assert {event["actor"]["email"] for event in whole} == {"planner-with-password@people.invalid"}  # type: ignore[index]
    assert {"session.open", "factor.activate", "case.view"} <= {event["event"] for event in whole}
    # However short the stretch, the parts are the whole.
    monkeypatch.setattr(profile, "STRETCH", 20)  # each page is two events more
    assert [event["id"] for event in await own()][: len(whole)] == [event["id"] for event in whole]


@SQLITE
async def test_who_closes_the_account_is_out_and_erased_and_told_where_they_were(
    settings: Settings,
) -> None:
    async with house_with_mail(settings) as (house, box):
        browser = await signed_in(house, "planner")
        email = "planner-with-password@people.invalid"
        own = (await browser.ask("GET", f"{API}/account")).json()["id"]
        await browser.ask("PATCH", f"{API}/account", json={"name": NAME})
        assert await _key(house, own)

        assert (await browser.ask("DELETE", f"{API}/account")).status == 204

        refused(await browser.ask("GET", f"{API}/account"), 401, "unauthenticated")
        refused(await Browser(house, house.url).sign_in(email), 401, "login_failed")
        await box.about("closed", email)

        async def is_gone() -> bool:
            async with house.rooms.main.reading() as connection:
                return not (await connection.execute(select(notices))).all()

        await until(is_gone)
        async with house.rooms.main.reading() as connection:
            row = (await connection.execute(select(accounts).where(accounts.c.id == own))).one()
            assert (row.name, row.phone, row.password_hash) == (None, None, None)
            assert email not in repr(row)
            for table in (sessions, factors, recovery_codes, devices):
                theirs = select(table).where(table.c.account_id == own)
                assert not (await connection.execute(theirs)).all(), table.name
        assert not await _key(house, own)


@SQLITE
async def test_closing_needs_a_fresh_proof_and_a_session(house: House) -> None:
    browser = await signed_in(house)
    await change(house, "UPDATE sessions SET confirmed_at = 0")

    refused(await browser.ask("DELETE", f"{API}/account"), 403, "confirmation_required")
    refused(await house.dentist.ask("DELETE", f"{API}/account"), 403, "out_of_scope")


@SQLITE
async def test_the_last_manager_of_a_practice_cannot_close_the_account(house: House) -> None:
    browser = await signed_in(house, "practice_manager")

    refused(await browser.ask("DELETE", f"{API}/account"), 409, "wrong_state")

    await change(
        house,
        "UPDATE accounts SET role = 'practice_manager', password_hash = 'x' WHERE id = :id",
        id=house.dentist.id,
    )
    assert (await browser.ask("DELETE", f"{API}/account")).status == 204


@SQLITE
async def test_a_manager_corrects_the_practice_and_its_old_address_is_told(
    settings: Settings,
) -> None:
    async with house_with_mail(settings) as (house, box):
        browser = await signed_in(house, "practice_manager")
        body = {
            "name": "Practice North-East",
            "email": "New@north.invalid",
            "address": "Kade 1\n1011 AA Amsterdam",
            "phone": PHONE,
        }
        changed = (await browser.ask("PATCH", f"{API}/practice", json=body)).json()

        assert changed["email"] == "new@north.invalid"
        assert {name: changed[name] for name in ("name", "address", "phone")} == {
            name: body[name] for name in ("name", "address", "phone")
        }
        assert await house.dentist.get(f"{API}/practice") == changed
        await box.about("was changed", "mail@north.invalid")
        manager = await house.add_person("practice_manager", house.practice.id)
        for person, code in ((await signed_in(house), "forbidden"), (manager, "out_of_scope")):
            answer = await person.ask("PATCH", f"{API}/practice", json={"phone": None})
            refused(answer, 403, code)


@SQLITE
async def test_a_practice_that_asks_a_second_factor_gets_one_at_the_next_sign_in(
    house: House,
) -> None:
    browser = await signed_in(house, "practice_manager")
    body = {"second_factor_required": True}
    assert (await browser.ask("PATCH", f"{API}/practice", json=body)).status == 200

    answer = await house.stranger.ask(
        "POST",
        f"{API}/session",
        json={"email": await employee(house), "password": PASSWORD},
    )
    assert answer.json()["restricted"] == "second_factor"
