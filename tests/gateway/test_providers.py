"""The settings choose a provider; `kluis init` sets it up, once, whatever breaks off."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.app import initialise, open_rooms
from gateway.errors import InvalidInputError
from gateway.providers import open_provider, set_up_provider
from gateway.settings import Settings, load
from keys.errors import KeyringExistsError, KeyringMissingError
from keys.providers.openbao import OpenBao
from tests.openbao import BaoMount

OFFICER = "officer@lab.example"


@pytest.fixture
def remote(mount: BaoMount, data_directory: Path) -> Settings:
    return load(data=data_directory, **mount.chosen())


async def test_init_publishes_the_keys_that_the_server_keeps(
    remote: Settings, mount: BaoMount
) -> None:
    shown = await initialise(remote, "", OFFICER)

    assert shown.log_key == remote.log_key_path.read_text().strip()
    provider = await open_provider(remote, "")
    key = await provider.signing_key("certificate")
    await provider.close()
    assert remote.certificate_key_path.read_text().strip() == key.verifier
    assert not remote.keyring_path.exists()
    with pytest.raises(KeyringExistsError):
        await initialise(remote, "", OFFICER)
    async with open_rooms(remote, "") as rooms:
        assert [account.email for account in await rooms.accounts.list_accounts()] == [OFFICER]
    assert mount.tokens() == []  # whoever logged in has left


@pytest.mark.parametrize("kept", [False, True])
async def test_a_set_up_that_broke_off_is_completed(
    remote: Settings, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    whole = OpenBao.set_up

    async def breaks_off(*arguments: Any) -> None:
        if kept:
            await whole(*arguments)
        raise ConnectionError

    monkeypatch.setattr(OpenBao, "set_up", breaks_off)
    with pytest.raises(ConnectionError):
        await initialise(remote, "", OFFICER)
    monkeypatch.undo()

    await initialise(remote, "", OFFICER)

    async with open_rooms(remote, "") as rooms:
        key = await rooms.keyring.signing_key("certificate")
    assert remote.certificate_key_path.read_text().strip() == key.verifier


async def test_two_installations_never_share_their_signing_keys(
    remote: Settings, mount: BaoMount, tmp_path: Path
) -> None:
    await initialise(remote, "", OFFICER)
    other = load(data=tmp_path / "other", **mount.chosen())

    with pytest.raises(KeyringExistsError):
        await initialise(other, "", OFFICER)


async def test_a_directory_that_is_not_set_up_is_said_to_be_none(remote: Settings) -> None:
    with pytest.raises(KeyringMissingError):
        await open_provider(remote, "")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"openbao_address": ""}, "openbao_address"),
        ({"openbao_address": "http://bao.example"}, "openbao_address"),
        ({"openbao_mount": "a/../b"}, "openbao_mount"),
        ({"openbao_role_id": ""}, "openbao_role_id"),
        ({"openbao_secret_id_file": None}, "openbao_secret_id_file"),
        ({"key_provider": "pkcs11"}, "pkcs11_module"),
        ({"key_provider_before": "local"}, "key_provider_before"),
        ({"key_provider": "pkcs11", "pkcs11_module": Path("x.so")}, "pkcs11_token"),
    ],
)
async def test_a_setting_that_the_provider_needs_is_named(
    remote: Settings, change: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await set_up_provider(remote.model_copy(update=change), "")

    assert caught.value.field == field


async def test_an_extra_that_is_not_installed_is_named(
    remote: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keys.providers.hsm", None)
    with pytest.raises(InvalidInputError, match=r"kluis\[pkcs11\]"):
        await set_up_provider(remote.model_copy(update={"key_provider": "pkcs11"}), "")
