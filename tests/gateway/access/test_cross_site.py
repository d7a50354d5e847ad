"""Requests that a page of another site makes a browser send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import pytest

from gateway.settings import Settings
from tests.gateway.ground import SQLITE, Browser, employee, logged, refused, signed_in
from tests.house import API, PASSWORD, House, open_house

pytestmark = SQLITE
LOGOUT = ("DELETE", f"{API}/session")


NOT_OUR_PAGE = [
    {"X-CSRF-Token": ""},
    {"X-CSRF-Token": "0" * 64},
    {"X-CSRF-Token": "\u00e9"},
    {"Origin": "https://evil.invalid"},
    {"Origin": "null"},
    {"Origin": "https://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


async def test_a_change_that_our_page_did_not_ask_for_is_refused(house: House) -> None:
    browser = await signed_in(house)
    for headers in NOT_OUR_PAGE:
        refused(await browser.ask(*LOGOUT, headers=headers), 403, "cross_site")
        assert (await browser.ask("GET", f"{API}/session")).status == 200


async def test_our_own_page_is_let_through(house: House) -> None:
    browser = await signed_in(house)
    ours = {"Origin": house.url, "Sec-Fetch-Site": "same-origin"}

    assert (await browser.ask(*LOGOUT, headers=ours)).status == 204


async def test_the_csrf_token_of_another_session_does_not_do(house: House) -> None:
    first = await signed_in(house)
    second = Browser(house, house.url)
    await second.sign_in("dentist-with-password@people.invalid")
    assert second.csrf

    stolen = {"X-CSRF-Token": second.csrf}
    refused(await first.ask(*LOGOUT, headers=stolen), 403, "cross_site")


async def test_nobody_can_be_signed_in_from_another_site(house: House) -> None:
    email = await employee(house)
    for headers in ({"Origin": "https://evil.invalid"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await Browser(house, house.url, headers).sign_in(email)
        refused(answer, 403, "cross_site")
        assert "Set-Cookie" not in answer.headers


async def test_no_answer_invites_another_origin(house: House) -> None:
    browser = await signed_in(house)
    foreign = {"Origin": "https://evil.invalid", "Access-Control-Request-Method": "POST"}
    for method, path in (("GET", f"{API}/session"), ("OPTIONS", f"{API}/session"), LOGOUT):
        answer = await browser.ask(method, path, headers=foreign)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.fixture
async def behind_proxy(settings: Settings) -> AsyncIterator[House]:
    """The same, with a proxy in front that is believed."""
    async with open_house(settings.model_copy(update={"trusted_proxies": ("127.0.0.1",)})) as house:
        yield house


async def test_behind_a_trusted_proxy_the_cookie_is_for_tls_alone(behind_proxy: House) -> None:
    tls = {"X-Forwarded-Proto": "https"}
    browser = Browser(behind_proxy, behind_proxy.url, tls)
    answer = await browser.sign_in(await employee(behind_proxy))

    cookie = next(iter(SimpleCookie(answer.headers["Set-Cookie"]).values()))
    assert cookie.key == "__Host-kluis"
    assert cookie["secure"]
    assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Strict")
    ours = {"Origin": behind_proxy.url.replace("http:", "https:")}
    theirs = {"Origin": behind_proxy.url}
    refused(await browser.ask(*LOGOUT, headers=theirs), 403, "cross_site")
    assert (await browser.ask(*LOGOUT, headers=ours)).status == 204


async def test_behind_a_trusted_proxy_the_last_address_it_adds_is_logged(
    behind_proxy: House,
) -> None:
    for said in ("203.0.113.7", "spoofed, 203.0.113.7", "198.51.100.9, 203.0.113.7"):
        await behind_proxy.dentist.ask("GET", f"{API}/cases", headers={"X-Forwarded-For": said})
        assert (await logged(behind_proxy, "case.list"))[-1]["user"]["address"] == "203.0.113.7"
    await behind_proxy.dentist.ask("GET", f"{API}/cases", headers={"X-Forwarded-For": "nonsense"})
    assert (await logged(behind_proxy, "case.list"))[-1]["user"]["address"] == "127.0.0.1"


async def test_behind_a_proxy_that_adds_a_line_what_the_client_said_before_is_not_believed(
    behind_proxy: House,
) -> None:
    person = behind_proxy.dentist
    address = ("X-Forwarded-For", "198.51.100.9"), ("X-Forwarded-For", "203.0.113.7")
    async with person.session.get(
        f"{person.url}{API}/cases", headers=[*address, ("Authorization", f"Bearer {person.token}")]
    ) as response:
        assert response.status == 200
    assert (await logged(behind_proxy, "case.list"))[-1]["user"]["address"] == "203.0.113.7"

    body = {"email": await employee(behind_proxy), "password": PASSWORD}
    for protocols, name in ((("https", "http"), "kluis="), (("http", "https"), "__Host-kluis=")):
        lines = [("X-Forwarded-Proto", protocol) for protocol in protocols]
        async with person.session.post(
            f"{person.url}{API}/session", json=body, headers=lines
        ) as response:
            assert response.status == 200
            assert response.headers["Set-Cookie"].startswith(name)


async def test_what_anybody_else_says_of_themselves_is_not_believed(house: House) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    browser = Browser(house, house.url, said)
    answer = await browser.sign_in(await employee(house), PASSWORD)

    assert answer.headers["Set-Cookie"].startswith("kluis=")
    assert (await logged(house, "session.open"))[-1]["user"]["address"] == "127.0.0.1"
