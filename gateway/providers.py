"""Which key provider the settings choose: how it is opened, and how `kluis init` sets it up.

The only place that knows them all. A local keyring makes its keys itself; a server or an HSM is
given the seeds of the signing keys to keep, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gateway.errors import InvalidInputError
from gateway.settings import Settings
from keys.errors import KeyringExistsError, KeyringMissingError
from keys.providers import KeyProvider
from keys.providers.keyfile import Contents
from keys.providers.local import LocalKeyring
from keys.providers.successor import AdoptingProvider, Successor
from keys.secret import SecretKey
from keys.signing import SIGNING_KEYS, SigningKey
from storage.durable import replace_file

Setting = TypeVar("Setting", str, Path)


async def open_provider(settings: Settings, passphrase: str) -> KeyProvider:
    """The provider of a set-up that is complete; whoever opens it closes it.

    Args:
        settings: Which, and how to reach it.
        passphrase: Unlocks a local keyring; nothing to the others.

    Raises:
        KeyringMissingError: `kluis init` was not run here.
        PassphraseError: Wrong passphrase.
        InvalidInputError: A setting that the provider needs is missing or wrong.
    """
    moving = bool(settings.key_provider_before)
    if (moving or settings.key_provider != "local") and not settings.log_key_path.exists():
        raise KeyringMissingError(settings.data)
    if not moving:
        return await _one(settings, settings.key_provider, passphrase)
    if settings.key_provider_before == settings.key_provider:
        reason = "it is the provider that the keys are moved to"
        raise InvalidInputError(field="key_provider_before", reason=reason)
    if settings.key_provider == "local" and not settings.keyring_path.exists():
        with suppress(KeyringExistsError):  # another process was quicker
            empty = Contents(1, {}, {})
            await asyncio.to_thread(LocalKeyring.restore, settings.keyring_path, passphrase, empty)
    before = await _one(settings, settings.key_provider_before, passphrase)
    return Successor(before, await _one(settings, settings.key_provider, passphrase))


async def reach_provider(settings: Settings) -> KeyProvider:
    """The server or HSM that keeps the keys, for a restore: nothing is set up here yet."""
    return await _one(settings, settings.key_provider, "")


async def _one(settings: Settings, name: str, passphrase: str) -> AdoptingProvider:
    if name == "local":
        return await asyncio.to_thread(LocalKeyring.open, settings.keyring_path, passphrase)
    return _openbao(settings) if name == "openbao" else _pkcs11(settings)


async def set_up_provider(settings: Settings, passphrase: str) -> None:
    """Make the keys, and publish the public ones; completes what a crash left.

    Raises:
        KeyringExistsError: The provider holds the keys of another installation.
        PassphraseError: The passphrase cannot serve as one, or is not that of the keyring.
        ProviderUnavailableError: It cannot be reached, or does not let us in.
        InvalidInputError: A setting that it needs is missing or wrong.
    """
    if settings.key_provider_before:
        reason = "there is nothing yet that could be moved"
        raise InvalidInputError(field="key_provider_before", reason=reason)
    if settings.key_provider == "local":
        begun = settings.keyring_path.exists()
        make = LocalKeyring.open if begun else LocalKeyring.init
        keyring = await asyncio.to_thread(make, settings.keyring_path, passphrase)
        _publish(settings, {name: await keyring.signing_key(name) for name in SIGNING_KEYS})
        return
    provider = await _one(settings, settings.key_provider, passphrase)
    try:
        await _set_up_remote(settings, provider)
    finally:
        await provider.close()


async def _set_up_remote(settings: Settings, provider: AdoptingProvider) -> None:
    try:
        kept = await provider.signing_key("certificate")
    except KeyringMissingError:
        fresh = {name: SigningKey(name, SecretKey.generate()) for name in SIGNING_KEYS}
        # Published first. After a crash it shows whether the keys that are kept are our own; two
        # logs under one key could contradict each other unnoticed.
        _publish(settings, fresh)
        await provider.set_up({name: key.seed for name, key in fresh.items()})
        return
    path = settings.certificate_key_path
    if not path.exists() or path.read_text().strip() != kept.verifier:
        raise KeyringExistsError(settings.key_provider)


def _publish(settings: Settings, keys: Mapping[str, SigningKey]) -> None:
    log_key = SigningKey(settings.log_origin, keys["log"].seed)
    replace_file(settings.log_key_path, f"{log_key.verifier}\n".encode())
    replace_file(settings.certificate_key_path, f"{keys['certificate'].verifier}\n".encode())


def _openbao(settings: Settings) -> AdoptingProvider:
    from keys.providers.bao import AppRole, BaoClient, TokenFile  # noqa: PLC0415 - where needed
    from keys.providers.openbao import OpenBao  # noqa: PLC0415

    login: TokenFile | AppRole
    if settings.openbao_token_file is not None:
        login = TokenFile(settings.openbao_token_file)
    else:
        role_id = _needed("openbao_role_id", settings.openbao_role_id or None)
        secret_id_file = _needed("openbao_secret_id_file", settings.openbao_secret_id_file)
        login = AppRole(role_id, secret_id_file)
    try:
        client = BaoClient(settings.openbao_address, login, settings.openbao_ca_file)
    except ValueError as error:
        raise InvalidInputError(field="openbao_address", reason=str(error)) from None
    try:
        return OpenBao(client, settings.openbao_mount)
    except ValueError as error:
        raise InvalidInputError(field="openbao_mount", reason=str(error)) from None


def _pkcs11(settings: Settings) -> AdoptingProvider:
    try:
        from keys.providers.hsm import Pkcs11Hsm  # noqa: PLC0415 - an extra
    except ImportError:
        reason = "pkcs11 needs the extra of that name: install kluis[pkcs11]"
        raise InvalidInputError(field="key_provider", reason=reason) from None
    module: Path = _needed("pkcs11_module", settings.pkcs11_module)
    token = _needed("pkcs11_token", settings.pkcs11_token or None)
    return Pkcs11Hsm(module, token, _needed("pkcs11_pin_file", settings.pkcs11_pin_file))


def _needed(name: str, value: Setting | None) -> Setting:
    if value is None:
        raise InvalidInputError(field=name, reason="the chosen key provider needs it")
    return value
