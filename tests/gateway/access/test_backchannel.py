"""The sign-on provider ends sessions by back-channel logout, and nobody else does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jwt
from sqlalchemy import update

from gateway.access.idtokens import LOGOUT_EVENT
from gateway.ids import new_id, now
from storage.schema import sessions
from tests.gateway.access.signing_on import MAIL, Opening, person, visitor
from tests.gateway.ground import SQLITE, Browser, logged, refused
from tests.house import API, PASSWORD, Answer, House
from tests.signon import CLIENT_ID, Canaille

pytestmark = pytest.mark.usefixtures("cheap_passwords")


@dataclass
class Ending:
    """The provider's logout tokens, rightly signed."""

    canaille: Canaille
    house: House

    async def send(self, **claims: Any) -> Answer:
        at = int(now().timestamp())
        whole = {
            "iss": self.canaille.issuer,
            "aud": CLIENT_ID,
            "iat": at,
            "exp": at + 60,
            "jti": new_id(),
            "events": {LOGOUT_EVENT: {}},
            **claims,
        }
        header = {"alg": "RS256", "kid": "one", "typ": "logout+jwt"}
        return await self.post(jwt.encode(header, whole, self.canaille.key))

    async def post(self, token: str) -> Answer:
        browser = Browser(self.house, self.house.url)
        form = {"logout_token": token, "something": "else"}
        return await browser.ask("POST", f"{API}/session/oidc/logout", data=form)


async def test_the_provider_ends_the_sessions_that_it_began_and_no_other(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening(oidc_second_factor=("pwd",)) as house:
        await person(house, "pat", password=PASSWORD)
        by_provider, by_password = visitor(house, canaille), Browser(house, house.url)
        # In this order: the first factor, which this sets up, ends every other session.
        assert (await by_password.sign_in(MAIL["pat"])).status == 200
        assert (await by_provider.sign_on("pat")).status == 200
        ending = Ending(canaille, house)
        assert (await ending.send(sub="somebody else")).status == 200
        assert (await by_provider.ask("GET", f"{API}/session")).status == 200
        answer = await ending.send(sub="pat")
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await by_provider.ask("GET", f"{API}/session")).status == 401
        assert (await by_password.ask("GET", f"{API}/session")).status == 200
        last = (await logged(house, "session.end"))[-1]["event"]
        assert last["detail"] == {"ended": 1}


@SQLITE
async def test_a_logout_counts_once_and_only_if_the_provider_signed_it(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening(oidc_second_factor=("pwd",)) as house:
        await person(house, "pat")
        ending, once = Ending(canaille, house), new_id()
        assert (await ending.send(sub="pat", jti=once)).status == 200
        browser = visitor(house, canaille)
        assert (await browser.sign_on("pat")).status == 200
        refused(await ending.send(sub="pat", jti=once), 400, "bad_request")
        refused(await ending.send(sub="pat", aud="another client"), 400, "bad_request")
        refused(await ending.send(sub="pat", nonce="n"), 400, "bad_request")
        refused(await ending.post("not a token"), 400, "bad_request")
        refused(await ending.post(""), 400, "bad_request")
        assert (await browser.ask("GET", f"{API}/session")).status == 200


@SQLITE
async def test_a_logout_of_one_session_leaves_the_persons_others(
    opening: Opening, canaille: Canaille
) -> None:
    async with opening(oidc_second_factor=("pwd",)) as house:
        account_id = await person(house, "pat")
        one, two = visitor(house, canaille), visitor(house, canaille)
        for browser, name in ((one, "first"), (two, "second")):
            assert (await browser.sign_on("pat")).status == 200
            async with house.rooms.main.transaction() as tx:
                unnamed = sessions.c.provider_session.is_(None)
                theirs = update(sessions).where(unnamed, sessions.c.account_id == account_id)
                await tx.execute(theirs.values(provider_session=name))
        assert (await Ending(canaille, house).send(sid="first")).status == 200
        assert (await one.ask("GET", f"{API}/session")).status == 401
        assert (await two.ask("GET", f"{API}/session")).status == 200
