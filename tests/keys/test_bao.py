"""The client of OpenBao: what happens to it when the server, the network or the token does not."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientTimeout, web

from keys.context import Context, Purpose
from keys.errors import ProviderRefusedError, ProviderUnavailableError
from keys.providers import bao as client_module
from keys.providers.bao import AppRole, BaoClient, TokenFile
from keys.secret import SecretKey
from tests.openbao import BaoMount, BaoServer, running_bao

CASE = Context(Purpose.CASE_KEY, "practice", "case")
SECRET = SecretKey(bytes(range(32)))
TOKEN = "s.PlantedTokenOfTheTest"


@pytest.fixture
def own_bao(tmp_path: Path) -> Iterator[BaoServer]:
    """A server that the test may seal and kill."""
    (tmp_path / "server").mkdir()
    with running_bao(tmp_path / "server") as server:
        yield server


@pytest.fixture
async def client(mount: BaoMount) -> AsyncIterator[BaoClient]:
    client = BaoClient(mount.server.address, mount.role)
    yield client
    await client.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


async def test_a_server_that_is_sealed_says_so_and_goes_on_when_it_is_not(
    own_bao: BaoServer, tmp_path: Path
) -> None:
    mount = own_bao.mount(tmp_path)
    await mount.set_up()
    provider = mount.provider()
    await provider.create("practice", 1)
    wrapped = await provider.wrap(1, SECRET, CASE)

    own_bao.seal()
    for attempt in (provider.unwrap(1, wrapped, CASE), provider.wrap(1, SECRET, CASE)):
        with pytest.raises(ProviderUnavailableError) as caught:
            await attempt
        assert caught.value.reason == "sealed"
        assert "unseal" in str(caught.value)
    own_bao.unseal()

    assert await provider.unwrap(1, wrapped, CASE) == SECRET
    await provider.close()


async def test_a_server_that_was_killed_is_found_again_and_has_lost_nothing(
    own_bao: BaoServer, tmp_path: Path
) -> None:
    mount = own_bao.mount(tmp_path)
    await mount.set_up()
    provider = mount.provider()
    await provider.create("practice", 1)
    await provider.create("practice", 2)
    await provider.destroy("practice", 1)
    wrapped = await provider.wrap(2, SECRET, CASE)

    own_bao.kill()
    with pytest.raises(ProviderUnavailableError, match="unreachable"):
        await provider.unwrap(2, wrapped, CASE)
    own_bao.start()
    own_bao.unseal()

    assert await provider.unwrap(2, wrapped, CASE) == SECRET
    assert await provider.versions("practice") == {2}
    await provider.close()


async def test_nothing_is_known_of_a_server_that_is_away(
    tmp_path: Path, own_bao: BaoServer
) -> None:
    mount = own_bao.mount(tmp_path)
    provider = mount.provider()
    own_bao.kill()
    for attempt in (
        provider.versions("practice"),
        provider.create("practice", 1),
        provider.destroy("practice", 1),
        provider.signing_key("log"),
        provider.check(),
    ):
        with pytest.raises(ProviderUnavailableError):
            await attempt
    await provider.close()


async def test_a_token_that_was_revoked_is_replaced_by_a_new_login(
    mount: BaoMount, client: BaoClient
) -> None:
    await client.check()
    (first,) = mount.tokens()
    mount.server.admin("POST", "auth/token/revoke-accessor", {"accessor": first["accessor"]})

    await asyncio.gather(*(client.check() for _ in range(20)))

    (second,) = mount.tokens()  # one for all who found the first one gone
    assert second["accessor"] != first["accessor"]


async def test_a_token_that_ran_out_is_replaced_by_a_new_login(mount: BaoMount) -> None:
    short = {"token_ttl": "1s", "token_max_ttl": "1s"}
    mount.server.admin("POST", f"auth/approle/role/{mount.name}", short)
    client = BaoClient(mount.server.address, mount.role)
    await client.check()
    await until(lambda: mount.tokens() == [])

    await client.check()
    await client.close()


async def test_a_token_is_renewed_before_it_ends(mount: BaoMount, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(mount.token(period="2s"))
    client = BaoClient(mount.server.address, TokenFile(tmp_path / "token"))
    await client.check()

    await until(lambda: mount.tokens()[0].get("last_renewal") is not None)

    await client.check()
    await client.close()
    assert len(mount.tokens()) == 1  # not ours to revoke


async def test_a_new_token_in_the_file_is_taken_once_the_old_one_fails(
    mount: BaoMount, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(mount.token())
    client = BaoClient(mount.server.address, TokenFile(path))
    await client.check()
    (old,) = mount.tokens()
    mount.server.admin("POST", "auth/token/revoke-accessor", {"accessor": old["accessor"]})
    with pytest.raises(ProviderRefusedError, match="log-in refused; check the credential"):
        await client.check()

    path.write_text(mount.token())

    await client.check()
    await client.close()


async def test_what_is_not_allowed_is_refused_without_another_login(
    mount: BaoMount, client: BaoClient
) -> None:
    for _ in range(3):
        with pytest.raises(ProviderRefusedError, match="grant the policy"):
            await client.request("GET", "sys/policies/acl/root")
    assert len(mount.tokens()) == 1


async def test_who_leaves_gives_back_the_token(mount: BaoMount, client: BaoClient) -> None:
    await client.check()
    await client.close()
    assert mount.tokens() == []


async def test_a_wrong_secret_id_is_refused_and_not_repeated_in_words(mount: BaoMount) -> None:
    mount.secret_id_file.write_text(TOKEN)
    client = BaoClient(mount.server.address, mount.role)
    with pytest.raises(ProviderRefusedError, match="check the credential") as caught:
        await client.check()
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    await client.close()


@pytest.mark.parametrize("content", [None, "", "\n", "s.one\ttwo\n", "s.\u00e9t\u00e9\n"])
async def test_a_file_without_a_credential_is_named(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "token").write_text(content, "utf-8")
    client = BaoClient("http://127.0.0.1:9", TokenFile(tmp_path / "token"))
    with pytest.raises(ProviderRefusedError, match=str(tmp_path / "token")):
        await client.check()
    await client.close()


async def test_a_certificate_counts_only_if_the_file_vouches_for_it(
    mount: BaoMount, tmp_path: Path
) -> None:
    server = mount.server
    trusting = BaoClient(server.tls_address, mount.role, server.ca_file)
    await trusting.check()
    await trusting.close()

    mistrusting = BaoClient(server.tls_address, mount.role)
    with pytest.raises(ProviderUnavailableError, match="certificate"):
        await mistrusting.check()
    await mistrusting.close()

    astray = BaoClient(server.tls_address, mount.role, tmp_path / "missing.pem")
    with pytest.raises(ProviderRefusedError, match="openbao_ca_file"):
        await astray.check()
    await astray.close()


@pytest.mark.parametrize(
    "address",
    [
        "http://bao.example:8200",
        "http://192.0.2.1:8200",
        "ftp://127.0.0.1",
        "127.0.0.1:8200",
        "",
        "https://",
        "https://user:word@bao.example",
        "https://bao.example/v1",
        "https://bao.example/?a=b",
    ],
)
def test_a_token_never_travels_in_the_open(address: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="address"):
        BaoClient(address, TokenFile(tmp_path / "token"))


@pytest.mark.parametrize(
    "address", ["https://bao.example", "http://[::1]:8200", "http://localhost"]
)
def test_tls_or_this_machine_will_do(address: str, tmp_path: Path) -> None:
    BaoClient(address, TokenFile(tmp_path / "token"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.Response(status=500), "answered 500"),
        (web.Response(status=429), "answered 429"),
        (web.Response(status=473), "answered 473"),
        (web.Response(text="<html>"), "its answer is not OpenBao's"),
        (web.Response(text="[1]"), "its answer is not OpenBao's"),
        (web.Response(text='{"data": {"ttl": "long"}}'), "its answer is not OpenBao's"),
        (web.Response(status=204), "its answer is not OpenBao's"),
    ],
)
async def test_an_answer_that_is_none_is_no_answer(
    answer: web.Response, reason: str, tmp_path: Path
) -> None:
    async def handle(_: web.BaseRequest) -> web.Response:
        return answer

    assert await refusal_of(handle, tmp_path) == reason


async def test_a_redirect_is_not_followed_with_the_token(tmp_path: Path) -> None:
    seen: list[str] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    assert await refusal_of(handle, tmp_path) == "answered 307"
    assert seen == ["/v1/auth/token/lookup-self"]


async def test_a_server_that_never_answers_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", ClientTimeout(total=0.1))
    never = asyncio.Event()

    async def handle(_: web.BaseRequest) -> web.Response:
        await never.wait()
        return web.Response()

    assert await refusal_of(handle, tmp_path) == "no answer in time"


async def refusal_of(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], directory: Path
) -> str:
    """The reason given for a server that answers like this; and that no secret is in it."""
    (directory / "token").write_text(TOKEN)
    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    client = BaoClient(f"http://127.0.0.1:{port}", TokenFile(directory / "token"))
    with pytest.raises(ProviderUnavailableError) as caught:
        await client.check()
    shown = [*traceback.format_exception(caught.value), repr(client), repr(caught.value)]
    assert TOKEN not in "".join(shown)
    await client.close()
    await runner.cleanup()
    return caught.value.reason


def test_no_secret_is_in_what_is_printed() -> None:
    shown = repr(client_module._Token(TOKEN, 1.0, True))
    shown += repr(client_module.Answer(200, {"plaintext": TOKEN}))
    shown += repr(AppRole("role", Path("file")))
    assert TOKEN not in shown
