"""A real PKCS#11 token in software: SoftHSM2, from apt, in a directory of the test's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pkcs11
import pytest

from keys.providers.hsm import Pkcs11Hsm
from keys.secret import SecretKey
from keys.signing import SIGNING_KEYS
from tests.leaks import planted

PIN = planted("the PIN", "31415926535897932384")
LABEL = "kluis"
MODULES = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
]
SEEDS = {name: SecretKey(bytes([place]) * 32) for place, name in enumerate(SIGNING_KEYS)}


@dataclass(frozen=True, slots=True)
class SoftHsm:
    """Where a token is, and how to get in."""

    module: Path
    tokens: Path
    pin_file: Path

    def provider(self) -> Pkcs11Hsm:
        return Pkcs11Hsm(self.module, LABEL, self.pin_file)

    async def set_up(self) -> None:
        provider = self.provider()
        await provider.set_up(SEEDS)
        await provider.close()

    def objects(self) -> set[Path]:
        """The file of every object on the token."""
        return set(self.tokens.glob("*/*.object"))

    def restart(self) -> None:
        """Every session of this process is worth nothing from here on."""
        pkcs11.lib(str(self.module)).reinitialize()


@contextmanager
def fresh_token(directory: Path) -> Iterator[SoftHsm]:
    """An empty token, for this process and those it starts."""
    tool = shutil.which("softhsm2-util")
    module = next((Path(name) for name in MODULES if Path(name).exists()), None)
    if tool is None or module is None:
        pytest.fail("SoftHSM2 is missing: apt-get install softhsm2")
    token = SoftHsm(module, directory / "tokens", directory / "pin")
    token.tokens.mkdir()
    token.pin_file.write_text(PIN + "\n")
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {token.tokens}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        command = [tool, "--init-token", "--free", "--label", LABEL]
        command += ["--pin", PIN, "--so-pin", "271828"]
        subprocess.run(command, check=True, capture_output=True)
        # The module reads its configuration when it is initialised, once in a process.
        token.restart()
        yield token
