"""The client of a sign-on provider: against a real one, and against ones that do not play fair."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from gateway.access.identity import TokenError, derived
from gateway.access.provider import ANSWER_LIMIT, Client, Provider, checked_address
from gateway.errors import UnavailableError
from gateway.ids import new_secret, now
from tests.signon import CLIENT_ID, REDIRECT, Canaille

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


def client(secret_file: Path | None = None) -> Client:
    return Client(
        CLIENT_ID, REDIRECT, secret_file, "openid email groups", "groups", timedelta(minutes=5)
    )


@asynccontextmanager
async def connected(issuer: str, ours: Client | None = None) -> AsyncIterator[Provider]:
    provider = Provider(issuer, ours or client())
    try:
        yield provider
    finally:
        await provider.close()


async def test_a_real_provider_says_who_it_is(canaille: Canaille, tmp_path: Path) -> None:
    secret_file = canaille.settings(tmp_path)["oidc_client_secret_file"]
    async with connected(canaille.issuer, client(secret_file)) as provider:
        secret = new_secret()
        address = await provider.authorization(secret)
        back = await asyncio.to_thread(canaille.visit, address, "pat")
        assert back["state"] == derived(secret, "state")
        found = await provider.redeem(back["code"], back["iss"], secret)
        assert (found.issuer, found.subject) == (canaille.issuer, "pat")
        assert found.email == "pat@house.invalid"
        assert found.groups == {"planners"}
        assert "pwd" in found.methods
        with pytest.raises(TokenError) as caught:
            await provider.redeem(back["code"], back["iss"], secret)
        assert caught.value.why == "code"


async def test_a_code_is_of_no_use_to_another_browser(canaille: Canaille, tmp_path: Path) -> None:
    secret_file = canaille.settings(tmp_path)["oidc_client_secret_file"]
    async with connected(canaille.issuer, client(secret_file)) as provider:
        back = await asyncio.to_thread(
            canaille.visit, await provider.authorization(new_secret()), "pat"
        )
        with pytest.raises(TokenError) as caught:  # PKCE: its verifier is another one
            await provider.redeem(back["code"], back["iss"], new_secret())
        assert caught.value.why == "code"


async def test_a_wrong_client_secret_is_a_fault_of_ours_and_gets_nothing(
    canaille: Canaille, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not the secret\n")
    async with connected(canaille.issuer, client(wrong)) as provider:
        secret = new_secret()
        address = await provider.authorization(secret)
        back = await asyncio.to_thread(canaille.visit, address, "pat")
        with pytest.raises(UnavailableError):
            await provider.redeem(back["code"], back["iss"], secret)


@dataclass
class Forger:
    """A provider whose every word a test can bend."""

    issuer: str = ""
    says: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    keys: list[RSAKey] = field(default_factory=lambda: [KEY])
    signs: RSAKey = field(default_factory=lambda: KEY)
    reads: int = 0
    forms: list[Mapping[str, Any]] = field(default_factory=list)
    token: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
    secret: str = field(default_factory=new_secret)

    async def metadata(self, _: web.Request) -> web.Response:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=one",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "code_challenge_methods_supported": ["S256"],
            **self.says,
        }
        return web.json_response(said)

    async def jwks(self, _: web.Request) -> web.Response:
        self.reads += 1
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def redeem(self, request: web.Request) -> web.StreamResponse:
        self.forms.append(dict(await request.post()))
        if self.token is not None:
            return await self.token(request)
        at = int(now().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "one",
            "iat": at,
            "exp": at + 60,
            "auth_time": at,
            "nonce": derived(self.secret, "nonce"),
            **self.claims,
        }
        header = {"alg": "RS256", "kid": self.signs.kid}
        return web.json_response({"id_token": jwt.encode(header, claims, self.signs)})


@asynccontextmanager
async def forging() -> AsyncIterator[Forger]:
    forger = Forger()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", forger.metadata)
    app.router.add_get("/jwks", forger.jwks)
    app.router.add_post("/token", forger.redeem)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        forger.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield forger
    finally:
        await runner.cleanup()


async def test_the_browser_is_sent_with_what_binds_the_answer_to_it() -> None:
    async with forging() as forger, connected(forger.issuer) as provider:
        asked = urlsplit(await provider.authorization(forger.secret))
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
    assert query["tenant"] == "one"
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == REDIRECT
    assert query["max_age"] == "300"
    assert query["state"] == derived(forger.secret, "state")
    assert query["nonce"] == derived(forger.secret, "nonce")
    assert len({query["state"], query["nonce"], query["code_challenge"], forger.secret}) == 4


async def test_a_public_client_sends_its_verifier_and_no_secret() -> None:
    async with forging() as forger, connected(forger.issuer) as provider:
        await provider.redeem("a code", None, forger.secret)
        assert forger.forms == [
            {
                "grant_type": "authorization_code",
                "code": "a code",
                "redirect_uri": REDIRECT,
                "client_id": CLIENT_ID,
                "code_verifier": derived(forger.secret, "verifier"),
            }
        ]


@pytest.mark.parametrize(
    "says",
    [
        pytest.param({"issuer": "http://127.0.0.1:1"}, id="another issuer"),
        pytest.param({"issuer": None}, id="no issuer"),
        pytest.param({"code_challenge_methods_supported": ["plain"]}, id="no PKCE"),
        pytest.param({"code_challenge_methods_supported": 7}, id="not a list"),
        pytest.param({"token_endpoint": "http://token.invalid/"}, id="a code in the clear"),
        pytest.param({"jwks_uri": "http://keys.invalid/"}, id="keys in the clear"),
        pytest.param({"authorization_endpoint": "javascript:alert(1)"}, id="a script"),
        pytest.param({"jwks_uri": None}, id="no keys"),
        pytest.param({"padding": "x" * ANSWER_LIMIT}, id="too long"),
    ],
)
async def test_a_provider_that_is_not_what_it_should_be_is_not_used(says: Any) -> None:
    async with forging() as forger, connected(forger.issuer) as provider:
        forger.says = says
        with pytest.raises(UnavailableError):
            await provider.authorization(forger.secret)


async def test_the_code_of_another_provider_is_never_sent_to_this_one() -> None:
    async with forging() as forger, connected(forger.issuer) as provider:
        with pytest.raises(TokenError):
            await provider.redeem("a code", "https://other.invalid", forger.secret)
        assert forger.forms == []


async def test_a_provider_that_names_itself_must_do_so_each_time() -> None:
    async with forging() as forger, connected(forger.issuer) as provider:
        forger.says = {"authorization_response_iss_parameter_supported": True}
        with pytest.raises(TokenError):
            await provider.redeem("a code", None, forger.secret)
        assert (await provider.redeem("a code", forger.issuer, forger.secret)).subject == "one"


async def test_keys_are_read_anew_for_one_not_known_but_not_at_a_strangers_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with forging() as forger, connected(forger.issuer) as provider:
        await provider.authorization(forger.secret)
        forger.signs = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
        for _ in range(3):
            with pytest.raises(TokenError):
                await provider.redeem("a code", None, forger.secret)
        assert forger.reads == 1
        forger.keys.append(forger.signs)
        monkeypatch.setattr("gateway.access.provider.REFRESHED_EVERY", now() - now())
        assert (await provider.redeem("a code", None, forger.secret)).subject == "one"
        assert forger.reads == 2


async def test_redirects_faults_and_riddles_of_the_token_endpoint_end_in_nothing() -> None:
    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/jwks")

    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=500, text="oops")

    async def riddle(_: web.Request) -> web.Response:
        return web.json_response({"id_token": ["a", "list"]})

    async def deep(_: web.Request) -> web.Response:
        return web.Response(text="[" * 100_000)

    async with forging() as forger, connected(forger.issuer) as provider:
        for answer in (moved, broken, riddle, deep):
            forger.token = answer
            with pytest.raises(UnavailableError):
                await provider.redeem("a code", None, forger.secret)


async def test_a_provider_that_is_gone_is_an_outage_not_a_refusal() -> None:
    async with forging() as forger:
        issuer = forger.issuer
    async with connected(issuer) as provider:
        with pytest.raises(UnavailableError):
            await provider.authorization(new_secret())


@pytest.mark.parametrize(
    "address",
    [
        "http://provider.invalid",
        "ftp://127.0.0.1",
        "https://user@provider.invalid",
        "https://",
        "//provider.invalid",
        "https://provider.invalid/#here",
    ],
)
def test_no_other_address_than_https_is_trusted_with_tokens(address: str) -> None:
    with pytest.raises(ValueError, match="it is"):
        checked_address(address)
    assert (
        checked_address("https://provider.invalid/realms/x") == "https://provider.invalid/realms/x"
    )
    assert checked_address("http://[::1]:8080/") == "http://[::1]:8080/"
