"""Getting into a token, losing it, and getting in again; setting it up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, TokenFlag

from keys.context import Context, Purpose
from keys.errors import (
    KeyringExistsError,
    KeyringFormatError,
    KeyringMissingError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from keys.providers import cryptoki
from keys.providers.cryptoki import Login, Token
from keys.providers.hsm import Pkcs11Hsm
from keys.secret import SecretKey
from tests.softhsm import LABEL, PIN, SEEDS, SoftHsm, fresh_token

CASE = Context(Purpose.CASE_KEY, "practice", "case")
SECRET = SecretKey(bytes(range(32)))
OTHERS = {name: SecretKey.generate() for name in SEEDS}

CALLS: dict[str, Callable[[Pkcs11Hsm], Awaitable[object]]] = {
    "check": lambda hsm: hsm.check(),
    "create": lambda hsm: hsm.create("practice", 2),
    "create again": lambda hsm: hsm.create("practice", 1),
    "destroy": lambda hsm: hsm.destroy("practice", 1),
    "destroy nothing": lambda hsm: hsm.destroy("stranger", 1),
    "rewrap": lambda hsm: hsm.rewrap(1, 1, [(bytes(60), CASE)]),
    "set up": lambda hsm: hsm.set_up(SEEDS),
    "signing key": lambda hsm: hsm.signing_key("log"),
    "unwrap": lambda hsm: hsm.unwrap(1, bytes(60), CASE),
    "versions": lambda hsm: hsm.versions("practice"),
    "wrap": lambda hsm: hsm.wrap(1, SECRET, CASE),
}


@pytest.fixture
def token(tmp_path: Path) -> Iterator[SoftHsm]:
    with fresh_token(tmp_path) as token:
        yield token


@pytest.fixture
async def hsm(token: SoftHsm) -> AsyncIterator[Pkcs11Hsm]:
    await token.set_up()
    hsm = token.provider()
    await hsm.create("practice", 1)
    yield hsm
    await hsm.close()


@pytest.mark.parametrize("call", CALLS)
async def test_nothing_is_said_of_a_token_that_is_away(
    hsm: Pkcs11Hsm, token: SoftHsm, call: str
) -> None:
    away = token.tokens.rename(token.tokens.with_name("away"))
    token.tokens.mkdir()
    with pytest.raises(ProviderUnavailableError) as caught:
        await CALLS[call](hsm)
    assert not isinstance(caught.value, ProviderRefusedError)
    assert LABEL in str(caught.value)

    token.tokens.rmdir()
    away.rename(token.tokens)
    assert await hsm.versions("practice") == {1}


async def test_a_token_that_logged_us_out_is_entered_again(hsm: Pkcs11Hsm, token: SoftHsm) -> None:
    # The sessions of a process share one login: this one is let in without a PIN, and logged out
    # when the first one closes. It is then shown nothing, and no error.
    second = token.provider()
    wrapped = await second.wrap(1, SECRET, CASE)
    await hsm.close()
    assert await second.unwrap(1, wrapped, CASE) == SECRET
    await hsm.close()
    assert await second.versions("practice") == {1}
    await second.destroy("practice", 1)
    assert await hsm.versions("practice") == frozenset()
    await second.close()


async def test_what_is_invisible_is_not_taken_for_destroyed(hsm: Pkcs11Hsm, token: SoftHsm) -> None:
    second = token.provider()
    await second.check()
    await hsm.close()
    token.pin_file.unlink()
    for call in ("destroy", "versions", "unwrap"):
        with pytest.raises(ProviderRefusedError):
            await CALLS[call](second)


async def test_a_module_that_was_initialised_anew_is_entered_again(
    hsm: Pkcs11Hsm, token: SoftHsm
) -> None:
    wrapped = await hsm.wrap(1, SECRET, CASE)
    await hsm.unwrap(1, wrapped, CASE)
    token.restart()
    assert await hsm.unwrap(1, wrapped, CASE) == SECRET


async def test_a_handle_that_names_another_object_by_now_proves_no_login(hsm: Pkcs11Hsm) -> None:
    def mix_up(login: Login) -> Login:
        found = login.find("kluis/controller/practice")
        login.roots = [key for key in found if isinstance(key, pkcs11.SecretKey)]
        return login

    mixed_up = await hsm._token.run(mix_up)
    assert await hsm.versions("practice") == {1}
    assert await hsm._token.run(lambda login: login) is not mixed_up


async def test_a_closed_provider_has_no_session(hsm: Pkcs11Hsm, token: SoftHsm) -> None:
    await hsm.close()
    await hsm.close()
    with pkcs11.lib(str(token.module)).get_token(token_label=LABEL).open() as session:
        assert list(session.get_objects()) == []


async def test_a_wrong_pin_is_refused_and_not_tried_a_second_time(token: SoftHsm) -> None:
    await token.set_up()
    token.pin_file.write_text("999999")
    hsm = token.provider()
    for _ in range(5):
        with pytest.raises(ProviderRefusedError, match="start Kluis again") as caught:
            await hsm.check()
        assert "PinIncorrect" in caught.value.reason
        assert "999999" not in str(caught.value)
    found = pkcs11.lib(str(token.module)).get_token(token_label=LABEL)
    assert not found.flags & TokenFlag.USER_PIN_LOCKED

    # Even the right one waits for a new process: nobody guesses here.
    token.pin_file.write_text(PIN)
    with pytest.raises(ProviderRefusedError):
        await hsm.check()
    again = token.provider()
    await again.check()
    await again.close()


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
async def test_a_pin_file_without_a_pin_is_named(token: SoftHsm, content: bytes | None) -> None:
    token.pin_file.unlink()
    if content is not None:
        token.pin_file.write_bytes(content)
    with pytest.raises(ProviderRefusedError, match="pkcs11_pin_file") as caught:
        await token.provider().check()
    assert str(token.pin_file) in str(caught.value)


@pytest.mark.parametrize("content", [None, b"not a library"])
async def test_a_module_that_cannot_be_loaded_is_named(
    token: SoftHsm, tmp_path: Path, content: bytes | None
) -> None:
    module = tmp_path / "module.so"
    if content is not None:
        module.write_bytes(content)
    with pytest.raises(ProviderRefusedError, match="pkcs11_module") as caught:
        await Pkcs11Hsm(module, LABEL, token.pin_file).check()
    assert str(module) in str(caught.value)


async def test_the_pin_is_the_first_line_of_its_file(token: SoftHsm) -> None:
    await token.set_up()
    token.pin_file.write_text(f"{PIN}\nof the user\n")
    hsm = token.provider()
    await hsm.check()
    await hsm.close()


async def test_a_token_that_nobody_has_is_named(token: SoftHsm) -> None:
    with pytest.raises(ProviderUnavailableError, match="token elsewhere"):
        await Pkcs11Hsm(token.module, "elsewhere", token.pin_file).check()


async def test_no_pin_stays_in_memory_and_none_is_said(hsm: Pkcs11Hsm) -> None:
    held = [hsm.__dict__, hsm._token.__dict__, hsm._token._login.__dict__]
    assert PIN not in repr(held)


async def test_a_token_that_hangs_holds_up_nobody_but_its_callers(
    hsm: Pkcs11Hsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def hang(_: Login) -> None:
        hangs.set()
        goes_on.wait()

    call = asyncio.create_task(hsm._token.run(hang))
    await asyncio.to_thread(hangs.wait)
    monkeypatch.setattr(cryptoki, "PATIENCE_SECONDS", 0.01)
    with pytest.raises(ProviderUnavailableError, match="does not answer"):
        await hsm.check()
    await hsm.close()
    monkeypatch.undo()

    goes_on.set()
    await call
    await hsm.check()


@pytest.mark.parametrize("call", sorted(set(CALLS) - {"set up"}))
async def test_a_token_that_was_not_set_up_says_so(token: SoftHsm, call: str) -> None:
    with pytest.raises(KeyringMissingError, match=LABEL):
        await CALLS[call](token.provider())


async def test_setting_up_keeps_the_seeds_it_is_given(token: SoftHsm) -> None:
    hsm = token.provider()
    await hsm.set_up(SEEDS)
    await hsm.set_up(SEEDS)
    for name, seed in SEEDS.items():
        assert (await hsm.signing_key(name)).seed == seed
    with pytest.raises(KeyringExistsError, match=LABEL):
        await hsm.set_up(OTHERS)
    assert (await hsm.signing_key("log")).seed == SEEDS["log"]
    await hsm.close()


async def test_setting_up_completes_what_broke_off_after_the_root_key(token: SoftHsm) -> None:
    hsm = token.provider()
    await hsm._token.run(Login.prove, make_root=True)
    with pytest.raises(KeyringMissingError):
        await hsm.signing_key("log")
    await hsm.set_up(SEEDS)
    assert (await hsm.signing_key("log")).seed == SEEDS["log"]
    await hsm.close()


async def test_of_two_that_set_up_at_once_the_later_withdraws(
    token: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    hsm, keep = token.provider(), Login.keep

    def slow(login: Login, label: str, content: bytes) -> pkcs11.Object:
        keep(login, label, content)
        return keep(login, label, bytes(len(content)))

    monkeypatch.setattr(Login, "keep", slow)
    with pytest.raises(KeyringExistsError):
        await hsm.set_up(SEEDS)
    assert (await hsm.signing_key("log")).seed == SEEDS["log"]
    await hsm.close()


async def test_a_token_with_two_sets_of_signing_keys_signs_nothing(hsm: Pkcs11Hsm) -> None:
    await hsm._token.run(lambda login: login.keep("kluis/signing", bytes(120)))
    with pytest.raises(KeyringFormatError, match="several"):
        await hsm.signing_key("log")


@pytest.mark.parametrize("content", [b"", bytes(60), bytes(120)])
async def test_altered_seeds_sign_nothing(hsm: Pkcs11Hsm, content: bytes) -> None:
    def alter(login: Login) -> None:
        (kept,) = login.find("kluis/signing")
        kept.destroy()
        login.keep("kluis/signing", content)

    await hsm._token.run(alter)
    with pytest.raises(KeyringFormatError, match="do not open"):
        await hsm.signing_key("log")


async def test_the_seeds_do_not_change_places(hsm: Pkcs11Hsm) -> None:
    def swap(login: Login) -> None:
        (kept,) = login.find("kluis/signing")
        seeds = kept[Attribute.VALUE]
        kept.destroy()
        login.keep("kluis/signing", seeds[60:] + seeds[:60])

    await hsm._token.run(swap)
    with pytest.raises(KeyringFormatError):
        await hsm.signing_key("log")


async def test_a_token_that_binds_no_associated_data_is_refused(
    token: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "encode", lambda _: b"")
    with pytest.raises(ProviderRefusedError, match="associated data"):
        await token.provider().set_up(SEEDS)


async def test_a_token_that_insists_on_its_own_nonces_is_not_set_up(
    token: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def own(_: bytes, aad: bytes) -> pkcs11.GCMParams:
        return pkcs11.GCMParams(SecretKey.generate().reveal()[:12], aad)

    hsm = token.provider()
    monkeypatch.setattr(cryptoki, "GCMParams", own)
    with pytest.raises(ProviderUnavailableError):
        await hsm.set_up(SEEDS)
    with pytest.raises(KeyringMissingError):
        await hsm.signing_key("log")


async def test_two_root_keys_serve_as_one(hsm: Pkcs11Hsm) -> None:
    await hsm._token.run(lambda login: login.generate("kluis/root", b""))
    await hsm.close()
    assert (await hsm.signing_key("log")).seed == SEEDS["log"]


def test_a_token_is_named_by_its_label(token: SoftHsm) -> None:
    assert Token(token.module, "kluis", token.pin_file).place == "HSM token kluis"
