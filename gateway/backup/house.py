"""Whose back-up it is: the keys that sign, from their back-up or the server that keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.backup.sources import House, Sources, newest_keys
from gateway.providers import reach_provider
from gateway.settings import Settings
from keys.signing import SigningKey


@asynccontextmanager
async def house_of(settings: Settings, sources: Sources) -> AsyncIterator[House]:
    """The house's keys, as far as a restore needs them.

    Raises:
        BackupMissingError, BackupDamagedError: The back-up of a local keyring.
        ProviderUnavailableError: The server or HSM.
    """
    if settings.key_provider == "local":
        contents = newest_keys(sources)

        async def held(controller_id: str) -> frozenset[int]:
            return frozenset(contents.of(controller_id).keys)

        seeds = contents.signing
        certificate = SigningKey("certificate", seeds["certificate"])
        yield House(certificate, SigningKey("log", seeds["log"]), held, contents)
        return
    provider = await reach_provider(settings)
    try:
        certificate = await provider.signing_key("certificate")
        yield House(certificate, await provider.signing_key("log"), provider.versions)
    finally:
        await provider.close()
