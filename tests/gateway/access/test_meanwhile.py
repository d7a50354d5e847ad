"""What changes while somebody signs in: no proof outlives what it was checked against."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pyotp
import pytest
from sqlalchemy import select

from gateway.access.actors import Actor
from gateway.access.codes import Codes
from gateway.access.grants import Access, Grant
from gateway.access.passwords import Passwords
from gateway.access.policy import Action
from gateway.ids import now
from storage import accounts, factors, signins
from storage.accounts import Account
from storage.factors import Factor
from storage.schema import sign_ins
from tests.gateway.ground import (
    PATIENCE_SECONDS,
    RECOVERY_CODES,
    SQLITE,
    Browser,
    employee,
    logged,
    refused,
    session_of,
    signed_in,
)
from tests.house import API, PASSWORD, Answer, House

pytestmark = pytest.mark.usefixtures("cheap_passwords")

FRESH = "four other words entirely"
Gate = Callable[[Callable[[], Awaitable[object]], Awaitable[Answer]], Awaitable[Answer]]


@pytest.fixture
def once_checked(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Lets something happen between the check of a password and what follows from it."""
    checked, go = asyncio.Event(), asyncio.Event()
    verify = Passwords.verify

    async def held(self: Passwords, known: str | None, password: str) -> bool:
        right = await verify(self, known, password)
        checked.set()
        await go.wait()
        return right

    async def let(happen: Callable[[], Awaitable[object]], asking: Awaitable[Answer]) -> Answer:
        with monkeypatch.context() as patch:
            patch.setattr(Passwords, "verify", held)
            under_way = asyncio.ensure_future(asking)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await checked.wait()
                await happen()
                go.set()
                return await under_way

    return let


def sign_in(house: House, email: str) -> Awaitable[Answer]:
    body = {"email": email, "password": PASSWORD}
    return house.stranger.ask("POST", f"{API}/session", json=body)


async def by_password(house: House, email: str) -> Browser:
    """A browser whose person gave the password and nothing else."""
    browser = Browser(house, house.url)
    body = {"email": email, "password": PASSWORD}
    assert (await browser.ask("POST", f"{API}/session", json=body)).status == 200
    return browser


async def found(house: House, email: str) -> Account:
    async with house.rooms.main.reading() as connection:
        account = await accounts.find_account(connection, email)
    assert account is not None
    return account


async def is_out(house: House, email: str) -> bool:
    """Whether an account has neither a session nor a sign-in under way."""
    own = (await found(house, email)).id
    async with house.rooms.main.reading() as connection:
        opened = await accounts.sessions_of(connection, own)
        waiting = select(sign_ins).where(sign_ins.c.account_id == own)
        return not opened and not (await connection.execute(waiting)).all()


async def test_a_sign_in_by_a_password_that_was_replaced_meanwhile_opens_nothing(
    house: House, once_checked: Gate
) -> None:
    email = await employee(house)

    async def reset() -> None:
        await house.rooms.accounts.set_password(email=email, password=FRESH)

    refused(await once_checked(reset, sign_in(house, email)), 401, "login_failed")
    assert await is_out(house, email)
    last = (await logged(house, "session.open"))[-1]
    assert last["event"]["stage"] == "refused"


async def test_a_password_that_was_replaced_meanwhile_asks_for_no_second_factor(
    house: House, once_checked: Gate
) -> None:
    email = await employee(house, "planner")
    await Browser(house, house.url).sign_in(email)

    async def reset() -> None:
        await house.rooms.accounts.set_password(email=email, password=FRESH)

    refused(await once_checked(reset, sign_in(house, email)), 401, "login_failed")
    assert await is_out(house, email)


async def test_a_factor_that_was_enrolled_meanwhile_lets_no_password_in_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = await employee(house)
    owner, authorise = await by_password(house, email), Access.authorise

    async def enrolled(self: Access, actor: Actor, action: Action, **more: Any) -> Grant:
        if action is Action.SESSION_OPEN:
            await owner.enrol(email)
        return await authorise(self, actor, action, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Access, "authorise", enrolled)
        refused(await sign_in(house, email), 401, "login_failed")
    assert (await owner.ask("GET", f"{API}/session")).status == 200
    assert (await sign_in(house, email)).status == 202


@SQLITE
async def test_who_was_disabled_meanwhile_is_not_signed_in(
    house: House, once_checked: Gate
) -> None:
    email = await employee(house)

    async def disable() -> None:
        await house.rooms.accounts.disable(email=email)

    refused(await once_checked(disable, sign_in(house, email)), 401, "login_failed")
    assert await is_out(house, email)


async def test_a_change_of_password_by_one_that_was_replaced_meanwhile_changes_nothing(
    house: House, once_checked: Gate
) -> None:
    email = await employee(house)
    thief = await by_password(house, email)
    body = {"password": PASSWORD, "new_password": "a sentence of the thief alone"}

    async def reset() -> None:
        await house.rooms.accounts.set_password(email=email, password=FRESH)

    asking = thief.ask("POST", f"{API}/account/password", json=body)
    refused(await once_checked(reset, asking), 401, "login_failed")
    assert (await Browser(house, house.url).sign_in(email, FRESH)).status == 200


async def test_a_password_set_by_the_operator_ends_sessions_and_sign_ins_under_way(
    house: House,
) -> None:
    email = await employee(house, "planner")
    browser = Browser(house, house.url)
    await browser.sign_in(email)
    waiting = (await sign_in(house, email)).json()["ticket"]
    await house.rooms.accounts.set_password(email=email, password=FRESH)

    refused(await browser.ask("GET", f"{API}/session"), 401, "unauthenticated")
    late = {"ticket": waiting, "code": RECOVERY_CODES[email][-1]}
    answer = await house.stranger.ask("POST", f"{API}/session/factor", json=late)
    refused(answer, 401, "code_refused")
    outcome = (await logged(house, "account.change"))[-1]
    assert outcome["event"]["detail"] == {"ended_sessions": 1}


async def test_the_first_factor_ends_every_session_that_is_older_than_it(house: House) -> None:
    email = await employee(house, "planner")
    thief, owner = await by_password(house, email), await by_password(house, email)
    own = (await found(house, email)).id
    async with house.rooms.main.transaction() as tx:
        at = now()
        await signins.add(tx, signins.PendingSignIn(b"ticket", own, None, at, at))
    await owner.enrol(email)

    refused(await thief.ask("GET", f"{API}/session"), 401, "unauthenticated")
    assert (await owner.ask("GET", f"{API}/cases")).status == 200
    async with house.rooms.main.reading() as connection:
        assert (await connection.execute(select(sign_ins))).all() == []


async def test_a_later_factor_ends_no_session(house: House) -> None:
    email = await employee(house)
    browser, other = await by_password(house, email), Browser(house, house.url)
    await browser.enrol(email)
    await other.sign_in(email)
    await browser.enrol(email)

    assert (await other.ask("GET", f"{API}/session")).status == 200


async def test_a_session_that_proved_no_factor_adds_none_beside_one(house: House) -> None:
    email = await employee(house, "planner")
    await Browser(house, house.url).sign_in(email)
    own = (await found(house, email)).id
    for restricted in ("second_factor", None):
        older = await session_of(house, own, proofs="password", restricted=restricted)

        begun = (await older.ask("POST", f"{API}/account/factors", json={"name": "mine"})).json()
        path = f"{API}/account/factors/{begun['id']}/activation"
        code = {"code": pyotp.TOTP(begun["secret"]).now()}
        refused(await older.ask("POST", path, json=code), 401, "unauthenticated")
        assert await active(house, own) == 1
        assert (await older.ask("GET", f"{API}/session")).json()["restricted"] == restricted


async def test_a_session_that_ended_meanwhile_adds_no_factor(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = await employee(house)
    own, step = (await found(house, email)).id, Codes.step

    async def ended(self: Codes, account: Account, factor: Factor, code: str) -> int | None:
        given = await step(self, account, factor, code)
        async with house.rooms.main.transaction() as tx:
            await accounts.end_sessions(tx, own)
        return given

    browser = await by_password(house, email)
    begun = (await browser.ask("POST", f"{API}/account/factors", json={"name": "mine"})).json()
    monkeypatch.setattr(Codes, "step", ended)
    path = f"{API}/account/factors/{begun['id']}/activation"
    code = {"code": pyotp.TOTP(begun["secret"]).now()}

    refused(await browser.ask("POST", path, json=code), 401, "unauthenticated")
    assert await active(house, own) == 0


async def active(house: House, account_id: str) -> int:
    """How many factors of an account count."""
    async with house.rooms.main.reading() as connection:
        return len(await factors.active(connection, account_id))


async def test_a_practice_that_asks_a_second_factor_ends_the_sessions_without_one(
    house: House,
) -> None:
    weak, other = await signed_in(house), await session_of(house, house.dentist.id, proofs="oidc")
    email = await employee(house, "practice_manager")
    strong = await session_of(house, (await found(house, email)).id)
    beside = await session_of(house, (await house.add_practice())[1].id, proofs="password")
    name = {"name": "Practice North-East", "second_factor_required": False}
    assert (await strong.ask("PATCH", f"{API}/practice", json=name)).status == 200
    assert (await weak.ask("GET", f"{API}/session")).status == 200
    required = {"second_factor_required": True}
    assert (await strong.ask("PATCH", f"{API}/practice", json=required)).status == 200

    for browser in (weak, other):
        refused(await browser.ask("GET", f"{API}/session"), 401, "unauthenticated")
    for browser in (strong, beside):
        assert (await browser.ask("GET", f"{API}/session")).status == 200


async def test_a_manager_who_proved_no_second_factor_is_out_by_asking_for_one(
    house: House,
) -> None:
    weak = await signed_in(house, "practice_manager")
    required = {"second_factor_required": True}

    assert (await weak.ask("PATCH", f"{API}/practice", json=required)).status == 200
    refused(await weak.ask("GET", f"{API}/session"), 401, "unauthenticated")
