"""What a sign-on provider's word changes of an account, and when: not before all is proved."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from storage.schema import accounts, identities, notices, sign_ins
from tests.gateway.access.signing_on import MAIL, Opening, Visitor, person, visitor
from tests.gateway.ground import (
    RECOVERY_CODES,
    SQLITE,
    Browser,
    change,
    logged,
    refused,
    session_of,
)
from tests.house import API, PASSWORD, Answer, House
from tests.leaks import planted
from tests.signon import Canaille

STAFF = ("coordinators=coordinator", "planners=planner")
pytestmark = pytest.mark.usefixtures("cheap_passwords")


async def with_factor(house: House, role: str = "planner") -> str:
    """Pat, who has an account with a password and one-time codes here, and never signed on."""
    account_id = await person(house, "pat", role, password=PASSWORD)
    assert (await Browser(house, house.url).sign_in(MAIL["pat"])).status == 200
    return account_id


async def prove(visitor: Visitor, asked: Answer, code: str = "") -> Answer:
    """Answer a sign-on that asks for the second factor."""
    assert asked.status == 202, asked.text
    body = {"ticket": asked.json()["ticket"], "code": code or RECOVERY_CODES[MAIL["pat"]].pop()}
    return await visitor.ask("POST", f"{API}/session/factor", json=body)


async def linked(house: House) -> list[str]:
    """Whose accounts are linked, and whom a notice of it waits for."""
    async with house.rooms.main.reading() as connection:
        found = list((await connection.execute(select(identities.c.account_id))).scalars())
        told = select(notices.c.account_id).where(notices.c.kind == "sign_on_linked")
        assert list((await connection.execute(told)).scalars()) == found
    return found


async def role_of(house: House, account_id: str) -> str:
    async with house.rooms.main.reading() as connection:
        found = select(accounts.c.role).where(accounts.c.id == account_id)
        return str((await connection.execute(found)).scalar_one())


async def test_the_providers_word_alone_links_nobody_and_gives_nobody_another_role(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening(oidc_groups=STAFF) as house:
        account_id = await with_factor(house, "administrator")
        browser = visitor(house, canaille)
        asked = await browser.sign_on("pat")

        refused(await prove(browser, asked, "000000"), 401, "code_refused")
        assert await linked(house) == []
        assert await role_of(house, account_id) == "administrator"
        assert await logged(house, "account.link") == []

        assert (await prove(browser, asked)).json()["account"]["role"] == "planner"
        assert await linked(house) == [account_id]
        assert await role_of(house, account_id) == "planner"


@SQLITE
async def test_who_has_no_factor_yet_is_linked_by_the_sign_on_that_is_asked_for_one(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening() as house:
        account_id = await person(house, "pat")
        browser = visitor(house, canaille)
        assert (await browser.sign_on("pat")).json()["restricted"] == "second_factor"
        assert await linked(house) == []

        await browser.enrol(MAIL["pat"])
        again = visitor(house, canaille)
        assert (await prove(again, await again.sign_on("pat"))).status == 200
        assert await linked(house) == [account_id]


@SQLITE
async def test_another_role_by_a_group_ends_what_was_open_in_the_one_before(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening(oidc_groups=STAFF, oidc_second_factor=("pwd",)) as house:
        account_id = await person(house, "pat", "coordinator")
        before = await session_of(house, account_id)
        secret = await house.rooms.accounts.create_token(email=MAIL["pat"])
        token = {"Authorization": f"Bearer {planted('a token', secret)}"}
        assert (await before.ask("GET", f"{API}/session")).status == 200
        assert (await house.stranger.ask("GET", f"{API}/account", headers=token)).status == 200

        browser = visitor(house, canaille)
        assert (await browser.sign_on("pat")).status == 200
        refused(await before.ask("GET", f"{API}/session"), 401, "unauthenticated")
        gone = await house.stranger.ask("GET", f"{API}/account", headers=token)
        refused(gone, 401, "unauthenticated")
        said = (await logged(house, "account.change"))[-1]["event"]["detail"]
        assert said == {"role": "planner", "revoked_tokens": 1}

        # The same role ends nothing.
        assert (await visitor(house, canaille).sign_on("pat")).status == 200
        assert (await browser.ask("GET", f"{API}/session")).status == 200


@SQLITE
@pytest.mark.parametrize("way", ["unlink", "disable"])
async def test_a_sign_on_that_waits_for_a_factor_ends_with_what_it_waits_for(
    opening: Opening, canaille: Canaille, way: str
) -> None:
    async with opening() as house:
        await with_factor(house)
        browser = visitor(house, canaille)
        asked = await browser.sign_on("pat")
        await getattr(house.rooms.accounts, way)(email=MAIL["pat"])

        refused(await prove(browser, asked), 401, "code_refused")
        assert await linked(house) == []
        async with house.rooms.main.reading() as connection:
            assert (await connection.execute(select(sign_ins.c.subject))).all() == []


async def test_a_subject_that_another_account_got_meanwhile_opens_nothing(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening() as house:
        await with_factor(house)
        other = await person(house, "sam")
        browser = visitor(house, canaille)
        asked = await browser.sign_on("pat")
        taken = (
            "INSERT INTO identities (issuer, subject, account_id, created_at)"
            " SELECT issuer, subject, :other, created_at FROM sign_ins WHERE subject IS NOT NULL"
        )
        await change(house, taken, other=other)

        refused(await prove(browser, asked), 503, "unavailable")
        refused(await browser.ask("GET", f"{API}/session"), 401, "unauthenticated")
        assert (await prove(browser, asked)).status == 503  # the ticket was not used up
