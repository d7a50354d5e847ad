"""Tries that have to wait: for whoever guesses, and never for the person who is guessed at."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDictProxy
from sqlalchemy import select

from gateway.access import throttle
from gateway.access.throttle import ACCOUNT, NETWORK, PAIR, Door, Throttle, delay, doors, network
from gateway.errors import TooManyAttemptsError
from storage.schema import notices, throttles
from tests.gateway.ground import (
    RECOVERY_CODES,
    SQLITE,
    Browser,
    change,
    employee,
    logged,
    refused,
)
from tests.house import API, PASSWORD, Answer, House

pytestmark = pytest.mark.usefixtures("cheap_passwords")

WRONG = "not the right password"


async def attempt(house: House, email: str, password: str = WRONG, cookie: str = "") -> Answer:
    """One try by somebody whose browser brings nothing, or this cookie."""
    return await house.stranger.ask(
        "POST",
        f"{API}/session",
        json={"email": email, "password": password},
        headers={"Cookie": cookie} if cookie else {},
    )


def device_cookies(answer: Answer) -> list[str]:
    """The cookies by which a browser is to be known again."""
    assert isinstance(answer.headers, CIMultiDictProxy)
    return [it for it in answer.headers.getall("Set-Cookie") if "-device=" in it]


def gate(house: House) -> Throttle:
    return house.rooms.second._throttle


async def used_up(house: House, *kinds: Door) -> None:
    """As if every free try had been used at these doors, and one more."""
    for door in kinds:
        small = replace(door, kind=replace(door.kind, free=0))
        await gate(house).enter(small)
        statement = "UPDATE throttles SET count = :count, until = until + 60000000 WHERE key = :key"
        await change(house, statement, count=door.kind.free + 1, key=door.key)


async def test_whoever_fails_too_often_waits_and_is_told_how_long(house: House) -> None:
    email = await employee(house)
    for _ in range(PAIR.free + 1):
        refused(await attempt(house, email), 401, "login_failed")

    answer = await attempt(house, email, PASSWORD)
    refused(answer, 429, "too_many_attempts")
    assert answer.headers["Retry-After"] == "1"


async def test_tries_at_the_same_moment_are_counted_each(house: House) -> None:
    email = await employee(house)
    answers = await asyncio.gather(*(attempt(house, email) for _ in range(PAIR.free + 6)))

    assert sorted(answer.status for answer in answers) == [401] * (PAIR.free + 1) + [429] * 5


@SQLITE
async def test_an_account_that_there_is_not_waits_like_one_that_there_is(house: House) -> None:
    known, unknown = await employee(house), "nobody-with-password@people.invalid"
    for _ in range(PAIR.free + 1):
        one, other = await attempt(house, known), await attempt(house, unknown)
        assert (one.status, one.body) == (other.status, other.body)

    one, other = await attempt(house, known), await attempt(house, unknown)
    assert (one.status, one.body, set(one.headers)) == (429, other.body, set(other.headers))


@SQLITE
async def test_a_stranger_who_fails_from_everywhere_does_not_shut_the_owner_out(
    house: House,
) -> None:
    email, owner = await employee(house), Browser(house, house.url)
    first = await owner.sign_in(email)
    (device,) = device_cookies(first)
    await used_up(
        house,
        Door(ACCOUNT, email),
        Door(NETWORK, network("127.0.0.1")),
        Door(PAIR, f"{email}\n{network('127.0.0.1')}"),
    )

    refused(await attempt(house, email, PASSWORD), 429, "too_many_attempts")
    assert (await attempt(house, email, PASSWORD, device.partition(";")[0])).status == 200


@SQLITE
async def test_a_known_device_has_a_bounded_number_of_tries_as_well(house: House) -> None:
    email, owner = await employee(house), Browser(house, house.url)
    first = await owner.sign_in(email)
    cookie = device_cookies(first)[0].partition(";")[0]
    for _ in range(throttle.DEVICE.free + 1):
        refused(await attempt(house, email, WRONG, cookie), 401, "login_failed")

    refused(await attempt(house, email, PASSWORD, cookie), 429, "too_many_attempts")


@SQLITE
async def test_a_device_is_known_to_the_accounts_that_signed_in_from_it_alone(
    house: House,
) -> None:
    mine, browser = await employee(house), Browser(house, house.url)
    first = await browser.sign_in(mine)
    (device,) = device_cookies(first)
    other = await employee(house, "planner")
    await used_up(house, Door(PAIR, f"{other}\n{network('127.0.0.1')}"))

    answer = await attempt(house, other, PASSWORD, device.partition(";")[0])
    refused(answer, 429, "too_many_attempts")


@SQLITE
async def test_a_device_cookie_that_we_did_not_make_is_not_adopted(house: House) -> None:
    email = await employee(house)
    made_up = "kluis-device=" + "A" * 43
    answer = await attempt(house, email, PASSWORD, made_up)

    (fresh,) = device_cookies(answer)
    assert "AAAA" not in fresh
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in fresh
    known = fresh.partition(";")[0]
    again = await attempt(house, email, PASSWORD, known)
    assert device_cookies(again) == []
    ended = [it for it in await logged(house, "session.open") if it["event"]["stage"] == "outcome"]
    assert [it["event"]["detail"]["new_device"] for it in ended] == [True, False]


async def told(house: House) -> list[str | None]:
    """Whom a notice of failed sign-ins waits for."""
    async with house.rooms.main.reading() as connection:
        kind = notices.c.kind == "many_failed_sign_ins"
        rows = await connection.execute(select(notices.c.account_id).where(kind))
        return list(rows.scalars())


async def test_the_owner_of_an_account_that_is_guessed_at_is_told_once_an_hour(
    house: House,
) -> None:
    email = await employee(house)
    await used_up(house, Door(PAIR, f"{email}\n{network('127.0.0.1')}"))

    answers = await asyncio.gather(*(attempt(house, email) for _ in range(4)))

    assert {answer.status for answer in answers} == {429}
    assert len(await told(house)) == 1
    hour = throttle.HOUR // timedelta(microseconds=1)
    key = Door(throttle.TOLD, email).key
    statement = "UPDATE throttles SET last_at = last_at - :by WHERE key = :key"
    await change(house, statement, by=hour - 60_000_000, key=key)
    refused(await attempt(house, email), 429, "too_many_attempts")
    assert len(await told(house)) == 1
    await change(house, statement, by=60_000_000, key=key)
    refused(await attempt(house, email), 429, "too_many_attempts")
    assert len(await told(house)) == 2


@SQLITE
async def test_the_owner_is_told_of_guessed_codes_too(house: House) -> None:
    email, browser = await employee(house), Browser(house, house.url)
    await browser.sign_in(email)
    await browser.enrol(email)
    account = (await browser.ask("GET", f"{API}/session")).json()["account"]["id"]
    await used_up(house, Door(throttle.CODE, account))
    ticket = (await attempt(house, email, PASSWORD)).json()["ticket"]

    body = {"ticket": ticket, "code": "123456"}
    answer = await house.stranger.ask("POST", f"{API}/session/factor", json=body)

    refused(answer, 429, "too_many_attempts")
    assert await told(house) == [account]


@SQLITE
async def test_nobody_is_told_of_an_account_that_there_is_not_or_that_opens_to_nobody(
    house: House,
) -> None:
    shut = await employee(house, "planner")
    await house.rooms.accounts.disable(email=shut)
    known, tokens_only, unknown = (
        await employee(house),
        house.dentist.email,
        "nobody@people.invalid",
    )
    said = []
    for email in (known, shut, tokens_only, unknown):
        await used_up(house, Door(PAIR, f"{email}\n{network('127.0.0.1')}"))
        said.append(await attempt(house, email))
        async with house.rooms.main.reading() as connection:
            key = throttles.c.key == Door(throttle.TOLD, email).key
            assert (await connection.execute(select(throttles.c.count).where(key))).scalar() == 1

    assert {(answer.status, answer.body) for answer in said} == {(429, said[0].body)}
    assert len(await told(house)) == 1


@SQLITE
async def test_a_network_that_waits_has_nobody_told(house: House) -> None:
    await used_up(house, Door(NETWORK, network("127.0.0.1")))

    refused(await attempt(house, await employee(house)), 429, "too_many_attempts")

    assert await told(house) == []


@SQLITE
async def test_the_right_password_takes_its_failures_back(house: House) -> None:
    email = await employee(house)
    for _ in range(2):
        for _ in range(PAIR.free):
            refused(await attempt(house, email), 401, "login_failed")
        assert (await attempt(house, email, PASSWORD)).status == 200


@SQLITE
async def test_many_accounts_that_fail_from_one_network_are_one_event_an_hour(
    house: House,
) -> None:
    for number in range(throttle.STUFFED + 3):
        refused(await attempt(house, f"person{number}@people.invalid"), 401, "login_failed")

    (record,) = await logged(house, "session.stuffing")
    assert record["event"]["detail"] == {"network": "127.0.0.0/24", "accounts": throttle.STUFFED}


@SQLITE
async def test_codes_of_one_account_wait_whatever_ticket_they_come_with(house: House) -> None:
    email, browser = await employee(house), Browser(house, house.url)
    await browser.sign_in(email)
    await browser.enrol(email)
    account = (await browser.ask("GET", f"{API}/session")).json()["account"]["id"]
    await used_up(house, Door(throttle.CODE, account))
    opened = (await attempt(house, email, PASSWORD)).json()["ticket"]

    body = {"ticket": opened, "code": "123456"}
    answer = await house.stranger.ask("POST", f"{API}/session/factor", json=body)
    refused(answer, 429, "too_many_attempts")


@SQLITE
async def test_who_has_the_password_keeps_no_code_of_the_owners_browser_out(house: House) -> None:
    email, owner = await employee(house), Browser(house, house.url)
    (device,) = device_cookies(await owner.sign_in(email))
    await owner.enrol(email)
    account = (await owner.ask("GET", f"{API}/session")).json()["account"]["id"]
    await used_up(house, Door(throttle.CODE, account))
    body = {"email": email, "password": PASSWORD}
    codes = RECOVERY_CODES[email]

    for cookie, status in (("", 429), (device.partition(";")[0], 200)):
        sent = {"Cookie": cookie} if cookie else {}
        asked = await house.stranger.ask("POST", f"{API}/session", json=body, headers=sent)
        right = {"ticket": asked.json()["ticket"], "code": codes[-1]}
        path = f"{API}/session/factor"
        answer = await house.stranger.ask("POST", path, json=right, headers=sent)
        assert answer.status == status, answer.text


@SQLITE
async def test_a_known_browser_has_a_bounded_number_of_codes_as_well(house: House) -> None:
    email, owner = await employee(house), Browser(house, house.url)
    (device,) = device_cookies(await owner.sign_in(email))
    await owner.enrol(email)
    cookie = {"Cookie": device.partition(";")[0]}
    body, path = {"email": email, "password": PASSWORD}, f"{API}/session/factor"
    statuses = []
    for _ in range(3):
        asked = await house.stranger.ask("POST", f"{API}/session", json=body, headers=cookie)
        wrong = {"ticket": asked.json()["ticket"], "code": "zzzzzz-zzzzzz-zzzzzz-zzzzzz"}
        for _ in range(5):
            answer = await house.stranger.ask("POST", path, json=wrong, headers=cookie)
            statuses.append(answer.status)

    free = throttle.CODE_ON_DEVICE.free + 1
    assert statuses[:free] == [401] * free
    assert 429 in statuses[free:]


@SQLITE
async def test_confirmations_of_one_session_wait_and_those_of_another_do_not(
    house: House,
) -> None:
    email = await employee(house)
    stolen, own = Browser(house, house.url), Browser(house, house.url)
    await stolen.sign_in(email)
    await own.sign_in(email)
    path = f"{API}/session/confirmation"
    for _ in range(throttle.CONFIRMATION.free + 1):
        refused(await stolen.ask("POST", path, json={"password": WRONG}), 401, "login_failed")

    refused(await stolen.ask("POST", path, json={"password": PASSWORD}), 429, "too_many_attempts")
    assert (await own.ask("POST", path, json={"password": PASSWORD})).status == 200


@SQLITE
async def test_agreements_that_somebody_asks_for_wait(house: House) -> None:
    door = Door(throttle.AGREEMENT, "operator")
    await used_up(house, door)

    with pytest.raises(TooManyAttemptsError):
        await gate(house).enter(door)


@SQLITE
async def test_after_a_long_silence_the_count_begins_anew(house: House) -> None:
    door = Door(PAIR, "anything")
    await used_up(house, door)
    day = PAIR.forget // timedelta(microseconds=1)
    await change(house, "UPDATE throttles SET last_at = last_at - :day, until = 0", day=day)
    await gate(house).enter(door)

    async with house.rooms.main.reading() as connection:
        (row,) = (await connection.execute(select(throttles))).mappings()
    assert (row["count"], row["until"]) == (1, row["last_at"])


@SQLITE
async def test_what_is_stored_of_a_try_names_nobody(house: House) -> None:
    await attempt(house, "somebody@people.invalid")
    async with house.rooms.main.reading() as connection:
        rows = (await connection.execute(select(throttles))).all()

    assert rows
    assert not [row for row in rows if b"somebody" in row.key or len(row.key) != 32]


@given(st.integers(0, 2**40))
def test_each_delay_is_at_least_the_one_before_and_at_most_a_quarter_of_an_hour(
    count: int,
) -> None:
    for kind in (PAIR, ACCOUNT, NETWORK):
        assert delay(kind, count) <= delay(kind, count + 1) <= throttle.LONGEST
        assert (delay(kind, count) == timedelta(0)) == (count <= kind.free)


@given(st.ip_addresses())
def test_an_address_counts_with_its_neighbours_and_with_itself(address: object) -> None:
    near = network(str(address))

    assert near == network(near.partition("/")[0])


def test_networks_are_as_wide_as_a_household() -> None:
    assert network("203.0.113.77") == network("203.0.113.1") == "203.0.113.0/24"
    assert network("::ffff:203.0.113.77") == "203.0.113.0/24"
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert network("fe80::1%eth0") == "fe80::/64"
    assert network(None) == "unknown"


def test_an_address_has_one_door_however_its_network_writes_it() -> None:
    plain = doors("a@b.invalid", "203.0.113.77", None)
    mapped = doors("a@b.invalid", "::ffff:203.0.113.9", None)

    assert [door.key for door in plain] == [door.key for door in mapped]
    assert len({door.key for door in plain}) == 3
