"""Sessions in a browser: opened by password, bound to a cookie, ended for certain."""

from __future__ import annotations

from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from sqlalchemy import func, select

from gateway.ids import hash_secret
from storage.schema import sessions
from tests.gateway.ground import SQLITE, Browser, change, employee, logged, refused, signed_in
from tests.house import API, PASSWORD, House

pytestmark = SQLITE


async def test_who_signs_in_gets_a_cookie_that_no_script_and_no_other_site_gets(
    house: House,
) -> None:
    browser = Browser(house, house.url)
    answer = await browser.sign_in(await employee(house))

    cookie = next(iter(SimpleCookie(answer.headers["Set-Cookie"]).values()))
    assert cookie.key == "kluis"  # __Host- needs TLS; plain HTTP is loopback
    assert len(cookie.value) == 43
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert (cookie["domain"], cookie["expires"], cookie["max-age"]) == ("", "", "")
    assert answer.json()["account"]["controller_id"] == house.practice.id
    assert cookie.value not in answer.text


async def test_the_address_is_found_however_it_is_typed(house: House) -> None:
    email = await employee(house)

    assert (await Browser(house, house.url).sign_in(f" {email.upper()} ")).status == 200


async def test_a_wrong_password_and_an_unknown_address_get_one_answer(house: House) -> None:
    email = await employee(house)
    await house.rooms.accounts.add_account(
        email="disabled@people.invalid", role="planner", password=PASSWORD
    )
    await change(house, "UPDATE accounts SET disabled_at = 1 WHERE email LIKE 'disabled@%'")
    browser = Browser(house, house.url)
    answers = [
        await browser.sign_in(email, "not the right password"),
        await browser.sign_in("nobody@people.invalid"),
        await browser.sign_in("disabled@people.invalid"),
        await browser.sign_in(house.planner.email),  # has no password at all
        await browser.sign_in(email, ""),
        await browser.sign_in(email, "x" * 1024),
    ]

    for answer in answers:
        refused(answer, 401, "login_failed")
        assert answer.body == answers[0].body
        assert "Set-Cookie" not in answer.headers


async def test_a_failed_login_is_logged_without_what_was_typed(house: House) -> None:
    email = await employee(house)
    await Browser(house, house.url).sign_in("my secret password", "my secret password")
    await Browser(house, house.url).sign_in(email, "my secret password")

    unknown, known = await logged(house, "session.open")
    assert unknown["event"]["stage"] == known["event"]["stage"] == "refused"
    assert unknown["user"]["id"] == "unknown"
    assert known["user"]["role"] == "dentist"
    assert "secret" not in str((unknown, known))


async def test_every_login_makes_a_new_secret_and_leaves_the_other_alone(house: House) -> None:
    email = await employee(house)
    first, second = Browser(house, house.url), Browser(house, house.url)
    await first.sign_in(email)
    await second.sign_in(email, Cookie=first.cookie)  # a cookie brought along is not adopted

    assert first.cookie != second.cookie
    assert first.csrf != second.csrf
    assert (await first.ask("GET", f"{API}/session")).status == 200


async def test_signing_out_ends_the_session_at_once(house: House) -> None:
    browser = await signed_in(house)
    answer = await browser.ask("DELETE", f"{API}/session")

    assert answer.status == 204
    cookie = next(iter(SimpleCookie(answer.headers["Set-Cookie"]).values()))
    assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/")
    refused(await browser.ask("GET", f"{API}/session"), 401, "unauthenticated")
    refused(await browser.ask("GET", f"{API}/cases"), 401, "unauthenticated")


async def test_the_view_of_a_session_gives_its_csrf_token_again(house: House) -> None:
    browser = await signed_in(house)
    view = (await browser.ask("GET", f"{API}/session")).json()

    assert view["csrf_token"] == browser.csrf
    assert view["account"]["role"] == "dentist"


@pytest.mark.parametrize(
    "moment",
    [
        "seen_at = seen_at - 30 * 60 * 1000000",
        "expires_at = created_at",
    ],
    ids=["idle for half an hour", "past its end"],
)
async def test_a_session_ends_by_time(house: House, moment: str) -> None:
    browser = await signed_in(house)
    assert (await browser.ask("GET", f"{API}/cases")).status == 200
    await change(house, f"UPDATE sessions SET {moment}")

    refused(await browser.ask("GET", f"{API}/cases"), 401, "unauthenticated")


async def test_use_keeps_a_session_from_idling_but_not_from_its_end(house: House) -> None:
    browser = await signed_in(house)
    await change(house, "UPDATE sessions SET seen_at = seen_at - 20 * 60 * 1000000")
    assert (await browser.ask("GET", f"{API}/cases")).status == 200
    await change(house, "UPDATE sessions SET seen_at = seen_at - 20 * 60 * 1000000")

    assert (await browser.ask("GET", f"{API}/cases")).status == 200
    await change(house, "UPDATE sessions SET expires_at = expires_at - 12 * 3600 * 1000000")
    refused(await browser.ask("GET", f"{API}/cases"), 401, "unauthenticated")


async def test_a_session_lives_as_long_as_the_settings_say(house: House) -> None:
    await signed_in(house)
    async with house.rooms.main.reading() as connection:
        row = (await connection.execute(select(sessions))).one()

    assert row.expires_at - row.created_at == timedelta(hours=house.settings.session_hours)


async def test_a_disabled_account_loses_session_and_token_at_once(house: House) -> None:
    browser = await signed_in(house)
    await change(house, "UPDATE accounts SET disabled_at = 1 WHERE role = 'dentist'")

    refused(await browser.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    refused(await house.dentist.ask("GET", f"{API}/cases"), 401, "unauthenticated")


async def test_a_token_ends_by_time_and_by_revocation(house: House) -> None:
    await change(
        house, "UPDATE tokens SET revoked_at = 1 WHERE account_id = :id", id=house.planner.id
    )
    await change(
        house, "UPDATE tokens SET expires_at = 1 WHERE account_id = :id", id=house.dentist.id
    )

    for person in (house.planner, house.dentist):
        answer = await person.ask("GET", f"{API}/cases")
        refused(answer, 401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_secrets_are_stored_as_hashes_alone(house: House) -> None:
    browser = await signed_in(house)
    secret = browser.cookie.partition("=")[2]
    async with house.rooms.main.reading() as connection:
        digests = (await connection.execute(select(sessions.c.secret_hash))).scalars().all()

    assert digests == [hash_secret(secret)]
    files = [path.read_bytes() for path in house.settings.data.parent.rglob("*") if path.is_file()]
    for kept in (secret, PASSWORD, house.dentist.token or "", browser.csrf):
        assert not [content for content in files if kept.encode() in content]


async def test_what_cannot_be_undone_needs_the_password_once_more(house: House) -> None:
    browser = await signed_in(house)
    case_id = await house.dentist.new_case()
    path, body = f"{API}/cases/{case_id}/erasure", {"reason": "asked for", "confirm": case_id}
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 5 * 60 * 1000000")

    refused(await browser.ask("POST", path, json=body), 403, "confirmation_required")
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["frozen"] is False
    confirm = f"{API}/session/confirmation"
    wrong = await browser.ask("POST", confirm, json={"password": "not the right password"})
    refused(wrong, 401, "login_failed")
    refused(await browser.ask("POST", path, json=body), 403, "confirmation_required")
    assert (await browser.ask("POST", confirm, json={"password": PASSWORD})).status == 200
    assert (await browser.ask("POST", path, json=body)).status == 202


async def test_somebody_elses_password_confirms_nothing(house: House) -> None:
    browser = await signed_in(house)
    await house.rooms.accounts.add_account(
        email="other@people.invalid", role="planner", password="a quite different sentence"
    )
    answer = await browser.ask(
        "POST", f"{API}/session/confirmation", json={"password": "a quite different sentence"}
    )

    refused(answer, 401, "login_failed")
    assert (await logged(house, "session.confirm"))[-1]["event"]["stage"] == "refused"


async def test_the_sweep_forgets_sessions_that_are_over(house: House) -> None:
    await signed_in(house)
    await change(house, "UPDATE sessions SET expires_at = 1")
    await house.rooms.sweeper.sweep()

    async with house.rooms.main.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(sessions)) == 0


async def test_a_token_is_preferred_to_a_cookie_and_needs_no_csrf_token(house: House) -> None:
    browser = await signed_in(house, "coordinator")
    headers = {"Authorization": f"bearer {house.dentist.token}", "X-CSRF-Token": ""}
    body = {"patient": {"name": "A", "birth_date": "2001-02-03", "number": "1"}}

    answer = await browser.ask("POST", f"{API}/cases", headers=headers, json=body)
    assert answer.status == 201
