"""Signing on at a real provider, and everything that must not get in by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.access import signon
from gateway.access.arrivals import Membership
from gateway.access.policy import Role
from gateway.access.throttle import BEGUN
from gateway.app import open_rooms
from gateway.errors import InvalidInputError
from gateway.ids import new_id
from gateway.settings import Settings
from tests.gateway.access.signing_on import MAIL, Opening, person, reasons, visitor
from tests.gateway.ground import SQLITE, Browser, change, logged, refused
from tests.house import API, PASSPHRASE, PASSWORD, House, open_house
from tests.signon import CLIENT_ID, Canaille

STAFF = ("coordinators=coordinator", "planners=planner")
pytestmark = pytest.mark.usefixtures("cheap_passwords")


async def test_who_the_provider_knows_signs_on_and_is_linked(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening(oidc_second_factor=("pwd",)) as house:
        account_id = await person(house, "pat")
        browser = visitor(house, canaille)
        answer = await browser.sign_on("pat")
        assert answer.status == 200, answer.text
        assert answer.json()["account"]["id"] == account_id
        assert answer.json()["restricted"] is None
        assert (await browser.ask("GET", f"{API}/session")).status == 200
        linked = (await logged(house, "account.link"))[-1]
        assert linked["event"]["stage"] == "outcome"
        assert linked["object"]["id"] == account_id
        opened = (await logged(house, "session.open"))[-1]["event"]["detail"]
        assert opened["proofs"] == ["oidc", "provider_factor"]
        # From here on it is the subject that counts, whatever the address.
        assert (await visitor(house, canaille).sign_on("pat")).status == 200
        assert len(await logged(house, "account.link")) == 2


@SQLITE
async def test_by_default_the_providers_second_factor_counts_for_nothing(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening() as house:
        await person(house, "pat")
        browser = visitor(house, canaille)
        first = await browser.sign_on("pat")
        assert first.json()["restricted"] == "second_factor"
        assert (await browser.ask("GET", f"{API}/cases")).status == 403
        secret_codes = await browser.enrol(MAIL["pat"])
        assert secret_codes
        again = await visitor(house, canaille).sign_on("pat")
        assert again.status == 202
        assert again.json()["methods"] == ["recovery_code", "totp"]


@SQLITE
async def test_a_local_account_stays_one(opening: Opening, canaille: Canaille) -> None:
    async with opening() as house:
        await person(house, "noor", "dentist", controller_id=house.practice.id, password=PASSWORD)
        assert (await Browser(house, house.url).sign_in(MAIL["noor"])).status == 200


@SQLITE
async def test_who_is_not_known_here_is_refused(opening: Opening, canaille: Canaille) -> None:
    async with opening(oidc_groups=STAFF) as house:
        refused(await visitor(house, canaille).sign_on("pat"), 401, "sign_on_refused")
        assert await reasons(house) == ["unknown"]


@SQLITE
async def test_by_setting_staff_are_made_in_the_role_of_their_first_group(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening(oidc_groups=STAFF, oidc_create_staff=True) as house:
        made = await visitor(house, canaille).sign_on("chris")
        assert made.json()["account"]["role"] == "coordinator"
        assert made.json()["account"]["controller_id"] is None
        assert made.json()["restricted"] == "second_factor"
        refused(await visitor(house, canaille).sign_on("robin"), 401, "sign_on_refused")
        refused(await visitor(house, canaille).sign_on("sam"), 401, "sign_on_refused")
        refused(await visitor(house, canaille).sign_on("noor"), 401, "sign_on_refused")
        assert await reasons(house) == ["groups", "email", "groups"]


@SQLITE
async def test_nobody_is_made_for_a_practice(opening: Opening, canaille: Canaille) -> None:
    groups = (f"north=dentist@{new_id()}",)
    async with opening(oidc_groups=groups, oidc_create_staff=True) as house:
        refused(await visitor(house, canaille).sign_on("noor"), 401, "sign_on_refused")
        assert await reasons(house) == ["unknown"]


@SQLITE
async def test_an_unverified_address_links_nobody(opening: Opening, canaille: Canaille) -> None:
    async with opening() as house:
        await person(house, "sam")
        refused(await visitor(house, canaille).sign_on("sam"), 401, "sign_on_refused")
        assert await reasons(house) == ["email"]


@SQLITE
async def test_without_a_group_that_names_it_no_practice_is_entered(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening() as house:
        await person(house, "noor", "dentist", controller_id=house.practice.id)
        refused(await visitor(house, canaille).sign_on("noor"), 401, "sign_on_refused")
        assert await reasons(house) == ["client"]


@SQLITE
async def test_a_group_opens_its_own_practice_and_no_other(
    settings: Settings, opening: Opening, canaille: Canaille
) -> None:
    async with opening() as house:
        other = await house.rooms.accounts.add_controller(name="South", email="a@south.invalid")
        await person(house, "noor", "dentist", controller_id=house.practice.id)
    for practice, status in ((other.id, 401), (house.practice.id, 200)):
        async with opening(oidc_groups=(f"north=practice_manager@{practice}",)) as again:
            answer = await visitor(again, canaille).sign_on("noor")
            assert answer.status == status, answer.text
    assert answer.json()["account"]["role"] == "practice_manager"
    assert answer.json()["account"]["controller_id"] == house.practice.id


@SQLITE
async def test_who_leaves_every_group_is_out_and_who_changes_them_changes_role(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening() as house:
        await person(house, "pat", "coordinator")
        assert (await visitor(house, canaille).sign_on("pat")).status == 200
    async with opening(oidc_groups=STAFF) as house:
        answer = await visitor(house, canaille).sign_on("pat")
        assert answer.json()["account"]["role"] == "planner"
        changed = (await logged(house, "account.change"))[-1]
        assert changed["event"]["detail"] == {"role": "planner", "revoked_tokens": 0}
        assert changed["user"]["id"] == "system:sign-on"
    async with opening(oidc_groups=STAFF[:1]) as house:
        refused(await visitor(house, canaille).sign_on("pat"), 401, "sign_on_refused")


@SQLITE
async def test_another_subject_links_only_after_the_first_is_forgotten(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening(oidc_second_factor=("pwd",)) as house:
        account_id = await person(house, "pat")
        browser = visitor(house, canaille)
        assert (await browser.sign_on("pat")).status == 200
        await change(house, "UPDATE identities SET subject = 'another'")
        refused(await visitor(house, canaille).sign_on("pat"), 401, "sign_on_refused")
        assert await reasons(house) == ["linked"]
        assert await house.rooms.accounts.unlink(email=MAIL["pat"]) == 1
        assert (await browser.ask("GET", f"{API}/session")).status == 401
        again = await visitor(house, canaille).sign_on("pat")
        assert again.json()["account"]["id"] == account_id


@SQLITE
async def test_who_is_disabled_here_stays_out(opening: Opening, canaille: Canaille) -> None:
    async with opening() as house:
        await person(house, "pat")
        await house.rooms.accounts.disable(email=MAIL["pat"])
        refused(await visitor(house, canaille).sign_on("pat"), 401, "sign_on_refused")
        assert await reasons(house) == ["disabled"]


@SQLITE
async def test_what_came_back_is_of_use_once_and_to_one_browser(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening() as house:
        await person(house, "pat")
        browser, thief = visitor(house, canaille), visitor(house, canaille)
        back = await browser.visit("pat")
        await thief.begin()
        stolen = await thief.bring(back)  # login CSRF the other way round: somebody else's code
        refused(stolen, 401, "sign_on_refused")
        nothing = await visitor(house, canaille).bring(back)
        assert nothing.body == stolen.body
        assert (await browser.bring(back)).status == 200
        refused(await browser.bring(back), 401, "sign_on_refused")
        assert await reasons(house) == ["state", "cookie", "cookie"]


@SQLITE
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "x" * 43}, "state"),
        ({"code": "not a code"}, "code"),
        ({"iss": "https://other.invalid"}, "iss"),
        ({"iss": None}, "iss"),
    ],
)
async def test_a_wrong_answer_ends_the_sign_on(
    opening: Opening, canaille: Canaille, change: dict[str, Any], why: str
) -> None:
    async with opening() as house:
        await person(house, "pat")
        browser = visitor(house, canaille)
        back = await browser.visit("pat")
        refused(await browser.bring({**back, **change}), 401, "sign_on_refused")
        refused(await browser.bring(back), 401, "sign_on_refused")
        assert await reasons(house) == [why, "cookie"]


@SQLITE
async def test_sign_ons_that_lead_to_nothing_are_counted_by_network(
    opening: Opening, canaille: Canaille, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signon, "BEGUN", replace(BEGUN, free=2))
    async with opening() as house:
        browser = visitor(house, canaille)
        for _ in range(3):
            await browser.begin()
        refused(await browser.ask("POST", f"{API}/session/oidc"), 429, "too_many_attempts")


@SQLITE
async def test_a_passkeys_ticket_begins_no_sign_on(opening: Opening, canaille: Canaille) -> None:
    async with opening() as house:
        await person(house, "pat")
        browser = visitor(house, canaille)
        back = await browser.visit("pat")
        name = browser.under_way.partition("=")[0]
        begun = await browser.ask("POST", f"{API}/session/passkey/options", json={})
        browser.under_way = f"{name}={begun.json()['ticket']}"
        refused(await browser.bring(back), 401, "sign_on_refused")


@SQLITE
async def test_another_site_begins_and_ends_nothing(opening: Opening, canaille: Canaille) -> None:
    elsewhere = {"Origin": "https://evil.invalid", "Sec-Fetch-Site": "cross-site"}
    async with opening() as house:
        browser = visitor(house, canaille)
        browser.headers = elsewhere
        begun = await browser.ask("POST", f"{API}/session/oidc")
        refused(begun, 403, "cross_site")
        refused(await browser.bring({"code": "x", "state": "y"}), 403, "cross_site")


@SQLITE
async def test_the_ways_in_are_told_to_whoever_asks(
    house: House, opening: Opening, canaille: Canaille
) -> None:
    nobody = Browser(house, house.url)
    ways = await nobody.ask("GET", f"{API}/sign-on")
    assert ways.json() == {"passkeys": False, "oidc": False}
    refused(await nobody.ask("POST", f"{API}/session/oidc"), 404, "not_found")
    async with opening() as other:
        ways = await Browser(other, other.url).ask("GET", f"{API}/sign-on")
        assert ways.json() == {"passkeys": True, "oidc": True}


@SQLITE
async def test_a_provider_that_is_gone_keeps_nobody_from_a_password(settings: Settings) -> None:
    gone = {
        "public_url": "https://kluis.example.invalid",
        "oidc_issuer": "http://127.0.0.1:1",
        "oidc_client_id": CLIENT_ID,
    }
    async with open_house(settings.model_copy(update=gone)) as house:
        browser = Browser(house, house.url)
        refused(await browser.ask("POST", f"{API}/session/oidc"), 503, "unavailable")
        await house.rooms.accounts.add_account(
            email=MAIL["noor"],
            role="dentist",
            controller_id=house.practice.id,
            password=PASSWORD,
        )
        assert (await browser.sign_in(MAIL["noor"])).status == 200


@SQLITE
@pytest.mark.parametrize(
    ("field", "chosen"),
    [
        ("oidc_issuer", {"oidc_issuer": "http://provider.invalid"}),
        ("oidc_client_id", {"oidc_client_id": ""}),
        ("public_url", {"public_url": ""}),
        ("oidc_groups", {"oidc_groups": ("planners=boss",)}),
        ("oidc_groups", {"oidc_groups": ("planners=planner@one",)}),
        ("oidc_groups", {"oidc_groups": ("north=dentist",)}),
        ("oidc_groups", {"oidc_groups": ("planner",)}),
    ],
)
async def test_settings_that_cannot_serve_are_named_at_the_start(
    settings: Settings, field: str, chosen: dict[str, Any]
) -> None:
    right = {
        "public_url": "https://kluis.example.invalid",
        "oidc_issuer": "https://provider.invalid",
        "oidc_client_id": CLIENT_ID,
    }
    with pytest.raises(InvalidInputError) as caught:
        async with open_rooms(settings.model_copy(update={**right, **chosen}), PASSPHRASE):
            pass
    assert caught.value.field == field


def test_a_groups_name_may_hold_what_providers_put_in_it() -> None:
    assert Membership.parse("/house/a=b = planner") == Membership("/house/a=b", Role.PLANNER, None)
    assert Membership.parse("north=dentist@one").controller_id == "one"
