"""The keys that sign: those of the log as it is written, and how one is replaced by a new one.

`log.pub` and `certificate.pub` list every public key that there was, newest first, one a line: what
was signed stays as true as it was. A new log key signs beside the one before it, until that one is
ended; so whoever checks the log with the old key alone has time to learn the new one, and a
checkpoint that both sign says that they are of one log.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

import structlog

from gateway.access.actors import system
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.errors import GatewayError
from gateway.settings import Settings
from keys.errors import KeysError, SignatureError, UnknownSigningKeyError
from keys.providers import KeyProvider
from keys.providers.successor import AdoptingProvider, Successor, signing_seeds
from keys.secret import SecretKey
from keys.signing import LOG_BEFORE, SigningKey, Verifiers
from storage.durable import replace_file

REFRESH_SECONDS = 30.0
DAY = 86400

log = structlog.get_logger()


class LogKeys:
    """Signs checkpoints with the keys in force, and opens them with any there was."""

    def __init__(self, path: Path, provider: KeyProvider) -> None:
        """Public keys are in the file `path`; `refresh` comes before the first use."""
        self._path = path
        self._provider = provider
        self._signers: tuple[SigningKey, ...] = ()
        self._verifiers = public_keys(path)

    @property
    def origin(self) -> str:
        """The log's name, first line of its checkpoints."""
        return self._verifiers.name

    async def refresh(self) -> None:
        """Take over what another process has changed. Raises as KeyProvider.signing_key."""
        seeds = [(await self._provider.signing_key("log")).seed]
        with suppress(UnknownSigningKeyError):
            seeds.append((await self._provider.signing_key(LOG_BEFORE)).seed)
        self._signers = tuple(SigningKey(self.origin, seed) for seed in seeds)

    async def run(self, access: Access, days: float) -> None:
        """Tend the keys until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.tend(access, days)
            except (GatewayError, KeysError, OSError) as error:
                log.warning("signing_keys_not_read", error=type(error).__name__)

    async def tend(self, access: Access, days: float) -> None:
        """Refresh, and end the key before this one once both have signed for so many days.

        Raises:
            KeysError, OSError: As KeyProvider.signing_key.
            UnavailableError: The event cannot be written, so nothing was ended.
        """
        await self.refresh()
        # Written when the new key was published; a copy is younger, so nothing ends too early.
        age = time.time() - self._path.stat().st_mtime
        if len(self._signers) == 1 or age < days * DAY or isinstance(self._provider, Successor):
            return
        if self._signers[0].verifier != _lines(self._path)[0]:
            return  # a crash left the new key unpublished; the file's age is of the one before
        target = Target("key", "log")
        grant = await access.authorise(system("rotation"), Action.KEY_ROTATE, target=target)
        await end_log_key(cast(AdoptingProvider, self._provider))
        await access.outcome(grant, ended=True)
        await self.refresh()

    def sign(self, text: str) -> str:
        """Return the note with a signature of each key in force."""
        return f"{text}\n{''.join(key.sign_line(text) for key in self._signers)}"

    def open_note(self, note: str) -> str:
        """Return the text of a note that one of the log's keys signed.

        Raises:
            SignatureError: None did.
        """
        try:
            return self._verifiers.open_note(note)
        except SignatureError:
            # Another process may have begun with a key that was published since.
            self._verifiers = public_keys(self._path)
            return self._verifiers.open_note(note)


def public_keys(path: Path) -> Verifiers:
    """The keys in a file such as `log.pub`, newest first."""
    return Verifiers.parse(path.read_text("utf-8"))


async def renew_signing_key(settings: Settings, provider: AdoptingProvider, name: str) -> bool:
    """Make a new key "log" or "certificate", and publish it before the older ones.

    The seed of the old key is gone at once for certificates; for the log `end_log_key` ends it.
    A crash leaves a key that signs and is not published; the same call then publishes that one.

    Returns:
        False: the log's last replacement is not ended yet, so nothing was done.
    """
    path = settings.log_key_path if name == "log" else settings.certificate_key_path
    published = public_keys(path)
    seeds = await signing_seeds(provider)
    if _verifier(published.name, seeds[name]) == _lines(path)[0]:
        if name == "log" and LOG_BEFORE in seeds:
            return False
        before = {LOG_BEFORE: seeds["log"]} if name == "log" else {}
        seeds = {**seeds, **before, name: SecretKey.generate()}
        await provider.replace_signing(seeds)
    lines = [_verifier(published.name, seeds[name]), *_lines(path)]
    replace_file(path, "".join(f"{line}\n" for line in lines).encode())
    return True


async def end_log_key(provider: AdoptingProvider) -> None:
    """Destroy the seed of the log's key before the present one; idempotent."""
    seeds = await signing_seeds(provider)
    if seeds.pop(LOG_BEFORE, None) is not None:
        await provider.replace_signing(seeds)


def _verifier(name: str, seed: SecretKey) -> str:
    return SigningKey(name, seed).verifier


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").split()
